import { Fault } from "../core/fault.ts";

/** What a host and its port are written with. Of two Host headers Bun hands on both, with a comma between them. */
const HOST = /^[\w.:%~[\]-]*$/;

/** A request has one host, and a valid one: else two programs on its way may see two different requests. */
export function requireSoundHost(request: Request): void {
  const host = request.headers.get("host");
  if (host !== null && !HOST.test(host))
    throw Fault.of({ kind: "malformed", reason: "The Host header is not valid" });
}

/**
 * Where a request names no host that fits into a URL, Bun gives its path alone for one, and the router, which looks
 * for the path behind the host, takes it to begin too late: `/xxxxxx/admin` reaches `/admin`.
 */
export function withWholeUrl(request: Request): Request {
  return request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request;
}
