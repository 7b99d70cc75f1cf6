import { Fault } from "../core/fault.ts";

/** What a host and its port are written with. Of two Host headers Bun hands on both, with a comma between them. */
const HOST = /^[\w.:%~[\]-]*$/;

/** The last that was found to be one: nearly all requests name the same. */
let lastSound = "localhost";

/** A request has one host, and a valid one: else two programs on its way may see two different requests. */
export function requireSoundHost(request: Request): void {
  const host = request.headers.get("host") ?? "";
  if (host === "" || host === lastSound) return;
  // Some are written like one and are none: `a:99999`, `[::`, `1.2.3.999`. No address could be made of them later.
  if (!HOST.test(host) || !URL.canParse(`http://${host}`))
    throw Fault.of({ kind: "malformed", reason: "The Host header is not valid" });
  lastSound = host;
}

/**
 * Where a request names no host that fits into a URL, Bun gives its path alone for one, and the router, which looks
 * for the path behind the host, takes it to begin too late: `/xxxxxx/admin` reaches `/admin`.
 */
export function withWholeUrl(request: Request): Request {
  return request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request;
}

/** Whether a page of this origin was loaded from this host, whose port may be left out where the scheme has it anyway. */
export function isOriginOf(host: string, origin: string): boolean {
  if (host === "" || !URL.canParse(origin)) return false;
  const page = new URL(origin);
  if (page.protocol !== "http:" && page.protocol !== "https:") return false;
  const asked = `${page.protocol}//${host}`;
  return URL.canParse(asked) && new URL(asked).host === page.host;
}
