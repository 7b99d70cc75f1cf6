import type { FileStore } from "../core/avatars.ts";
import { SECOND_MS } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";

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
  readonly timeoutMs?: number;
}

/** Bun's client waits for an answer for as long as the server lets it. */
const TIMEOUT_MS = 10 * SECOND_MS;

/** Files in a bucket of S3, or of whatever speaks as S3 does. */
export function s3Files(options: S3Options): FileStore {
  const { prefix, timeoutMs = TIMEOUT_MS } = options;
  const client = new Bun.S3Client(clientOptions(options));
  const answered = <T>(work: Promise<T>) => inTime(work, timeoutMs);

  return {
    async put(name, content, type) {
      await answered(client.write(prefix + name, content, { type }));
    },

    async get(name) {
      try {
        // The whole of it: an avatar is small, and an answer that has begun can no longer become a 503.
        return new Blob([await answered(client.file(prefix + name).arrayBuffer())]);
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },

    async delete(name) {
      await answered(client.delete(prefix + name));
    },
  };
}

function clientOptions(options: S3Options): Bun.S3Options {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey, sessionToken } = options;
  return {
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    ...(endpoint === null ? {} : { endpoint }),
    ...(sessionToken === null ? {} : { sessionToken }),
  };
}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`S3 did not answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([work, late.promise]);
  } catch (error) {
    throw Fault.of({ kind: "unavailable" }, error);
  } finally {
    clearTimeout(timer);
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Fault &&
    error.cause instanceof Error &&
    "code" in error.cause &&
    error.cause.code === "NoSuchKey"
  );
}
