export interface S3Options {
  readonly bucket: string;
  /** What every key begins with: empty, or ending in a slash. */
  readonly prefix: string;
  /** Null: Amazon's own, by the region. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

export function s3Client(options: S3Options): Bun.S3Client {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey, sessionToken } = options;
  return new Bun.S3Client({
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    ...(endpoint === null ? {} : { endpoint }),
    ...(sessionToken === null ? {} : { sessionToken }),
  });
}
