import { randomBytes } from "node:crypto";
import type { Account, Realm } from "./accounts.ts";
import { logged } from "./actor.ts";
import type { Actor } from "./actor.ts";
import { requireScope, SCOPES } from "./caller.ts";
import type { Caller, Scope } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { DAY_MS, MINUTE_MS } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Log } from "./log.ts";
import { newPersonalToken, personalTokenHash, PREFIX_CHARACTERS } from "./personal-token-text.ts";
import { refusedToken, requireLive } from "./refused-token.ts";
import type { Store } from "./store.ts";

/** A credential that an account makes for a program of its own: it outlives logins and password changes. */
export interface PersonalToken {
  readonly id: number;
  readonly realm: Realm;
  readonly accountId: number;
  readonly name: string | null;
  /** The beginning of its text, by which the owner knows it. */
  readonly prefix: string;
  /** Null for all that its owner may. */
  readonly scopes: readonly Scope[] | null;
  readonly createdAtMs: number;
  /** Null for never. */
  readonly expiresAtMs: number | null;
  /** To the minute; null before the first use. */
  readonly lastUsedAtMs: number | null;
}

export interface PersonalTokenRequest {
  readonly name?: string | null;
  readonly expiresInDays?: number | null;
  readonly scopes?: readonly Scope[] | null;
}

export const TOKEN_NAME_MAX_CHARACTERS = 100;
export const TOKEN_MAX_DAYS = 365;

/** One write takes so many noted uses, so that it never holds up others for long. */
const USES_PER_WRITE = 200;

export class PersonalTokens {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #uses: TokenUses;

  constructor(parts: { store: Store; uses: TokenUses; clock: Clock; log: Log }) {
    this.#store = parts.store;
    this.#uses = parts.uses;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  /**
   * Makes a token; `secret` is its text, which is not to be had again.
   * Fails with `forbidden` where the caller's own token is narrower than the one that is asked for.
   */
  async create(
    caller: Caller,
    request: PersonalTokenRequest,
    by: Actor,
  ): Promise<{ token: PersonalToken; secret: string }> {
    const scopes = request.scopes == null ? null : SCOPES.filter((scope) => request.scopes?.includes(scope));
    for (const scope of scopes ?? SCOPES) requireScope(caller, scope);
    const { account } = caller;
    const nowMs = this.#clock.nowMs();
    const secret = newPersonalToken(account.realm, randomBytes);
    const token = await this.#store.write(async (tx) => {
      // An account that was deleted since the guard looked, or is being so, must get no token that a restoration finds.
      const owner = await tx.accounts(account.realm).lock(account.id);
      if (owner === null) throw refusedToken("account_deleted");
      requireLive(owner);
      // Who changed the password ends what was let in by the one before, and this would outlive it.
      if (owner.credentialsVersion !== account.credentialsVersion) throw refusedToken("credentials_changed");
      const made = await tx.personalTokens.insert({
        realm: account.realm,
        accountId: account.id,
        name: request.name?.trim() ?? null,
        prefix: secret.slice(0, PREFIX_CHARACTERS),
        tokenHash: personalTokenHash(secret),
        scopes,
        createdAtMs: nowMs,
        expiresAtMs: earlier(
          caller.expiresAtMs,
          request.expiresInDays == null ? null : nowMs + request.expiresInDays * DAY_MS,
        ),
      });
      const detail = { token: made.id, prefix: made.prefix, scopes };
      tx.audit.record({ event: "token.created", atMs: nowMs, by, subject: account, detail });
      return made;
    });
    this.#log.info("token.created", { ...told(token), ...logged(by) });
    return { token, secret };
  }

  /** An account's own, newest first; with uses that are not written down yet. */
  async list({ realm, id }: Account): Promise<readonly PersonalToken[]> {
    const tokens = await this.#store.read.personalTokens.ofAccount(realm, id);
    return tokens.map((token) => ({ ...token, lastUsedAtMs: this.#uses.latest(token) }));
  }

  /** From now on the token is nothing. Fails with `not_found`, also for another account's. */
  async revoke({ account }: Caller, id: number, by: Actor): Promise<void> {
    const revoked = await this.#store.write(async (tx) => {
      const token = await tx.personalTokens.delete(account.realm, account.id, id);
      if (token === null) throw Fault.of({ kind: "not_found", noun: "token", id });
      const detail = { token: id, prefix: token.prefix };
      tx.audit.record({ event: "token.revoked", atMs: this.#clock.nowMs(), by, subject: account, detail });
      return token;
    });
    this.#log.info("token.revoked", { ...told(revoked), ...logged(by) });
  }
}

/** A token makes none that outlives it. Null is never. */
function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

/**
 * When tokens were last used, to the minute. A use costs no write: it is kept here, and written down with others by
 * `flush`, which runs about once a minute and when the program stops. A crash loses the last minute.
 */
export class TokenUses {
  readonly #store: Store;
  readonly #clock: Clock;
  #unwritten = new Map<number, number>();

  constructor(parts: { store: Store; clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  note(token: PersonalToken): void {
    const minuteMs = Math.floor(this.#clock.nowMs() / MINUTE_MS) * MINUTE_MS;
    // In the minute of its making, a use before the token was made would be read as a mistake.
    const usedAtMs = Math.max(minuteMs, token.createdAtMs);
    if (usedAtMs > (this.latest(token) ?? 0)) this.#unwritten.set(token.id, usedAtMs);
  }

  /** The last use that this process knows of. */
  latest({ id, lastUsedAtMs }: PersonalToken): number | null {
    const unwritten = this.#unwritten.get(id);
    return unwritten === undefined ? lastUsedAtMs : Math.max(unwritten, lastUsedAtMs ?? 0);
  }

  /** Writes down what was noted. What could not be written is kept for the next time. */
  async flush(): Promise<void> {
    const uses = [...this.#unwritten];
    for (let start = 0; start < uses.length; start += USES_PER_WRITE) {
      const some = uses.slice(start, start + USES_PER_WRITE);
      await this.#store.write(async (tx) => {
        for (const [id, usedAtMs] of some) await tx.personalTokens.noteUse(id, usedAtMs);
      });
      for (const [id, usedAtMs] of some) if (this.#unwritten.get(id) === usedAtMs) this.#unwritten.delete(id);
    }
  }
}

function told({ realm, accountId, id, prefix, scopes }: PersonalToken) {
  return { realm, account: accountId, token: id, prefix, scopes: scopes?.join(" ") };
}
