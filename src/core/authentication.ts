import type { Account, Realm } from "./accounts.ts";
import type { Actor } from "./actor.ts";
import type { Caller } from "./caller.ts";
import { SECOND_MS } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import { looksPersonal, personalTokenHash, personalTokenProblem } from "./personal-token-text.ts";
import type { TokenUses } from "./personal-tokens.ts";
import { refusedToken, requireLive } from "./refused-token.ts";
import type { Store } from "./store.ts";
import { CLOCK_LEEWAY_MS } from "./tokens.ts";
import type { AccessClaims, Tokens } from "./tokens.ts";

/** What the credentials of every account began with in a former release. */
const FIRST_VERSION_ONCE = 1;

/** Answers who a request acts for. Every request looks at the account itself, so that a block works at once. */
export class Authentication {
  readonly #store: Store;
  readonly #tokens: Tokens;
  readonly #uses: TokenUses;
  readonly #clock: Clock;

  constructor(parts: { store: Store; tokens: Tokens; uses: TokenUses; clock: Clock }) {
    this.#store = parts.store;
    this.#tokens = parts.tokens;
    this.#uses = parts.uses;
    this.#clock = parts.clock;
  }

  /** The session that a token came from; null for a token that belongs to none, or is none. */
  sessionOf(realm: Realm, token: string): number | null {
    try {
      return this.#tokens.verify(token, realm).sid ?? null;
    } catch (error) {
      if (Fault.is(error, "invalid_token")) return null;
      throw error;
    }
  }

  /** Fails with `unauthenticated` without a token, and with `invalid_token` for one that is not good here and now. */
  caller(realm: Realm, token: string | null, from: Actor): Promise<Caller> {
    if (token === null) return Promise.reject(Fault.of({ kind: "unauthenticated" }));
    return looksPersonal(token)
      ? this.#byPersonalToken(realm, token, from)
      : this.#byAccessToken(realm, token, from);
  }

  async #byAccessToken(realm: Realm, token: string, from: Actor): Promise<Caller> {
    const claims = this.#tokens.verify(token, realm);
    const sessionId = claims.sid ?? null;
    const found = await this.#store.read.accounts(realm).byToken(claims.user_id, sessionId);
    if (found === null) throw refusedToken("account_unknown");
    const { account, sessionOpen } = found;
    requireLive(account);
    if (this.#isOlder(claims, account)) throw refusedToken("older_than_account");
    if (account.credentialsVersion !== claims.ver) throw refusedToken("credentials_changed");
    if (!sessionOpen) throw refusedToken("session_ended");
    return { account, sessionId, scopes: null, expiresAtMs: null, by: actorOf(account, from) };
  }

  /**
   * After a database of yesterday was restored an id may be given a second time: such a token is of who had it first.
   * The version of their credentials tells, but for accounts of a former release, which all began with the same.
   * An account that is yet to be made came by an import, whose times may be of another zone, and says nothing.
   */
  #isOlder({ iat }: AccessClaims, { createdAtMs, credentialsVersion }: Account): boolean {
    if (credentialsVersion !== FIRST_VERSION_ONCE) return false;
    return iat * SECOND_MS + CLOCK_LEEWAY_MS < createdAtMs && createdAtMs <= this.#clock.nowMs();
  }

  /** One read for the token and its owner. A token that cannot be one is refused before that. */
  async #byPersonalToken(realm: Realm, token: string, from: Actor): Promise<Caller> {
    const problem = personalTokenProblem(token, realm);
    if (problem !== null) throw refusedToken(problem);
    const found = await this.#store.read.accounts(realm).byPersonalToken(personalTokenHash(token));
    if (found === null) throw refusedToken("token_unknown");
    const { expiresAtMs, scopes } = found.token;
    if (expiresAtMs !== null && expiresAtMs <= this.#clock.nowMs()) throw refusedToken("expired");
    requireLive(found.account);
    this.#uses.note(found.token);
    return { account: found.account, sessionId: null, scopes, expiresAtMs, by: actorOf(found.account, from) };
  }
}

/** Whoever sent the request, known by now. */
function actorOf({ realm, id }: Account, { clientAddress, userAgent, requestId }: Actor): Actor {
  return { account: { realm, id }, clientAddress, userAgent, requestId };
}
