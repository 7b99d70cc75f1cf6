import type { FileStore, StoredFile } from "../core/avatars.ts";
import { SECOND_MS } from "../core/clock.ts";
import { within } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import { pagesOf, s3Client } from "./s3-client.ts";
import type { S3Options } from "./s3-client.ts";

/** Sends a request to another program; whoever follows requests names this one's trace in the headers. */
export type Outgoing = (
  method: string,
  server: URL,
  send: (headers: Readonly<Record<string, string>>) => Promise<Response>,
) => Promise<Response>;

type Method = "GET" | "PUT" | "DELETE";

const TIMEOUT_MS = 10 * SECOND_MS;
const SIGNED_FOR_SECONDS = 60;
const unfollowed: Outgoing = (_method, _server, send) => send({});

/**
 * Files in a bucket of S3, or of whatever speaks as S3 does. Bun's client signs what is asked; it would send no header
 * of ours, and wait for an answer for as long as the server lets it.
 */
export function s3Files(
  options: S3Options & { readonly timeoutMs?: number },
  outgoing: Outgoing = unfollowed,
): FileStore {
  const { prefix, timeoutMs = TIMEOUT_MS } = options;
  const client = s3Client(options);

  async function ask<T>(
    method: Method,
    name: string,
    read: (answer: Response) => Promise<T>,
    content?: { readonly body: Uint8Array<ArrayBuffer>; readonly type: string },
  ): Promise<T> {
    const url = client.presign(prefix + name, { method, expiresIn: SIGNED_FOR_SECONDS });
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await outgoing(method, new URL(new URL(url).origin), (headers) =>
        content === undefined
          ? fetch(url, { method, headers, signal })
          : fetch(url, {
              method,
              headers: { ...headers, "content-type": content.type },
              body: content.body,
              signal,
            }),
      );
      return await read(answer);
    } catch (error) {
      throw Fault.of({ kind: "unavailable" }, error);
    }
  }

  /** Not deeper than the prefix. No address can be signed for this, so that the client asks it itself. */
  async function page(from: { readonly continuationToken?: string }): Promise<Bun.S3ListObjectsResponse> {
    try {
      const listing = client.list({ prefix, delimiter: "/", ...from });
      return await within(listing, timeoutMs, "listing the bucket");
    } catch (error) {
      throw Fault.of({ kind: "unavailable" }, error);
    }
  }

  return {
    put: (name, content, type) =>
      ask("PUT", name, (answer) => requireDone(answer), { body: new Uint8Array(content), type }),
    get: (name) => ask("GET", name, contentOf),
    delete: (name) => ask("DELETE", name, (answer) => requireDone(answer, NOT_THERE)),

    async *list() {
      for await (const contents of pagesOf(page)) {
        yield contents.flatMap(({ key, lastModified }) => storedFile(key.slice(prefix.length), lastModified));
      }
    },
  };
}

/** A bucket must say how old a file is: of one that does not, nobody could tell whether it is still being put. */
function storedFile(name: string, lastModified: string | undefined): readonly StoredFile[] {
  const storedAtMs = Date.parse(lastModified ?? "");
  return Number.isNaN(storedAtMs) ? [] : [{ name, putAs: name, storedAtMs }];
}

const NOT_THERE = "NoSuchKey";

async function requireDone(answer: Response, forgiven?: string): Promise<void> {
  if (answer.ok) return;
  const code = await codeOf(answer);
  if (code !== forgiven) throw new Error(`S3 answered ${answer.status} ${code}`);
}

/** The whole of it: an avatar is small, and an answer that has begun can no longer become a 503. */
async function contentOf(answer: Response): Promise<Blob | null> {
  if (answer.ok) return new Blob([await answer.arrayBuffer()]);
  await requireDone(answer, NOT_THERE);
  return null;
}

/** S3's own word for what went wrong. */
async function codeOf(answer: Response): Promise<string> {
  return /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1] ?? "without a reason";
}
