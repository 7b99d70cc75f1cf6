import type { Account } from "./accounts.ts";
import { Fault } from "./fault.ts";

/** A token that is not good here and now; why, is for the log alone. */
export function refusedToken(why: string, cause?: unknown): Fault {
  return Fault.of({ kind: "invalid_token" }, new Error(why, cause === undefined ? undefined : { cause }));
}

/** Fails as a token does whose account has been deleted or blocked. */
export function requireLive({ deletedAtMs, isActive }: Account): void {
  if (deletedAtMs !== null) throw refusedToken("account_deleted");
  if (!isActive) throw refusedToken("account_deactivated");
}
