import { createHash } from "node:crypto";
import { isSigned, S3_KEY } from "./s3-signature.ts";

export { S3_KEY } from "./s3-signature.ts";

/**
 * A bucket on the loopback address that speaks as much of S3 as files and backups need, and believes nobody: every
 * request is checked against AWS Signature Version 4 as its specification has it. (Of what npm offers, `s3rver` takes
 * a wrong secret for a right one, and brings a hundred packages unmaintained since 2021.)
 */
export interface S3Server {
  readonly url: string;
  /** For a program that is to use it. */
  readonly settings: Readonly<Record<string, string>>;
  readonly objects: Map<string, StoredObject>;
  /** When each object was stored; what has no time here was stored just now. */
  readonly storedAtMs: Map<string, number>;
  /** Uploads in parts that are neither completed nor given up. */
  readonly uploads: ReadonlyMap<string, ReadonlyMap<number, Content>>;
  /** What it was asked, as `PUT key`, or `PUT key?partNumber`. */
  readonly asked: readonly string[];
  /** Of the latest request that it was asked. */
  readonly headers: Headers;
  /** While true it takes requests and answers none; or those alone that `asked` would hold. */
  hangs: boolean | RegExp;
  /** What is asked so is refused. */
  refuses: RegExp | null;
  /** How many keys a page of a list holds. */
  pageKeys: number;
  /** While true the ETag is no hash of the content, as in a bucket that encrypts with a key of its owner's. */
  encrypts: boolean;
  /** While true what is stored is not what came. */
  damages: boolean;
  stop(): Promise<void>;
}

type Content = Uint8Array<ArrayBuffer>;

export interface StoredObject {
  readonly content: Content;
  readonly type: string | null;
}

/** What Amazon's takes for a part that is not the last. */
const LEAST_PART_BYTES = 5 * 1024 * 1024;

