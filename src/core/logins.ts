import type { Account, Realm } from "./accounts.ts";
import { logged } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { AuditEntry, AuditEvent } from "./audit.ts";
import type { Clock } from "./clock.ts";
import { MINUTE_MS, SECOND_MS } from "./clock.ts";
import { Fault } from "./fault.ts";
import { couldBeName, normalEmail } from "./identity.ts";
import { KeyedGate } from "./keyed-gate.ts";
import type { Log } from "./log.ts";
import { begin, failed, released, succeeded } from "./lockout.ts";
import type { LockoutPolicy } from "./lockout.ts";
import type { Hasher } from "./passwords.ts";
import type { Store, Writes } from "./store.ts";

/** How often, and for how long, an attempt asks again while others of the same name are being judged elsewhere. */
const BUSY_RETRY_MS = 25;
const BUSY_LIMIT_MS = 10 * SECOND_MS;

/** How many attempts at one account may wait in this process for those before them. */
const WAITING_PER_SUBJECT = 256;

/** A guess at a password: whose it is counted as, and who makes it. `account` is null for a name that nobody has. */
interface Attempt {
  readonly realm: Realm;
  readonly subject: string;
  readonly account: Account | null;
  /** What it is judged by; null where no password is right. */
  readonly storedHash: () => Promise<string | null>;
  readonly by: Actor;
  /** What a wrong password is called in the trail. */
  readonly failure: "login.failed" | "password.confirmation_failed";
}

/**
 * The one way in by password, for every surface, both realms, and the current password of a change: they share
 * the count of failures, and read the same to someone who guesses names.
 *
 * A guess is reserved in the database before it is judged, so that many guesses at once, on many instances, get
 * no more answers than many guesses in a row.
 */
export class Logins {
  readonly #store: Store;
  readonly #hasher: Hasher;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: LockoutPolicy;
  readonly #gate: KeyedGate;

  constructor(parts: { store: Store; hasher: Hasher; clock: Clock; log: Log; policy: LockoutPolicy }) {
    this.#store = parts.store;
    this.#hasher = parts.hasher;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#policy = parts.policy;
    this.#gate = new KeyedGate({ running: parts.policy.maxAttempts, waiting: WAITING_PER_SUBJECT });
  }

