/**
 * The ports: what the core needs from storage, and how each call may fail. `src/storage` fills them in SQL.
 *
 * Reading and writing are told apart in the types. `store.read` sees what is committed; everything that changes
 * goes through `store.write`, one transaction whose work awaits nothing but the tables it is given. It is kept
 * whole or not at all, and may run again after a deadlock, so it decides from what it reads inside.
 *
 * Every call may fail with `unavailable` where the database cannot be reached or does not answer in time.
 */
import type { Account, AccountChange, Credentials, Realm, Role } from "./accounts.ts";
import type { AuditEntry, AuditFilter } from "./audit.ts";
import type { AuditRow, ChainHead } from "./audit-chain.ts";
import type { Scope } from "./caller.ts";
import type { ImportReads, ImportWrites } from "./import/ports.ts";
import type { ItemReads, ItemWrites } from "./items.ts";
import type { KeptAnswer } from "./idempotency.ts";
import type { LockoutState } from "./lockout.ts";
import type { Slice } from "./pages.ts";
import type { PersonalToken } from "./personal-tokens.ts";
import type { RefreshToken, Session, SessionKind } from "./sessions.ts";
import type { Priority, Todo } from "./todos.ts";

export interface Store {
  readonly read: Reads;
  write<T>(work: (tx: Writes) => Promise<T>): Promise<T>;
  /** For work that is one statement: cheaper where the database is a server. Asked for a second one, it fails. */
  writeOne<T>(work: (tx: Writes) => Promise<T>): Promise<T>;
  /**
   * Like `write`, without waiting for the disk: seen by all at once, and there after a crash of the program, but a power
   * cut may take it until the next `write` is kept. For what means nothing until such a write follows.
   */
  writeUnsynced<T>(work: (tx: Pick<Writes, "loginAttempts">) => Promise<T>): Promise<T>;
  /** Fails with `unavailable` where the database does not answer. */
  ping(): Promise<void>;
  /** By the database's own clock: the core's time comes from `Clock`. */
  currentTimeMs(): Promise<number>;
}

export interface Reads {
  accounts(realm: Realm): AccountReads;
  readonly items: ItemReads;
  readonly directory: UserDirectoryReads;
  readonly idempotency: IdempotencyReads;
  readonly imports: ImportReads;
  readonly sessions: SessionReads;
  readonly todos: TodoReads;
  readonly personalTokens: PersonalTokenReads;
  readonly audit: AuditReads;
}

export interface Writes extends Reads {
  accounts(realm: Realm): AccountWrites;
  readonly directory: UserDirectoryWrites;
  readonly items: ItemWrites;
  readonly idempotency: IdempotencyWrites;
  readonly imports: ImportWrites;
  readonly sessions: SessionWrites;
  readonly todos: TodoWrites;
  readonly personalTokens: PersonalTokenWrites;
  readonly audit: AuditWrites;
  readonly loginAttempts: LoginAttemptWrites;
}

// Accounts

export interface AccountReads {
  /** Whether there has ever been one: deleted accounts count. */
  any(): Promise<boolean>;
  /** Deleted accounts too. */
  byId(id: number): Promise<Account | null>;
  /** By e-mail address or username, in any case; deleted accounts too. */
  byName(name: string): Promise<Account | null>;
  /** Oldest first: the live ones, or the deleted. */
  list(deleted: boolean, afterId: number, limit: number): Promise<readonly Account[]>;
  /** By e-mail address or username, in any case; a deleted account is not found. */
  credentialsByName(name: string): Promise<Credentials | null>;
  passwordHash(id: number): Promise<string | null>;
  /** What the guard of a request needs, in one read: the account, and whether the token's session is still open. */
  byToken(id: number, sessionId: number | null): Promise<{ account: Account; sessionOpen: boolean } | null>;
  /** Those that are not deleted. */
  liveSlice(slice: Slice<"created_at">): Promise<readonly Account[]>;
  liveCount(): Promise<number>;
  /** When the first of those that are still there was made; deleted accounts count. */
  firstAtMs(): Promise<number | null>;
  /** Those of the files that an account names. */
  avatarsAmong(files: readonly string[]): Promise<readonly string[]>;
  /** The token of this hash with its owner, in one read; null where it is unknown, or of the other realm. */
  byPersonalToken(tokenHash: Uint8Array): Promise<{ account: Account; token: PersonalToken } | null>;
}

export interface AccountWrites extends AccountReads {
  /** The account, deleted or not, as it stays until this write changes it: others wait for the end of this one. */
  lock(id: number): Promise<Account | null>;
  /** Fails with `conflict` on `email`, `username` or `phone`. */
  insert(account: NewAccount): Promise<Account>;
  /**
   * Null where there is none that the guard lets through: a live one, without it, of any version. Fails with
   * `conflict` on `email`, `username` or `phone`.
   */
  update(id: number, change: AccountRowChange, nowMs: number, guard?: RowGuard): Promise<Account | null>;
  /**
   * Null where there is none, or it is deleted already, or not of the given version. Every access token made
   * before is void.
   */
  delete(id: number, nowMs: number, atVersion?: number | undefined): Promise<Account | null>;
  /** Null where there is none that is deleted. */
  restore(id: number, nowMs: number): Promise<Account | null>;
  /** Removes a deleted account for good, with all that refers to it; answers whether there was one. */
  purge(id: number): Promise<boolean>;
  /** A new password: every access token made before it is void. Null where there is no such account. */
  setPassword(id: number, passwordHash: string, nowMs: number): Promise<Account | null>;
  /** The same password under current parameters, unless it was changed meanwhile. No token is touched. */
  replaceHash(id: number, oldHash: string, newHash: string): Promise<void>;
}

