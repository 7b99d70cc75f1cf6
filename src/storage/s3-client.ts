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

/** What a bucket lists, page by page. `ask` asks for one of them, from where the one before ended. */
export async function* pagesOf(
  ask: (from: { readonly continuationToken?: string }) => Promise<Bun.S3ListObjectsResponse>,
): AsyncGenerator<NonNullable<Bun.S3ListObjectsResponse["contents"]>> {
  let continuationToken: string | undefined;
  do {
    const page = await ask(continuationToken === undefined ? {} : { continuationToken });
    yield page.contents ?? [];
    continuationToken = page.isTruncated === true ? page.nextContinuationToken : undefined;
  } while (continuationToken !== undefined);
}