export function startS3(bucket: string): S3Server {
  const objects: S3Server["objects"] = new Map();
  const storedAtMs: S3Server["storedAtMs"] = new Map();
  const etags = new Map<string, string>();
  const uploads = new Map<string, Map<number, Content>>();
  const asked: string[] = [];
  let headers = new Headers();

  const keep = (key: string, stored: StoredObject, etag: string) => {
    const content = new Uint8Array(stored.content);
    if (s3.damages) content.fill(0xff, content.byteLength >> 1, (content.byteLength >> 1) + 1);
    objects.set(key, { ...stored, content });
    storedAtMs.set(key, Date.now());
    etags.set(key, s3.encrypts ? crypto.randomUUID() : s3.damages ? md5(content) : etag);
  };

  const put = (key: string, request: Request, query: URLSearchParams, content: Content) => {
    const upload = query.get("uploadId");
    if (upload !== null) {
      const parts = uploads.get(upload);
      if (parts === undefined) return failure(404, "NoSuchUpload");
      parts.set(Number(query.get("partNumber")), content);
    } else keep(key, { content, type: request.headers.get("content-type") }, md5(content));
    return new Response(null, { headers: { etag: `"${md5(content)}"` } });
  };

  const complete = (key: string, upload: string, wanted: string) => {
    const parts = uploads.get(upload);
    if (parts === undefined) return failure(404, "NoSuchUpload");
    const named = [...wanted.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>"?([^"<]+)"?<\/ETag>/g)];
    const contents = named.map(([, number, etag]) => {
      const part = parts.get(Number(number));
      return part !== undefined && md5(part) === etag ? part : null;
    });
    const whole = contents.filter((part) => part !== null);
    if (whole.length === 0 || whole.length < contents.length) return failure(400, "InvalidPart");
    if (whole.slice(0, -1).some(({ byteLength }) => byteLength < LEAST_PART_BYTES))
      return failure(400, "EntityTooSmall");
    uploads.delete(upload);
    const etag = `${md5(Buffer.concat(whole.map((part) => Buffer.from(md5(part), "hex"))))}-${whole.length}`;
    keep(key, { content: new Uint8Array(Buffer.concat(whole)), type: null }, etag);
    return xml(`<CompleteMultipartUploadResult><ETag>"${etag}"</ETag></CompleteMultipartUploadResult>`);
  };

  const post = (key: string, query: URLSearchParams, content: Content) => {
    const upload = query.get("uploadId");
    if (upload !== null) return complete(key, upload, new TextDecoder().decode(content));
    const id = crypto.randomUUID();
    uploads.set(id, new Map());
    const names = `<Bucket>${bucket}</Bucket><Key>${key}</Key>`;
    return xml(
      `<InitiateMultipartUploadResult>${names}<UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
    );
  };

  const get = (key: string, { method, headers }: Request) => {
    const object = objects.get(key);
    if (object === undefined) return failure(404, "NoSuchKey");
    const about = {
      etag: `"${etags.get(key) ?? md5(object.content)}"`,
      "content-length": String(object.content.byteLength),
      "last-modified": new Date().toUTCString(),
    };
    if (method === "HEAD") return new Response(null, { headers: about });
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "");
    if (range === null) return new Response(object.content, { headers: about });
    const [from = 0, to = 0] = range.slice(1).map(Number);
    const part = object.content.slice(from, to + 1);
    const where = { "content-range": `bytes ${from}-${to}/${object.content.byteLength}` };
    const length = { "content-length": String(part.byteLength) };
    return new Response(part, { status: 206, headers: { ...about, ...where, ...length } });
  };

  const remove = (key: string, query: URLSearchParams) => {
    const upload = query.get("uploadId");
    if (upload === null) objects.delete(key);
    else uploads.delete(upload);
    return new Response(null, { status: 204 });
  };

  /** Version 2, by pages. */
  const list = (query: URLSearchParams) => {
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter");
    const isDeeper = (key: string) => delimiter !== null && key.slice(prefix.length).includes(delimiter);
    const after = query.get("continuation-token") ?? "";
    const keys = [...objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after && !isDeeper(key))
      .toSorted();
    const page = keys.slice(0, s3.pageKeys);
    const isTruncated = page.length < keys.length;
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    const contents = page.map((key) => {
      const size = objects.get(key)?.content.byteLength;
      const about = `<Size>${size}</Size><ETag>"${etags.get(key)}"</ETag>`;
      const modified = new Date(storedAtMs.get(key) ?? Date.now()).toISOString();
      return `<Contents><Key>${key}</Key><LastModified>${modified}</LastModified>${about}</Contents>`;
    });
    return xml(
      `<ListBucketResult><Name>${bucket}</Name><Prefix>${prefix}</Prefix><KeyCount>${page.length}</KeyCount>` +
        `<IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
    );
  };

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      headers = request.headers;
      const { pathname, searchParams: query } = new URL(request.url);
      const path = decodeURIComponent(pathname);
      const [, named = "", key = ""] = /^\/([^/]+)\/?(.*)$/.exec(path) ?? [];
      const what = ["uploads", "partNumber", "uploadId"].find((name) => query.has(name));
      const question = `${request.method} ${key}${what === undefined ? "" : `?${what}`}`;
      asked.push(question);
      if (s3.hangs === true || (s3.hangs instanceof RegExp && s3.hangs.test(question)))
        await new Promise(() => {});
      const content = new Uint8Array(await request.arrayBuffer());
      if (!isSigned(request, content)) return failure(403, "SignatureDoesNotMatch");
      if (named !== bucket) return failure(404, "NoSuchBucket");
      if (s3.refuses?.test(question) === true) return failure(403, "AccessDenied");
      if (key === "") return request.method === "GET" ? list(query) : failure(405, "MethodNotAllowed");
      switch (request.method) {
        case "PUT":
          return put(key, request, query, content);
        case "POST":
          return post(key, query, content);
        case "HEAD":
        case "GET":
          return get(key, request);
        case "DELETE":
          return remove(key, query);
        default:
          return failure(405, "MethodNotAllowed");
      }
    },
  });
  const s3: S3Server = {
    url: server.url.origin,
    settings: {
      S3_ENDPOINT: server.url.origin,
      S3_ACCESS_KEY_ID: S3_KEY.accessKeyId,
      S3_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey,
    },
    objects,
    storedAtMs,
    uploads,
    asked,
    get headers() {
      return headers;
    },
    hangs: false,
    refuses: null,
    pageKeys: 1_000,
    encrypts: false,
    damages: false,
    stop: () => server.stop(true),
  };
  return s3;
}

function failure(status: number, code: string): Response {
  return xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`, status);
}

function xml(body: string, status = 200): Response {
  const text = `<?xml version="1.0" encoding="UTF-8"?>${body}`;
  return new Response(text, { status, headers: { "content-type": "application/xml" } });
}

function md5(content: Uint8Array): string {
  return createHash("md5").update(content).digest("hex");
}
