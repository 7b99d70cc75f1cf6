import { ipv6Groups, isIpv4, withoutZone } from "./ip-address.ts";

/** One spelling for each address: IPv6 in eight groups, an IPv4 address within IPv6 as itself. Null if it is none. */
export function canonicalAddress(text: string): string | null {
  if (isIpv4(text)) return text;
  const groups = ipv6Groups(withoutZone(text));
  if (groups === null) return null;
  return mappedIpv4(groups) ?? groups.map((group) => group.toString(16)).join(":");
}

/**
 * Whom a limit counts: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address of a /64 has
 * all of them. Whatever cannot be read is one client, so that spelling an address badly escapes no limit.
 */
export function clientKey(address: string): string {
  const canonical = canonicalAddress(address);
  if (canonical === null) return "unknown";
  return canonical.includes(":") ? `${canonical.split(":").slice(0, 4).join(":")}::/64` : canonical;
}

/**
 * The client's address as the outermost trusted proxy saw it: each proxy appends whom it spoke to, so with `n` of
 * them it is the n-th entry of `X-Forwarded-For` from the right. Entries left of it are the client's own words.
 * Falls back on the socket's address where there are too few, or where one of those n cannot be read.
 */
export function trustedAddress(
  socketAddress: string,
  forwardedFor: string | null,
  trustedProxies: number,
): string {
  const socket = canonicalAddress(socketAddress) ?? socketAddress;
  if (trustedProxies < 1 || forwardedFor === null) return socket;
  const entries = forwardedFor.split(",");
  if (entries.length < trustedProxies) return socket;
  const trusted = entries.slice(-trustedProxies).map((entry) => canonicalAddress(withoutPort(entry.trim())));
  return trusted.includes(null) ? socket : (trusted[0] ?? socket);
}

/** Some proxies write the port too: `1.2.3.4:5678` or `[2001:db8::1]:5678`. */
function withoutPort(entry: string): string {
  return /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ?? entry;
}

function mappedIpv4(groups: readonly number[]): string | null {
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  if ([a, b, c, d, e].some((group) => group !== 0) || f !== 0xffff) return null;
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