/** What a row must still be for a change to be made. */
export interface RowGuard {
  readonly which?: "live" | "any";
  readonly atVersion?: number | undefined;
}

export interface AccountRowChange extends AccountChange {
  readonly usernameKey?: string;
}

export interface NewAccount {
  readonly email: string;
  readonly username: string | null;
  readonly usernameKey: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly avatar?: string | null;
  readonly passwordHash: string;
  readonly role?: Role;
  readonly isActive?: boolean;
  readonly createdAtMs: number;
}

// The directory of users

export interface UserDirectoryReads {
  /** Newest first, which is the one order there is. */
  users(filter: UserFilter, slice: Slice<"created_at">): Promise<readonly Account[]>;
  /** How many there are; of a search that finds more than 10,000 it says 10,000. */
  count(filter: UserFilter): Promise<number>;
}

export interface UserDirectoryWrites extends UserDirectoryReads {
  /** Does a little for the index of searches, of which each registration leaves a part; whether there is more to do. */
  mergeIndex(): Promise<boolean>;
}

export interface UserFilter {
  /** A part of the e-mail address, username, name or phone number, in any case; null for all. */
  readonly search: string | null;
  readonly isActive: boolean | null;
  /** The deleted ones, or the others. */
  readonly deleted: boolean;
}

// Sessions

export interface SessionReads {
  byId(id: number): Promise<Session | null>;
  /** Open and with a token that still refreshes, newest first. */
  openOf(accountId: number, nowMs: number): Promise<readonly Session[]>;
  token(tokenHash: Uint8Array): Promise<{ token: RefreshToken; session: Session } | null>;
  /** Those that nobody has ended; the ones that expired count until they are removed. */
  countOpen(): Promise<number>;
}

export interface SessionWrites extends SessionReads {
  insert(session: NewSession): Promise<Session>;
  insertToken(token: NewRefreshToken): Promise<void>;
  /** Marks a token as used, once: of two callers at the same moment one gets true. */
  useToken(tokenId: number, nowMs: number): Promise<boolean>;
  touch(sessionId: number, nowMs: number): Promise<void>;
  /** Answers whether the session was open until now. */
  end(sessionId: number, nowMs: number): Promise<boolean>;
  /** Ends all of an account's sessions but one; answers how many. */
  endAll(accountId: number, nowMs: number, exceptSessionId: number | null): Promise<number>;
  /** At most `limit` sessions that were ended before then. */
  endedBefore(endedBeforeMs: number, limit: number): Promise<readonly number[]>;
  /** At most `limit` sessions of which every unused token expired before then. */
  expiredBefore(expiredBeforeMs: number, limit: number): Promise<readonly number[]>;
  /** At most `limit` tokens of these sessions that were used; answers how many. */
  deleteUsedTokens(sessionIds: readonly number[], limit: number): Promise<number>;
  /** Of these sessions those that have no used tokens left, with the ones that they still have; answers how many. */
  deleteWithoutUsed(sessionIds: readonly number[]): Promise<number>;
}

export interface NewSession {
  readonly accountId: number;
  readonly kind: SessionKind;
  readonly createdAtMs: number;
  readonly endsAtMs: number | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
}