  /**
   * Judges a name and a password. `grant` runs in the write that notes the success, so that a session is opened
   * or nothing happened at all.
   *
   * Fails with `login_failed`, `locked`, `deactivated` or `overloaded`.
   */
  async login<T>(
    realm: Realm,
    name: string,
    password: string,
    by: Actor,
    grant: (tx: Writes, account: Account) => Promise<T>,
  ): Promise<T> {
    // In a flood most attempts end here, before they cost a look-up and two writes.
    this.#hasher.refuseIfFull();
    const accounts = this.#store.read.accounts(realm);
    const credentials = couldBeName(name) ? await accounts.credentialsByName(name) : null;
    const account = credentials?.account ?? null;
    const subject = account === null ? unknownSubject(name) : accountSubject(account.id);
    // One read for all names alike: whatever takes longer would tell which exist.
    const storedHash = () => Promise.resolve(credentials?.passwordHash ?? null);
    const attempt: Attempt = { realm, subject, account, storedHash, by, failure: "login.failed" };
    const verified = await this.#judge(attempt, password, async () => async (tx) => {
      // Read again: between the first look and now the account may have been blocked, deleted or changed. And locked:
      // what is granted here must be there for a deletion or a password change that comes at this very moment.
      const current = account === null ? null : await tx.accounts(realm).lock(account.id);
      if (current === null || !isUnchanged(current, account)) {
        this.#record(tx, attempt, "login.failed");
        return { refusal: "login_failed" as const };
      }
      if (!current.isActive) {
        this.#record(tx, attempt, "login.refused", { why: "deactivated" });
        return { refusal: "deactivated" as const };
      }
      this.#record(tx, attempt, "login.succeeded");
      return { granted: await grant(tx, current) };
    });
    if (!("granted" in verified)) {
      this.#log.warning("login.refused", {
        realm,
        account: account?.id,
        why: verified.refusal,
        ...logged(by),
      });
      throw Fault.of({ kind: verified.refusal });
    }
    this.#log.info("login.succeeded", { realm, account: account?.id, ...logged(by) });
    return verified.granted;
  }

  /**
   * Judges the current password of an account that is already signed in. What `prepare` makes once it is right runs in the
   * write that notes the success. Fails with `wrong_current_password`, `locked` or `overloaded`.
   */
  async confirm<T>(
    account: Account,
    password: string,
    by: Actor,
    prepare: () => Promise<(tx: Writes) => Promise<T>>,
  ): Promise<T> {
    this.#hasher.refuseIfFull();
    const { realm } = account;
    const subject = accountSubject(account.id);
    const storedHash = () => this.#store.read.accounts(realm).passwordHash(account.id);
    const failure = "password.confirmation_failed";
    const attempt: Attempt = { realm, subject, account, storedHash, by, failure };
    const verified = await this.#judge(attempt, password, async () => {
      const change = await prepare();
      return async (tx) => {
        const current = await tx.accounts(realm).lock(account.id);
        if (current !== null && isUnchanged(current, account)) return { granted: await change(tx) };
        this.#record(tx, attempt, attempt.failure);
        return { refusal: "login_failed" as const };
      };
    });
    if ("granted" in verified) return verified.granted;
    this.#log.warning("password.confirmation_failed", { realm, account: account.id, ...logged(by) });
    throw Fault.of({ kind: "wrong_current_password" });
  }

  /** Takes the lock and the count of failures off an account. */
  async unlock({ realm, id }: Account, by: Actor): Promise<void> {
    await this.#store.write(async (tx) => {
      await tx.loginAttempts.clear(realm, accountSubject(id));
      const atMs = this.#clock.nowMs();
      tx.audit.record({ event: "account.unlocked", atMs, by, subject: { realm, id } });
    });
    this.#log.info("account.unlocked", { realm, account: id, ...logged(by) });
  }

  /** What `prepare` makes settles it; whatever costs much, as a hash, is for those whose password is right. */
  async #judge<Outcome extends object>(
    attempt: Attempt,
    password: string,
    prepare: () => Promise<(tx: Writes) => Promise<Outcome>>,
  ): Promise<Outcome | { refusal: "login_failed" }> {
    const { realm, subject, account } = attempt;
    return this.#gate.run(subject, async () => {
      await this.#reserve(attempt);
      const { passwordHash, ok, rehash } = await this.#verify(attempt, password);
      if (!ok || account === null || passwordHash === null) {
        await this.#noteFailure(attempt);
        return { refusal: "login_failed" as const };
      }
      const newHash = rehash ? await this.#rehash(attempt, password) : null;
      const settle = await prepare().catch((error: unknown) => this.#takeBack(attempt, error));
      const settling = this.#store.write(async (tx) => {
        const nowMs = this.#clock.nowMs();
        const after = succeeded(await tx.loginAttempts.lock(realm, subject, nowMs), nowMs, this.#policy);
        await tx.loginAttempts.save(realm, subject, after.state);
        if (after.verdict === "locked") {
          this.#record(tx, attempt, "login.refused", { why: "locked" });
          return after;
        }
        if (newHash !== null) await tx.accounts(realm).replaceHash(account.id, passwordHash, newHash);
        return { outcome: await settle(tx) };
      });
      // What the right password was for failed (a name is taken, say): that undid the write, and was no guess.
      const settled = await settling.catch((error: unknown) => this.#takeBack(attempt, error));
      if ("outcome" in settled) return settled.outcome;
      throw this.#locked(attempt, settled.retryAfterSeconds);
    });
  }

  /** Fulfils once this attempt may be judged. */
  async #reserve(attempt: Attempt): Promise<void> {
    const { realm, subject } = attempt;
    const giveUpAtMs = performance.now() + BUSY_LIMIT_MS;
    for (;;) {
      // Whoever is answered is answered after another write: a power cut that takes this one takes the guess with it.
      const beginning = await this.#store.writeUnsynced(async (tx) => {
        const nowMs = this.#clock.nowMs();
        const result = begin(await tx.loginAttempts.lock(realm, subject, nowMs), nowMs, this.#policy);
        await tx.loginAttempts.save(realm, subject, result.state);
        return result;
      });
      if (beginning.verdict === "judge") return;
      if (beginning.verdict === "locked") {
        await this.#store.write(async (tx) => this.#record(tx, attempt, "login.refused", { why: "locked" }));
        throw this.#locked(attempt, beginning.retryAfterSeconds);
      }
      if (performance.now() > giveUpAtMs) throw Fault.of({ kind: "overloaded", retryAfterSeconds: 1 });
      await Bun.sleep(BUSY_RETRY_MS);
    }
  }

  /** An attempt that could not be judged, as where too many wait already, is taken back: it was no guess. */
  async #verify(attempt: Attempt, password: string) {
    try {
      const passwordHash = await attempt.storedHash();
      return { passwordHash, ...(await this.#hasher.verify(password, passwordHash)) };
    } catch (error) {
      return await this.#takeBack(attempt, error);
    }
  }

  /** The password under current parameters; null where there is too much to do now: another login will see to it. */
  #rehash(attempt: Attempt, password: string): Promise<string | null> {
    return this.#hasher
      .hash(password)
      .catch((error: unknown) => (Fault.is(error, "overloaded") ? null : this.#takeBack(attempt, error)));
  }

  /** Gives the reservation back, so that it does not count as a guess that nobody settled. */
  async #takeBack({ realm, subject }: Attempt, error: unknown): Promise<never> {
    await this.#store.write(async (tx) => {
      const nowMs = this.#clock.nowMs();
      const state = released(await tx.loginAttempts.lock(realm, subject, nowMs), nowMs, this.#policy);
      await tx.loginAttempts.save(realm, subject, state);
    });
    throw error;
  }

  async #noteFailure(attempt: Attempt): Promise<void> {
    const { realm, subject, account, by } = attempt;
    const state = await this.#store.write(async (tx) => {
      const nowMs = this.#clock.nowMs();
      const after = failed(await tx.loginAttempts.lock(realm, subject, nowMs), nowMs, this.#policy);
      await tx.loginAttempts.save(realm, subject, after);
      this.#record(tx, attempt, attempt.failure);
      if (after.lockedUntilMs !== null) this.#record(tx, attempt, "login.locked");
      return after;
    });
    if (state.lockedUntilMs !== null) {
      const minutes = Math.round((state.lockedUntilMs - this.#clock.nowMs()) / MINUTE_MS);
      this.#log.warning("login.locked", { realm, account: account?.id, minutes, ...logged(by) });
    }
  }

  #record(
    tx: Writes,
    { realm, account, by }: Attempt,
    event: AuditEvent,
    detail: AuditEntry["detail"] = {},
  ): void {
    const subject = { realm, id: account?.id ?? null };
    tx.audit.record({ event, atMs: this.#clock.nowMs(), by, subject, detail });
  }

  #locked({ realm, account, by }: Attempt, retryAfterSeconds: number): Fault {
    this.#log.warning("login.refused", { realm, account: account?.id, why: "locked", ...logged(by) });
    return Fault.of({ kind: "locked", retryAfterSeconds });
  }
}

function isUnchanged(current: Account, judged: Account | null): boolean {
  return current.deletedAtMs === null && current.credentialsVersion === judged?.credentialsVersion;
}

export function accountSubject(id: number): string {
  return `account:${id}`;
}

/**
 * A name that belongs to nobody is counted and locked like one that does, or 423 would tell which exist. Only a
 * hash of it is kept: people type passwords into the wrong field.
 */
function unknownSubject(name: string): string {
  const key = couldBeName(name) ? normalEmail(name) : name;
  return `name:${new Bun.CryptoHasher("sha256").update(key).digest("hex")}`;
}
