import { logged } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { AuditEntry } from "./audit.ts";
import type { Avatars } from "./avatars.ts";
import { Fault } from "./fault.ts";
import type { Clock } from "./clock.ts";
import { nothingElse } from "./idempotency.ts";
import type { Also } from "./idempotency.ts";
import { normalEmail, usernameKey } from "./identity.ts";
import type { Log } from "./log.ts";
import { accountSubject } from "./logins.ts";
import type { Logins } from "./logins.ts";
import type { Listing } from "./pages.ts";
import type { Hasher } from "./passwords.ts";
import type { Store, Writes } from "./store.ts";
import { requireVersion, rowGone } from "./versions.ts";
import type { ExpectedVersion } from "./versions.ts";

/** Users and administrators are two realms over one implementation: nothing crosses from one to the other. */
export const REALMS = ["user", "admin"] as const;
export type Realm = (typeof REALMS)[number];
export type Role = "user" | "admin";

export interface Account {
  readonly realm: Realm;
  readonly id: number;
  /** Lower case; unique within the realm. */
  readonly email: string;
  /** As registered; unique within the realm without regard to case. Null for an account made by e-mail alone. */
  readonly username: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly avatar: string | null;
  readonly role: Role;
  readonly isActive: boolean;
  /** Grows with every change that must end the access tokens made before it. */
  readonly credentialsVersion: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number | null;
  /** A deleted account keeps its row, so that its e-mail, username and phone stay taken. */
  readonly deletedAtMs: number | null;
  /** Grows with every change that can be seen. */
  readonly version: number;
}

/** An account with the hash that a password of its is judged by. Where none is judged, no hash leaves the database. */
export interface Credentials {
  readonly account: Account;
  readonly passwordHash: string;
}

export interface Registration {
  readonly email: string;
  readonly password: string;
  readonly username?: string | null;
  readonly name?: string | null;
  readonly phone?: string | null;
  /** For an administrator who makes an account for someone; a user and active where absent. */
  readonly role?: Role;
  readonly isActive?: boolean;
  /** The name of a file that was stored for it. */
  readonly avatar?: string | undefined;
}

/** What belongs into the write that makes an account: a condition for it before, and what is kept with it after. */
export interface WithinRegistration {
  readonly permit?: (tx: Writes) => Promise<void>;
  readonly also?: Also<Account>;
}

const nothingBefore = () => Promise.resolve();

/** What is absent stays as it is; null clears what may be empty. */
export interface AccountChange {
  readonly email?: string;
  readonly username?: string;
  readonly name?: string | null;
  readonly phone?: string | null;
  readonly avatar?: string | null;
  readonly role?: Role;
  readonly isActive?: boolean;
}

/** A new password, and what entitles to set it: the current one, or that an administrator does it for someone else. */
export interface PasswordChange {
  readonly password: string;
  readonly entitlement: { readonly current: string | undefined } | "administrator";
}

export interface UpdateTerms {
  readonly expected?: ExpectedVersion;
  /** Whether one that was deleted since it was read is changed all the same, as by an administrator. */
  readonly evenDeleted?: boolean;
}

const PROFILE_FIELDS = ["email", "username", "name", "phone", "avatar"] as const;

