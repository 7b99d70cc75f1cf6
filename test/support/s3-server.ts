import { createHash, createHmac } from "node:crypto";

/**
 * A bucket on the loopback address that speaks as much of S3 as a file store needs, and believes nobody: every
 * request is checked against AWS Signature Version 4 as its specification has it. (Of what npm offers, `s3rver` takes
 * a wrong secret for a right one, and brings a hundred packages unmaintained since 2021.)
 */
export interface S3Server {
  readonly url: string;
  readonly objects: Map<string, { readonly content: Uint8Array<ArrayBuffer>; readonly type: string | null }>;
  /** Of the latest request that it was asked. */
  readonly headers: Headers;
  /** While true it takes requests and answers none. */
  hangs: boolean;
  stop(): Promise<void>;
}

export const S3_KEY = {
  accessKeyId: "LATCHKEYTEST",
  secretAccessKey: "a-secret-for-the-test-bucket",
} as const;

export function startS3(bucket: string): S3Server {
  const objects: S3Server["objects"] = new Map();
  let headers = new Headers();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      headers = request.headers;
      if (s3.hangs) await new Promise(() => {});
      const content = new Uint8Array(await request.arrayBuffer());
      if (!isSigned(request, content)) return failure(403, "SignatureDoesNotMatch");
      const path = decodeURIComponent(new URL(request.url).pathname);
      if (!path.startsWith(`/${bucket}/`)) return failure(404, "NoSuchBucket");
      const key = path.slice(bucket.length + 2);
      switch (request.method) {
        case "PUT":
          objects.set(key, { content, type: request.headers.get("content-type") });
          return new Response(null, { headers: { etag: '"etag"' } });
        case "GET": {
          const object = objects.get(key);
          return object === undefined ? failure(404, "NoSuchKey") : new Response(object.content);
        }
        case "DELETE":
          objects.delete(key);
          return new Response(null, { status: 204 });
        default:
          return failure(405, "MethodNotAllowed");
      }
    },
  });
  const s3: S3Server = {
    url: server.url.origin,
    objects,
    get headers() {
      return headers;
    },
    hangs: false,
    stop: () => server.stop(true),
  };
  return s3;
}

function failure(status: number, code: string): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}

interface Signed {
  readonly credential: string;
  readonly date: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly contentHash: string;
}

/** In the header, or, where the address is given to somebody who has no key, in the query of that. */
function signatureOf(request: Request): Signed | null {
  const { searchParams } = new URL(request.url);
  if (searchParams.has("X-Amz-Signature")) {
    const given = (name: string) => searchParams.get(`X-Amz-${name}`) ?? "";
    return {
      credential: given("Credential"),
      date: given("Date"),
      signedHeaders: given("SignedHeaders"),
      signature: given("Signature"),
      contentHash: "UNSIGNED-PAYLOAD",
    };
  }
  const given =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.get("authorization") ?? "",
    );
  const [, credential = "", signedHeaders = "", signature = ""] = given ?? [];
  if (given === null) return null;
  return {
    credential,
    date: request.headers.get("x-amz-date") ?? "",
    signedHeaders,
    signature,
    contentHash: request.headers.get("x-amz-content-sha256") ?? "",
  };
}

/**
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
function isSigned(request: Request, content: Uint8Array): boolean {
  const signed = signatureOf(request);
  if (signed === null) return false;
  const { signedHeaders, contentHash, date } = signed;
  const [keyId, day = "", region = ""] = signed.credential.split("/");
  if (keyId !== S3_KEY.accessKeyId) return false;
  if (contentHash !== "UNSIGNED-PAYLOAD" && contentHash !== sha256(content)) return false;
  const url = new URL(request.url);
  const query = url.search
    .slice(1)
    .split("&")
    .filter((pair) => !pair.startsWith("X-Amz-Signature="));
  const headers = signedHeaders
    .split(";")
    .map((name) => `${name}:${(request.headers.get(name) ?? "").trim()}\n`);
  const canonical = [
    request.method,
    url.pathname,
    query.toSorted().join("&"),
    headers.join(""),
    signedHeaders,
    contentHash,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<string | Buffer>(
    (previous, part) => createHmac("sha256", previous).update(part).digest(),
    `AWS4${S3_KEY.secretAccessKey}`,
  );
  return createHmac("sha256", key).update(toSign).digest("hex") === signed.signature;
}

function sha256(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}
