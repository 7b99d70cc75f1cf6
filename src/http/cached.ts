import { createHash } from "node:crypto";
import { isKnown } from "./etag.ts";
import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";

/** An answer that is the same for everybody: caches may keep it, and ask by its tag whether it has changed. */
export function cached(exchange: Exchange, body: unknown, maxAgeSeconds: number): Reply {
  const tag = `"${createHash("sha256").update(JSON.stringify(body)).digest("base64url").slice(0, 22)}"`;
  const headers = { "cache-control": `public, max-age=${maxAgeSeconds}`, etag: tag };
  return isKnown(exchange.request, tag) ? { status: 304, headers } : { status: 200, body, headers };
}
