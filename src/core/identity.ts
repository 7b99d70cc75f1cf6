import { domainToASCII, domainToUnicode } from "node:url";

/**
 * The one form of an e-mail address: what is stored, compared and shown. Two spellings that a person would call
 * the same address (another case, another Unicode form of a letter, another of the domain) are the same text afterwards.
 */
export function normalEmail(email: string): string {
  // A capital sigma has two small forms, by whether it ends its word, and a dot would not end one.
  const lower = email.trim().normalize("NFC").split(".").map(lowered).join(".");
  const domainStart = lower.lastIndexOf("@") + 1;
  if (domainStart === 0) return lower;
  // Where a name before it ends nobody can say; a domain with the one form is another than with the other.
  return lower.slice(0, domainStart).replaceAll("ς", "σ") + normalDomain(lower.slice(domainStart));
}

function lowered(text: string): string {
  return text.toLowerCase().normalize("NFC");
}

/**
 * Only letters, digits, dots and hyphens may reach the functions for domains: they forgive what an address may not
 * hold (`%41`, a port, a path).
 */
const DOMAIN_TEXT = /^[\p{L}\p{N}\p{M}.-]+$/u;
const SPELLED_IN_ONE_WAY = /^(?!.*xn--)[a-z0-9.-]*$/;

/** As it is read: in full width and as `xn--…` it would be another text for the same domain (UTS 46). */
function normalDomain(domain: string): string {
  if (SPELLED_IN_ONE_WAY.test(domain) || !DOMAIN_TEXT.test(domain)) return domain;
  const readable = domainToUnicode(domainToASCII(domain));
  return readable === "" ? domain : readable;
}

const EMAIL_MAX_CHARACTERS = 254;
const LOCAL_PART_MAX_CHARACTERS = 64;
const LOCAL_PART = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const ASCII_DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$/;

/**
 * Longer texts are no name of anybody's. They are never normalised either: combining marks make that take time
 * that grows with the square of the length, on the event loop.
 */
const NAME_MAX_UNITS = 512;

/** Whether a text is short enough to be looked at as an e-mail address or a username. */
export function couldBeName(text: string): boolean {
  return text.length <= NAME_MAX_UNITS;
}

/** What is wrong with an e-mail address, once it is in its normal form; null where nothing is. */
export function emailProblem(email: string): string | null {
  const problem = "value is not a valid email address";
  if (!couldBeName(email)) return problem;
  const normal = normalEmail(email);
  const at = normal.lastIndexOf("@");
  if (at < 1 || normal.length > EMAIL_MAX_CHARACTERS || at > LOCAL_PART_MAX_CHARACTERS) return problem;
  if (!LOCAL_PART.test(normal.slice(0, at))) return problem;
  const domain = normal.slice(at + 1);
  if (!DOMAIN_TEXT.test(domain)) return problem;
  // What is made of other scripts must be a domain again.
  return ASCII_DOMAIN.test(domainToASCII(domain)) ? null : problem;
}

export const FULL_NAME_MAX_CHARACTERS = 255;

export function fullNameProblem(name: string): string | null {
  const { length } = [...name.trim()];
  const isOne = length > 0 && length <= FULL_NAME_MAX_CHARACTERS;
  return isOne ? null : `must be 1 to ${FULL_NAME_MAX_CHARACTERS} characters`;
}

const USERNAME = /^[A-Za-z0-9._-]{3,50}$/;

/** Usernames hold no `@`, so that none can ever pass for an e-mail address. */
export function usernameProblem(username: string): string | null {
  return USERNAME.test(username)
    ? null
    : "must be 3 to 50 characters: letters, digits, dots, hyphens and underscores";
}

/** What makes two usernames the same one. */
export function usernameKey(username: string): string {
  return username.toLowerCase();
}

/** Seven digits are the shortest number that can be called from abroad, fifteen the longest. */
const E164 = /^\+[1-9][0-9]{6,14}$/;
const PHONE_MAX_UNITS = 64;
const BETWEEN_DIGITS = /[\s.()[\]\p{Pd}]/gu;
/** Whole or not, as people write one. */
const PART_OF_PHONE = /^\+[\s.()[\]\p{Pd}]*\d[\d\s.()[\]\p{Pd}]*$/u;

/** A phone number in E.164, of whatever people write between its digits; null where it is none. */
export function normalPhone(phone: string): string | null {
  if (phone.length > PHONE_MAX_UNITS) return null;
  const normal = phone.replace(BETWEEN_DIGITS, "");
  return E164.test(normal) ? normal : null;
}

/** What a search of accounts looks for; null where it says nothing. A phone number is kept without what stands between. */
export function soughtText(search: string): string | null {
  const text = search.trim();
  if (text === "") return null;
  return PART_OF_PHONE.test(text) ? text.replace(BETWEEN_DIGITS, "") : text;
}
