import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BackupBucket } from "./storage/s3-backups.ts";

/** Where scheduled backups are kept. */
export interface BackupPlace {
  /** Where copies are made, and where lies what was cut off. */
  readonly draftFolder: string;
  /** Keeps the file that `make` makes at the path it is given; answers where it is. */
  keep(name: string, make: (path: string) => Promise<void>): Promise<string>;
  /** What begins with `begin`, in the order of the names. */
  names(begin: string): Promise<readonly string[]>;
  remove(name: string): Promise<void>;
  /** Gives up what may take long. */
  stop(): void;
}

export function folderPlace(folder: string): BackupPlace {
  return {
    draftFolder: folder,
    async keep(name, make) {
      if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
      const file = join(folder, name);
      await make(file);
      return file;
    },
    async names(begin) {
      return readdirSync(folder)
        .filter((name) => name.startsWith(begin))
        .toSorted();
    },
    async remove(name) {
      rmSync(join(folder, name));
    },
    stop() {},
  };
}

/** A copy is made and checked beside the database, where there is room for one, and goes from there. */
export function bucketPlace(bucket: BackupBucket, database: string): BackupPlace {
  const draftFolder = dirname(database);
  return {
    draftFolder,
    async keep(name, make) {
      const draft = join(draftFolder, `${name}.upload`);
      try {
        await make(draft);
        await bucket.upload(draft, name, { overwrites: true });
      } finally {
        rmSync(draft, { force: true });
      }
      return bucket.addressOf(name);
    },
    names: (begin) => bucket.names(begin),
    remove: (name) => bucket.remove(name),
    stop: () => bucket.close(),
  };
}
