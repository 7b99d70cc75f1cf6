import type { S3Location } from "./kinds.ts";
import { type Known, type Setting, settings } from "./settings.ts";
import type { SettingReader } from "./sources.ts";

export interface S3Config {
  /** Null: Amazon's own. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

export interface BucketConfig extends S3Config, S3Location {}

export function assembleS3(reader: SettingReader, known: Known): S3Config | null {
  const endpoint = reader.read(settings.s3Endpoint, known);
  const region = reader.read(settings.s3Region, known);
  const accessKeyId = reader.read(settings.s3AccessKeyId, known);
  const secretAccessKey = reader.read(settings.s3SecretAccessKey, known);
  const sessionToken = reader.read(settings.s3SessionToken, known);
  if (accessKeyId === null || secretAccessKey === null) return null;
  return { endpoint, region, accessKeyId, secretAccessKey, sessionToken };
}

export const BUCKET_NEEDS_KEY =
  "a bucket needs a key: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)";

/** The place that a setting names, and how it is reached. */
export function bucketOf(
  setting: Setting<S3Location | null>,
  s3: S3Config | null,
  reader: SettingReader,
  known: Known,
): BucketConfig | null {
  const location = reader.read(setting, known);
  if (location === null) return null;
  if (s3 === null) {
    reader.complain(setting, BUCKET_NEEDS_KEY);
    return null;
  }
  return { ...location, ...s3 };
}
