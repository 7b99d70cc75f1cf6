import { randomBytes } from "node:crypto";
import { BUCKET_NEEDS_KEY, s3File } from "../config.ts";
import type { Config } from "../config.ts";
import { BackupBucket } from "../storage/s3-backups.ts";
import { BackupRefused, removeLeftover } from "../storage/sqlite-backup.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

/** A file of this machine, or one in a bucket, which is there while it is worked on. */
export interface BackupFile {
  /** Has `make` make the file; in a bucket it stands once it is found to be just that. */
  write<T>(make: (path: string) => T, options: { overwrites: boolean }): Promise<T>;
  read<T>(use: (path: string) => T): Promise<T>;
}

export const isInBucket = (file: string) => file.startsWith("s3://");

export function localFile(path: string): BackupFile {
  return {
    write: async (make) => make(path),
    read: async (use) => use(path),
  };
}

/** Fails with `Refusal` where `address` names no file, or the settings no key. `beside` is where a copy has room. */
export function bucketFile(address: string, s3: Config["s3"], beside: string): BackupFile {
  const found = s3File(address);
  if (found === null)
    throw new Refusal(`${address} is no file in a bucket: s3://bucket/prefix/name`, exitCodes.usage);
  if (s3 === null) throw new Refusal(BUCKET_NEEDS_KEY, exitCodes.config);
  const bucket = new BackupBucket({ ...found.place, ...s3 });
  const copy = `${beside}.${randomBytes(6).toString("hex")}.copy`;
  const whileThere = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BackupRefused)) throw error;
      throw new BackupRefused(error.message.replaceAll(copy, address), error);
    } finally {
      removeLeftover(copy);
    }
  };
  return {
    write: (make, options) =>
      whileThere(async () => {
        const made = make(copy);
        await bucket.upload(copy, found.name, options);
        return made;
      }),
    read: (use) =>
      whileThere(async () => {
        await bucket.download(found.name, copy);
        return use(copy);
      }),
  };
}
