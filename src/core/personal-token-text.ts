import type { Realm } from "./accounts.ts";

/**
 * The text of a personal access token: `lk_`, the realm's letter, `_`, 32 random bytes as 43 digits of base 62, and
 * a checksum of 6: the CRC-32 (as zip has it) of all that stands before it, in base 62 too.
 *
 * The checksum is no secret and proves nothing about who made the token. It lets a typing mistake be refused before
 * anything is looked up, and a scanner tell a leaked token from a word that only looks like one.
 */
const SHAPE = /^lk_[ua]_[0-9A-Za-z]{49}$/;
const LETTER: Readonly<Record<Realm, string>> = { user: "u", admin: "a" };

const RANDOM_BYTES = 32;
/** As many digits as the largest number of 32 bytes has; smaller ones begin with zeros. */
const RANDOM_DIGITS = 43;
const CHECKSUM_DIGITS = 6;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `lk_u_` and 8 of the 43 random digits: enough for their owner to tell tokens apart, and nothing to guess from. */
export const PREFIX_CHARACTERS = 13;

export function newPersonalToken(realm: Realm, randomBytes: (count: number) => Uint8Array): string {
  const random = BigInt(`0x${Buffer.from(randomBytes(RANDOM_BYTES)).toString("hex")}`);
  const body = `lk_${LETTER[realm]}_${base62(random, RANDOM_DIGITS)}`;
  return body + checksum(body);
}

/** Whether the text claims to be a personal token rather than a JWT, which begins with an encoded `{`. */
export function looksPersonal(token: string): boolean {
  return token.startsWith("lk_");
}

/** Why the text cannot be a token of the realm; null where only a look-up can tell. */
export function personalTokenProblem(token: string, realm: Realm): string | null {
  if (!SHAPE.test(token)) return "malformed";
  if (checksum(token.slice(0, -CHECKSUM_DIGITS)) !== token.slice(-CHECKSUM_DIGITS)) return "bad_checksum";
  return token.startsWith(`lk_${LETTER[realm]}_`) ? null : "wrong_realm";
}

/** 32 random bytes cannot be guessed, so one round of SHA-256 will do, and its hash can be looked up. */
export function personalTokenHash(token: string): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(token).digest();
}

function checksum(body: string): string {
  return base62(BigInt(Bun.hash.crc32(body)), CHECKSUM_DIGITS);
}

function base62(value: bigint, digits: number): string {
  let text = "";
  for (let rest = value; text.length < digits; rest /= 62n) text = DIGITS.charAt(Number(rest % 62n)) + text;
  return text;
}
