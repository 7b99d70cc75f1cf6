/**
 * What an IP address is. `node:net` would tell, but it brings Node's sockets along, for which each start would wait; and
 * the numbers of an address, which are wanted here anyway, it does not tell.
 */
const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = new RegExp(String.raw`^${OCTET}(?:\.${OCTET}){3}$`);
const IPV6_GROUP = /^[\da-f]{1,4}$/i;
const IPV6_GROUPS = 8;

export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** The eight numbers of an IPv6 address without a zone; null if it is none. */
export function ipv6Groups(text: string): readonly number[] | null {
  const [left = "", right, ...more] = text.split("::");
  const before = groupsIn(left, right === undefined);
  const after = groupsIn(right ?? "", true);
  if (before === null || after === null || more.length > 0) return null;
  const missing = IPV6_GROUPS - before.length - after.length;
  if (right === undefined ? missing !== 0 : missing < 1) return null;
  return [...before, ...Array.from({ length: missing }, () => 0), ...after];
}

/** Of one side of the `::`. The address may end with one of IPv4, which is two groups. */
function groupsIn(text: string, isEnd: boolean): readonly number[] | null {
  if (text === "") return [];
  const words = text.split(":");
  const ipv4 = isEnd && isIpv4(words.at(-1) ?? "") ? words.pop() : undefined;
  if (!words.every((word) => IPV6_GROUP.test(word))) return null;
  const groups = words.map((word) => Number.parseInt(word, 16));
  if (ipv4 === undefined) return groups;
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split(".").map(Number);
  return [...groups, a * 256 + b, c * 256 + d];
}

/** `fe80::1%eth0` is an address on one network of this machine alone. */
export function withoutZone(address: string): string {
  const [text = ""] = address.split("%", 1);
  return text;
}

/** A host as it stands in a URL. */
export function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
