import type { Account } from "./accounts.ts";
import type { Actor } from "./actor.ts";
import { Fault } from "./fault.ts";

/** What a personal access token may be narrowed to. Items are kept under the scopes of todos. */
export const SCOPES = ["todos:read", "todos:write", "account:read", "account:write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export function isScope(word: string): word is Scope {
  return SCOPES.some((scope) => scope === word);
}

/** Who a request acts for, once its token has been checked. */
export interface Caller {
  readonly account: Account;
  /** The session the access token came from; null for tokens that belong to none. */
  readonly sessionId: number | null;
  /** What the token is narrowed to; null for all that its owner may. */
  readonly scopes: readonly Scope[] | null;
  /** When the personal token ends that they came with; null where it does not, and for all other tokens. */
  readonly expiresAtMs: number | null;
  /** The same as who does something, and from where. */
  readonly by: Actor;
}

export function hasScope({ scopes }: Caller, scope: Scope): boolean {
  return scopes === null || scopes.includes(scope);
}

export function requireScope(caller: Caller, scope: Scope): void {
  if (!hasScope(caller, scope)) throw Fault.of({ kind: "forbidden", why: { rule: "scope_required", scope } });
}

/** An administrator by role, unless the token leaves that power out. */
export function isAdmin(caller: Caller): boolean {
  return caller.account.role === "admin" && hasScope(caller, "admin");
}

/**
 * What it takes to say what an account may: else a token for nothing but an administrator's lists could make an account
 * that may do everything, and outlive its own revocation as that.
 */
export const TO_GIVE_RIGHTS = ["admin", "account:write"] as const;

export function mayGiveRights(caller: Caller): boolean {
  return isAdmin(caller) && TO_GIVE_RIGHTS.every((scope) => hasScope(caller, scope));
}

export function requireAdmin(caller: Caller): void {
  if (!isAdmin(caller))
    throw Fault.of({ kind: "forbidden", why: { rule: "role_required", roles: ["admin"] } });
}
