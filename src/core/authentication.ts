import type { Realm } from "./accounts.ts";
import type { Caller } from "./caller.ts";
import { Fault } from "./fault.ts";
import type { Store } from "./store.ts";
import type { Tokens } from "./tokens.ts";

/** Answers who a request acts for. Every request looks at the account itself, so that a block works at once. */
export class Authentication {
  readonly #store: Store;
  readonly #tokens: Tokens;

  constructor(parts: { store: Store; tokens: Tokens }) {
    this.#store = parts.store;
    this.#tokens = parts.tokens;
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
  async caller(realm: Realm, token: string | null): Promise<Caller> {
    if (token === null) throw Fault.of({ kind: "unauthenticated" });
    const claims = this.#tokens.verify(token, realm);
    const sessionId = claims.sid ?? null;
    const found = await this.#store.read.accounts(realm).byToken(claims.user_id, sessionId);
    if (found === null) throw refused("account_unknown");
    const { account, sessionOpen } = found;
    if (account.deletedAtMs !== null) throw refused("account_deleted");
    if (!account.isActive) throw refused("account_deactivated");
    if (account.credentialsVersion !== claims.ver) throw refused("credentials_changed");
    if (!sessionOpen) throw refused("session_ended");
    return { account, sessionId, scopes: null };
  }
}

function refused(reason: string): Fault {
  return Fault.of({ kind: "invalid_token" }, new Error(reason));
}
