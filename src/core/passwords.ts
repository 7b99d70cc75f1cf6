import { randomBytes } from "node:crypto";
import { BoundedQueue, type JobWatch, type QueueLimits } from "./bounded-queue.ts";
import { systemClock, type Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Log } from "./log.ts";
import { readStoredHash, type StoredHash } from "./stored-hash.ts";

export const PASSWORD_MAX_BYTES = 1_024;
/**
 * Looked at before anything is normalised, because that takes time in the square of the length: 3 s for 40,000
 * accents. NFC makes at best one byte of 1.5 UTF-16 units, so that nothing longer than this could still fit.
 */
const MAX_UNITS = 1.5 * PASSWORD_MAX_BYTES;

/** What a password must be where it is set; lengths count code points. */
export interface PasswordRule {
  readonly min: number;
  readonly max?: number;
  readonly only?: { readonly pattern: RegExp; readonly named: string };
}

export const ALPHANUMERIC_8_TO_30: PasswordRule = {
  min: 8,
  max: 30,
  only: { pattern: /^[A-Za-z0-9]+$/, named: "alphanumeric characters" },
};
export const AT_LEAST_6: PasswordRule = { min: 6 };
export const AT_LEAST_8: PasswordRule = { min: 8 };

/** The rule with the operator's own floor (`PASSWORD_MIN_LENGTH`), which only ever makes it stricter. */
export function raised(rule: PasswordRule, floor: number): PasswordRule {
  return { ...rule, min: Math.max(rule.min, floor) };
}

/** What is wrong with a new password, in words for the one who chose it; null where it will do. */
export function passwordProblem(rule: PasswordRule, password: string): string | null {
  const unreadable = passwordTextProblem(password);
  if (unreadable !== null) return unreadable;
  const normalised = normalisePassword(password);
  const length = [...normalised].length;
  const fits =
    length >= rule.min &&
    length <= (rule.max ?? Infinity) &&
    (rule.only === undefined || rule.only.pattern.test(normalised));
  return fits ? null : describePassword(rule);
}

/** The rule in words. */
export function describePassword({ min, max, only }: PasswordRule): string {
  const length = max === undefined ? `at least ${min} characters` : `between ${min} and ${max} characters`;
  return `Password must be ${length}${only === undefined ? " long" : ` and contain only ${only.named}`}`;
}

/** What holds for every password on every route, at login too: it is text, and not too much of it. */
export function passwordTextProblem(password: string): string | null {
  if (!password.isWellFormed()) return "Password must be valid Unicode text";
  if (password.length > MAX_UNITS || Buffer.byteLength(normalisePassword(password)) > PASSWORD_MAX_BYTES) {
    return `Password must be at most ${PASSWORD_MAX_BYTES} bytes long`;
  }
  return null;
}

/** One form for the spellings of one text: keyboards differ in how they compose an accent. */
export function normalisePassword(password: string): string {
  return password.normalize("NFC");
}

export interface Verification {
  readonly ok: boolean;
  /** The password is right, and its stored hash should be replaced by a current one. */
  readonly rehash: boolean;
}

export interface Hasher {
  /** Fails with `Fault invalid` where `passwordTextProblem` would, and with `Fault overloaded`. */
  hash(password: string): Promise<string>;
  /**
   * Takes as long for an account that does not exist (null) as for one that does.
   * Fails with `Fault overloaded`, and with nothing else: a hash that nobody can read is a wrong password.
   */
  verify(password: string, storedHash: string | null): Promise<Verification>;
  /** Fails with `Fault overloaded` where the two above would just now. */
  refuseIfFull(): void;
  running(): number;
  queued(): number;
}

/** How much a hash costs whoever guesses, and whoever serves. */
export interface HashCost {
  readonly memoryKib: number;
  readonly passes: number;
}

/** OWASP's first choice for argon2id. */
export const HASH_COST: HashCost = { memoryKib: 19_456, passes: 2 };

export interface HasherOptions extends QueueLimits {
  readonly cost?: HashCost | undefined;
  readonly log: Log;
  readonly clock?: Clock;
  readonly watch?: JobWatch;
}

