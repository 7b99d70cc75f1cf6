import { createHash, timingSafeEqual } from "node:crypto";

/** In a time that tells nothing about how much of it is right: hashes have one length, and cannot be steered. */
export function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
