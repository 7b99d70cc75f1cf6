import type { Reply } from "./reply.ts";

const PREFLIGHT_SECONDS = 600;

export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

/** A preflight asks what a page may send; it carries no credentials, and needs none. */
export function preflightReply(request: Request): Reply {
  const headers = request.headers.get("access-control-request-headers");
  return {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      "access-control-max-age": String(PREFLIGHT_SECONDS),
      ...(headers === null ? {} : { "access-control-allow-headers": headers }),
    },
  };
}

/** What lets a page of a listed origin, and of no other, read the answer. */
export function corsHeaders(
  request: Request,
  origins: readonly string[],
): Record<string, string> | undefined {
  if (origins.length === 0) return undefined;
  const origin = request.headers.get("origin");
  if (origin === null || !origins.includes(origin)) return { vary: "Origin" };
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "X-Request-ID, Retry-After, ETag, Link, Location, Idempotency-Replayed",
  };
}
