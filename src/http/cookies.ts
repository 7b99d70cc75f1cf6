/** How the refresh cookie is set; the one that deletes it has the same name, path and domain. */
export interface CookiePolicy {
  readonly secure: boolean;
  readonly sameSite: "lax" | "strict" | "none";
  readonly domain: string | null;
}

export function setCookie(name: string, value: string, maxAgeSeconds: number, policy: CookiePolicy): string {
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

export function clearCookie(name: string, policy: CookiePolicy): string {
  return setCookie(name, "", 0, policy);
}