const BCRYPT_MAX_BYTES = 72;
const WRONG: Verification = { ok: false, rehash: false };

/**
 * Hashes on Bun's thread pool, never on the event loop, and only so many at once: each takes 19 MiB, and the
 * pool serves files and name look-ups too.
 */
export function createHasher(options: HasherOptions): Hasher {
  const { log, clock = systemClock, watch, cost = HASH_COST, ...limits } = options;
  const queue = new BoundedQueue(limits, clock, watch);
  const nobodysHash = unknownPasswordHash(cost);
  const parameters = { algorithm: "argon2id", memoryCost: cost.memoryKib, timeCost: cost.passes } as const;

  async function judge(password: string, storedHash: string | null): Promise<Verification> {
    const stored = storedHash === null ? null : readStoredHash(storedHash);
    if (storedHash !== null && stored === null) log.error("password.stored_hash_malformed");
    if (stored === null || !canMatch(password, stored)) {
      await Bun.password.verify("nobody's password", nobodysHash);
      return WRONG;
    }
    const foreign = !isCurrent(stored, cost);
    for (const candidate of candidates(password, stored, foreign)) {
      if (await matches(candidate, stored.text, log)) return { ok: true, rehash: foreign };
    }
    return WRONG;
  }

  return {
    async hash(password) {
      const problem = passwordTextProblem(password);
      if (problem !== null) throw Fault.invalid("body", "password", problem);
      return queue.run(() => Bun.password.hash(normalisePassword(password), parameters));
    },
    verify: (password, storedHash) => queue.run(() => judge(password, storedHash)),
    refuseIfFull: () => queue.refuseIfFull(),
    running: () => queue.running,
    queued: () => queue.queued,
  };
}

/** A hash that costs what a real one costs and that no password is known for; making it takes no hashing. */
export function unknownPasswordHash({ memoryKib, passes }: HashCost = HASH_COST): string {
  const random = (): string => randomBytes(32).toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=1$${random()}$${random()}`;
}

function isCurrent(stored: StoredHash, { memoryKib, passes }: HashCost): boolean {
  return stored.scheme === "argon2id" && stored.memoryKib >= memoryKib && stored.passes >= passes;
}

/**
 * bcrypt begins the password anew behind a NUL, so that `a\0a` would pass for `a`; the systems whose hashes come
 * along refuse it.
 */
function canMatch(password: string, stored: StoredHash): boolean {
  if (passwordTextProblem(password) !== null) return false;
  return stored.scheme !== "bcrypt" || !password.includes("\0");
}

/**
 * Systems whose hashes come along did not normalise, so that one of theirs may hold the password as it was typed.
 * A password in NFC, as nearly all are, has one candidate.
 */
function candidates(password: string, stored: StoredHash, foreign: boolean): readonly (string | Buffer)[] {
  const normalised = normalisePassword(password);
  const texts = foreign && password !== normalised ? [normalised, password] : [normalised];
  return stored.scheme === "bcrypt" ? texts.map(asBcryptSeesIt) : texts;
}

/** Those systems cut after 72 bytes, while Bun would hash a longer password before it gives it to bcrypt. */
function asBcryptSeesIt(text: string): Buffer {
  return Buffer.from(text).subarray(0, BCRYPT_MAX_BYTES);
}

async function matches(candidate: string | Buffer, storedHash: string, log: Log): Promise<boolean> {
  try {
    return await Bun.password.verify(candidate, storedHash);
  } catch (error) {
    if (!isUnreadableHash(error)) throw error;
    log.error("password.stored_hash_malformed", {}, error);
    return false;
  }
}

const UNREADABLE_HASH = new Set<unknown>([
  "PASSWORD_INVALID_ENCODING",
  "PASSWORD_UNSUPPORTED_ALGORITHM",
  "PASSWORD_WEAK_PARAMETERS",
]);

function isUnreadableHash(error: unknown): boolean {
  return error instanceof Error && "code" in error && UNREADABLE_HASH.has(error.code);
}