export class Accounts {
  readonly #store: Store;
  readonly #hasher: Hasher;
  readonly #logins: Logins;
  readonly #avatars: Avatars;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(parts: {
    store: Store;
    hasher: Hasher;
    logins: Logins;
    avatars: Avatars;
    clock: Clock;
    log: Log;
  }) {
    this.#store = parts.store;
    this.#hasher = parts.hasher;
    this.#logins = parts.logins;
    this.#avatars = parts.avatars;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /**
   * Fails with `conflict` where the e-mail, username or phone is taken, also by a deleted account, and with whatever
   * fails that is done within the same write.
   */
  async register(
    realm: Realm,
    registration: Registration,
    by: Actor,
    { permit = nothingBefore, also = nothingElse }: WithinRegistration = {},
  ): Promise<Account> {
    const email = normalEmail(registration.email);
    const username = registration.username ?? null;
    // Hashing takes tens of milliseconds, so it stays outside the write; the constraint decides who was first.
    const passwordHash = await this.#hasher.hash(registration.password);
    const given = { email, username, phone: registration.phone ?? null };
    const inserted = this.#store.write(async (tx) => {
      await permit(tx);
      const atMs = this.#clock.nowMs();
      const account = await tx.accounts(realm).insert({
        ...given,
        usernameKey: username === null ? null : usernameKey(username),
        name: registration.name ?? null,
        avatar: registration.avatar ?? null,
        passwordHash,
        ...(registration.role === undefined ? {} : { role: registration.role }),
        ...(registration.isActive === undefined ? {} : { isActive: registration.isActive }),
        createdAtMs: atMs,
      });
      tx.audit.record({ event: "account.registered", atMs, by, subject: account });
      await also(tx, account);
      return account;
    });
    const account = await inserted.catch((error: unknown) => tellTaken(error, given));
    this.#log.info("account.registered", { realm, account: account.id, ...logged(by) });
    return account;
  }

  /** The account, deleted or not. Fails with `not_found`. */
  async get(realm: Realm, id: number): Promise<Account> {
    const account = await this.#store.read.accounts(realm).byId(id);
    if (account === null) throw Fault.of({ kind: "not_found", noun: realm, id });
    return account;
  }

  /** The account, as long as it is not deleted. Fails with `not_found`. */
  async getLive(realm: Realm, id: number): Promise<Account> {
    const account = await this.get(realm, id);
    if (account.deletedAtMs !== null) throw Fault.of({ kind: "not_found", noun: realm, id });
    return account;
  }

  /** The live ones, the newest first, to be read in pages. */
  listing(realm: Realm): Listing<Account, "created_at"> {
    const accounts = this.#store.read.accounts(realm);
    return {
      scope: ["accounts", realm],
      order: { key: "created_at", descending: true },
      rows: (slice) => accounts.liveSlice(slice),
      count: () => accounts.liveCount(),
      position: ({ id, createdAtMs }) => ({ value: createdAtMs, id }),
    };
  }

  /**
   * Changes an account, deleted or not, all of it or nothing. A new password ends the account's sessions and every
   * access token. The file of an avatar that is replaced goes.
   *
   * Fails with `conflict`, with `not_found` where the account is gone or was deleted meanwhile, with
   * `precondition_failed`, and, for a password, with `wrong_current_password` or `locked`.
   */
  async update(
    account: Account,
    change: AccountChange,
    password: PasswordChange | null,
    by: Actor,
    terms: UpdateTerms = {},
  ): Promise<Account> {
    const given = { ...change, ...(change.email === undefined ? {} : { email: normalEmail(change.email) }) };
    const prepare = async () => {
      const passwordHash = password === null ? null : await this.#hasher.hash(password.password);
      return (tx: Writes) => this.#apply(tx, account, given, passwordHash, by, terms);
    };
    const entitlement = password?.entitlement ?? "administrator";
    const changing =
      entitlement === "administrator"
        ? prepare().then((apply) => this.#store.write(apply))
        : // A missing password is a wrong one, and counts like it.
          this.#logins.confirm(account, entitlement.current ?? "", by, prepare);
    const { updated, replaced } = await changing.catch((error: unknown) => tellTaken(error, given));
    await this.#avatars.discard(replaced);
    this.#tellChange(updated, change, password, by);
    return updated;
  }

  async #apply(
    tx: Writes,
    account: Account,
    change: AccountChange,
    passwordHash: string | null,
    by: Actor,
    { expected = "any", evenDeleted = account.deletedAtMs !== null }: UpdateTerms,
  ): Promise<{ updated: Account; replaced: string | null }> {
    const { realm, id } = account;
    const accounts = tx.accounts(realm);
    const nowMs = this.#clock.nowMs();
    const which = evenDeleted ? "any" : "live";
    // Of two who change it at once, the second must find what the first left: the avatar's file, above all.
    const current = await locked(tx, account);
    if (current.deletedAtMs !== null && !evenDeleted) throw rowGone(undefined, realm, id);
    const replaced = change.avatar === undefined ? null : current.avatar;
    const atVersion = requireVersion(expected, realm, current);
    if (Object.keys(change).length === 0 && passwordHash === null) return { updated: current, replaced };

    const names = change.username === undefined ? {} : { usernameKey: usernameKey(change.username) };
    const updated = await accounts.update(id, { ...change, ...names }, nowMs, { which, atVersion });
    if (updated === null) throw rowGone(atVersion, realm, id);
    const told = { atMs: nowMs, by, subject: updated };
    for (const entry of changesBetween(current, updated)) tx.audit.record({ ...entry, ...told });
    if (passwordHash === null) return { updated, replaced };

    tx.audit.record({ event: "password.changed", ...told });
    const reset = await accounts.setPassword(id, passwordHash, nowMs);
    await endSessions(tx, updated, nowMs);
    return { updated: reset ?? updated, replaced };
  }

  #tellChange(
    { realm, id }: Account,
    { isActive, role }: AccountChange,
    password: PasswordChange | null,
    by: Actor,
  ): void {
    const who = { realm, account: id, ...logged(by) };
    if (password !== null) this.#log.info("password.changed", who);
    if (isActive !== undefined) this.#log.info(isActive ? "account.activated" : "account.blocked", who);
    if (role !== undefined) this.#log.info("account.role_set", { role, ...who });
  }

  /**
   * The row stays, so that nobody else gets the names; its avatar goes, its sessions and tokens end for good. One that is
   * deleted already is left as it is. Fails with `not_found` where it is gone, and with `precondition_failed`.
   */
  async delete(account: Account, by: Actor, expected: ExpectedVersion = "any"): Promise<Account> {
    const { realm, id } = account;
    const { before, after } = await this.#store.write(async (tx) => {
      const nowMs = this.#clock.nowMs();
      const before = await locked(tx, account);
      if (before.deletedAtMs !== null) return { before, after: before };
      const atVersion = requireVersion(expected, realm, before);
      const after = await tx.accounts(realm).delete(id, nowMs, atVersion);
      if (after === null) throw rowGone(atVersion, realm, id);
      await endSessions(tx, after, nowMs);
      await tx.personalTokens.deleteAll(realm, id);
      tx.audit.record({ event: "account.deleted", atMs: nowMs, by, subject: after });
      return { before, after };
    });
    if (after === before) return after;
    await this.#avatars.discard(before.avatar);
    this.#log.info("account.deleted", { realm, account: id, ...logged(by) });
    return after;
  }

  /**
   * Removes a deleted account for good, with its todos, sessions and tokens; its names are free again. What the
   * audit trail says of it stays. Fails with `not_found` where it is not deleted.
   */
  async purge({ realm, id }: Account, by: Actor): Promise<void> {
    const avatar = await this.#store.write(async (tx) => {
      const account = await tx.accounts(realm).byId(id);
      if (account === null || !(await tx.accounts(realm).purge(id))) {
        throw Fault.of({ kind: "not_found", noun: realm, id });
      }
      await tx.loginAttempts.clear(realm, accountSubject(id));
      tx.audit.record({ event: "account.purged", atMs: this.#clock.nowMs(), by, subject: account });
      return account.avatar;
    });
    await this.#avatars.discard(avatar);
    this.#log.info("account.purged", { realm, account: id, ...logged(by) });
  }

  /**
   * Takes a deletion back. What ended with it stays ended. One that is not deleted is left as it is. Fails with
   * `not_found` where it is gone.
   */
  async restore(account: Account, by: Actor): Promise<Account> {
    const { realm, id } = account;
    const { before, after } = await this.#store.write(async (tx) => {
      const atMs = this.#clock.nowMs();
      const before = await locked(tx, account);
      const after = await tx.accounts(realm).restore(id, atMs);
      if (after === null) return { before, after: before };
      tx.audit.record({ event: "account.restored", atMs, by, subject: after });
      return { before, after };
    });
    if (after !== before) this.#log.info("account.restored", { realm, account: id, ...logged(by) });
    return after;
  }
}

