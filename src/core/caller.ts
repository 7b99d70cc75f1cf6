import type { Account, Role } from "./accounts.ts";
import { Fault } from "./fault.ts";

/** Who a request acts for, once its token has been checked. */
export interface Caller {
  readonly account: Account;
  /** The session the access token came from; null for tokens that belong to none. */
  readonly sessionId: number | null;
}

export function isAdmin(caller: Caller): boolean {
  return caller.account.role === "admin";
}

export function requireRole(caller: Caller, role: Role): void {
  if (caller.account.role !== role) {
    throw Fault.of({ kind: "forbidden", why: { rule: "role_required", roles: [role] } });
  }
}
