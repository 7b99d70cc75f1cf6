import type { FileStore } from "../core/avatars.ts";
import { directoryFiles } from "./directory-files.ts";
import { s3Files } from "./s3-files.ts";
import type { S3Options } from "./s3-client.ts";
import type { Outgoing } from "./s3-files.ts";

/** What of the settings decides where uploads are kept. */
export interface FileTarget {
  readonly uploadDir: string;
  /** Null: in `uploadDir`. */
  readonly uploadS3: S3Options | null;
}

export function openFiles({ uploadDir, uploadS3 }: FileTarget, outgoing?: Outgoing): FileStore {
  return uploadS3 === null ? directoryFiles(uploadDir) : s3Files(uploadS3, outgoing);
}