export interface NewRefreshToken {
  readonly sessionId: number;
  readonly tokenHash: Uint8Array;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

// Todos

export interface TodoReads {
  byId(id: number): Promise<Todo | null>;
  /** One account's, oldest first. */
  ofAccount(accountId: number, filter: TodoFilter): Promise<readonly Todo[]>;
  /** One account's, a page of them. Titles are in the order of their bytes, on both engines. */
  slice(accountId: number, selection: TodoSelection, slice: Slice<TodoSort>): Promise<readonly Todo[]>;
  count(accountId: number, selection: TodoSelection): Promise<number>;
}

export type TodoSort = "created_at" | "updated_at" | "priority" | "title";

/** What is null is left open. */
export interface TodoSelection {
  readonly completed: boolean | null;
  readonly priority: Priority | null;
  /** As `searchKey` makes them: each must stand somewhere in the title or the description. */
  readonly words: readonly string[];
}

export interface TodoFilter {
  readonly completed: boolean | null;
  readonly limit: number | null;
  readonly offset: number;
}

export interface TodoWrites extends TodoReads {
  /**
   * Keeps others from changing these until the write is over, and waits for those who do, in one order for everybody.
   * Only those of `accountId`, unless it is null: nobody holds up what is not theirs.
   */
  lock(ids: readonly number[], accountId: number | null): Promise<void>;
  insert(todo: NewTodo): Promise<Todo>;
  /** All in one statement: a few hundred at most. */
  insertMany(todos: readonly NewFilledTodo[]): Promise<void>;
  /** Null where there is none, or none of the given version. */
  update(id: number, change: TodoChange, nowMs: number, atVersion?: number | undefined): Promise<Todo | null>;
  /** Answers whether there was one, of the given version if there is one given. */
  delete(id: number, atVersion?: number | undefined): Promise<boolean>;
}

export interface NewTodo {
  readonly accountId: number;
  readonly title: string;
  readonly description: string | null;
  readonly priority: Priority;
  readonly createdAtMs: number;
}

/** One that comes along with its past. */
export interface NewFilledTodo extends NewTodo {
  readonly completed: boolean;
}

/** What is absent stays as it is. */
export interface TodoChange {
  readonly title?: string;
  readonly description?: string | null;
  readonly completed?: boolean;
  readonly priority?: Priority;
}

// Personal access tokens

export interface PersonalTokenReads {
  /** One account's, newest first; expired ones too, until they are cleaned up. */
  ofAccount(realm: Realm, accountId: number): Promise<readonly PersonalToken[]>;
}

export interface PersonalTokenWrites extends PersonalTokenReads {
  insert(token: NewPersonalToken): Promise<PersonalToken>;
  /** Null where the account has none of this id. */
  delete(realm: Realm, accountId: number, id: number): Promise<PersonalToken | null>;
  /** Answers how many there were. */
  deleteAll(realm: Realm, accountId: number): Promise<number>;
  /** Never moves the last use back: another instance may know of a later one. */
  noteUse(id: number, usedAtMs: number): Promise<void>;
  /** At most `limit` of those whose time is up; answers how many. */
  deleteExpired(nowMs: number, limit: number): Promise<number>;
}

export interface NewPersonalToken {
  readonly realm: Realm;
  readonly accountId: number;
  readonly name: string | null;
  readonly prefix: string;
  readonly tokenHash: Uint8Array;
  readonly scopes: readonly Scope[] | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
}

// Login attempts

export interface LoginAttemptWrites {
  /** The state of a subject's attempts; no other transaction changes it until this one ends. */
  lock(realm: Realm, subject: string, nowMs: number): Promise<LockoutState>;
  save(realm: Realm, subject: string, state: LockoutState): Promise<void>;
  /** Forgets a subject's attempts, and with them its lock. */
  clear(realm: Realm, subject: string): Promise<void>;
  /**
   * Those that were touched after `aheadMs`, by a clock that has been set back since: they are as if touched now, and lock
   * until `lockEndMs` at most. Takes at most `limit`, and answers how many.
   */
  dateBack(aheadMs: number, nowMs: number, lockEndMs: number, limit: number): Promise<number>;
  /** At most `limit` that nobody touched since then, and that lock nobody; answers how many. */
  deleteForgotten(untouchedSinceMs: number, nowMs: number, limit: number): Promise<number>;
}

// Audit trail

/** `row` is null where what stands there cannot be read as a row. */
export interface ChainedRow {
  readonly seq: number;
  readonly row: AuditRow | null;
}

export interface AuditReads {
  /** Newest first. */
  list(filter: AuditFilter, beforeSeq: number | null, limit: number): Promise<readonly AuditRow[]>;
  /** In the order of the chain. */
  chain(afterSeq: number, limit: number): Promise<readonly ChainedRow[]>;
  /** The first of the chain that was written before then, by its own date. */
  firstUntil(atMs: number): Promise<ChainedRow | null>;
  /** The end of the chain. */
  head(): Promise<ChainHead>;
}

export interface AuditWrites extends AuditReads {
  /**
   * Adds to the trail, when all else in this write is done: it is kept or lost with it. All that add to the chain
   * wait for one another, so nothing may come after.
   */
  record(entry: AuditEntry): void;
  /** Deletes the rows up to this one; what is left must say so. Answers false where another has done it. */
  deleteThrough(seq: number): Promise<boolean>;
}

// Idempotency keys

export interface IdempotencyReads {
  /** What an owner's key stands for, or the same request under the same key, whoever sent it. */
  find(
    request: { readonly key: string; readonly owner: string; readonly fingerprint: Uint8Array },
    nowMs: number,
  ): Promise<{ readonly isSameRequest: boolean; readonly answer: KeptAnswer } | null>;
}

export interface IdempotencyWrites extends IdempotencyReads {
  /** False where the owner's key stands for something already; waits for a transaction that is about to say so. */
  keep(given: NewIdempotencyKey): Promise<boolean>;
  /** At most `limit` of those whose time is up; answers how many. */
  deleteExpired(nowMs: number, limit: number): Promise<number>;
}

export interface NewIdempotencyKey {
  readonly key: string;
  readonly owner: string;
  readonly fingerprint: Uint8Array;
  readonly answer: KeptAnswer;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}
