import { createHash, createHmac } from "node:crypto";

export const S3_KEY = {
  accessKeyId: "LATCHKEYTEST",
  secretAccessKey: "a-secret-for-the-test-bucket",
} as const;

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
export function isSigned(request: Request, content: Uint8Array): boolean {
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
