import { createHash } from "node:crypto";
import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";

/** An answer that is the same for everybody: caches may keep it, and ask by its tag whether it has changed. */
export function cached(exchange: Exchange, body: unknown, maxAgeSeconds: number): Reply {
  const tag = `"${createHash("sha256").update(JSON.stringify(body)).digest("base64url").slice(0, 22)}"`;
  const headers = { "cache-control": `public, max-age=${maxAgeSeconds}`, etag: tag };
  const isKnown = knownTags(exchange).some((known) => known === "*" || known === tag);
  return isKnown ? { status: 304, headers } : { status: 200, body, headers };
}

function knownTags(exchange: Exchange): readonly string[] {
  const given = exchange.header("if-none-match") ?? "";
  return given.split(",").map((each) => each.trim().replace(/^W\//, ""));
}
