/** How the refresh cookie is set; the one that deletes it has the same name, path and domain. */
export interface CookiePolicy {
  readonly secure: boolean;
  readonly sameSite: "lax" | "strict" | "none";
  readonly domain: string | null;
}

/**
 * What sets it, a line for each `Set-Cookie`. One from before there was a domain is another cookie of the same name, which
 * a browser would send beside it: it goes.
 */
export function setCookie(
  name: string,
  value: string,
  maxAgeSeconds: number,
  policy: CookiePolicy,
): readonly string[] {
  const set = line(name, value, maxAgeSeconds, policy);
  return policy.domain === null ? [set] : [line(name, "", 0, { ...policy, domain: null }), set];
}

export function clearCookie(name: string, policy: CookiePolicy): readonly string[] {
  return setCookie(name, "", 0, policy);
}

function line(name: string, value: string, maxAgeSeconds: number, policy: CookiePolicy): string {
  const attributes = [
    `${name}=${value}`,
    "HttpOnly",
    `Max-Age=${maxAgeSeconds}`,
    "Path=/",
    `SameSite=${policy.sameSite}`,
    ...(policy.secure ? ["Secure"] : []),
    ...(policy.domain === null ? [] : [`Domain=${policy.domain}`]),
  ];
  return attributes.join("; ");
}