/** The row as it is by now, and stays until the write is over. Fails with `not_found` where it is gone. */
async function locked(tx: Writes, { realm, id }: Account): Promise<Account> {
  const current = await tx.accounts(realm).lock(id);
  if (current === null) throw rowGone(undefined, realm, id);
  return current;
}

/** What the trail is told of a change: which fields, and never their values; a role and a block by themselves. */
function changesBetween(before: Account, after: Account): readonly Pick<AuditEntry, "event" | "detail">[] {
  const fields = PROFILE_FIELDS.filter((field) => before[field] !== after[field]);
  const detail = { from: before.role, to: after.role };
  return [
    ...(fields.length === 0 ? [] : [{ event: "account.changed" as const, detail: { fields } }]),
    ...(before.role === after.role ? [] : [{ event: "account.role_changed" as const, detail }]),
    ...(before.isActive === after.isActive
      ? []
      : [{ event: after.isActive ? ("account.activated" as const) : ("account.blocked" as const) }]),
  ];
}

/** Personal tokens live on: they are credentials of their own, and stand for no password. */
async function endSessions(tx: Writes, { realm, id }: Account, nowMs: number): Promise<void> {
  if (realm === "user") await tx.sessions.endAll(id, nowMs, null);
}

/** Says in a conflict which of the given values is taken: storage knows only the field. */
function tellTaken(error: unknown, given: Readonly<Record<string, unknown>>): never {
  if (!(error instanceof Fault) || error.what.kind !== "conflict") throw error;
  const value = given[error.what.field];
  throw typeof value === "string" ? Fault.of({ ...error.what, value }, error.cause) : error;
}
