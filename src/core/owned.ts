import { isAdmin } from "./caller.ts";
import type { Caller } from "./caller.ts";
import { Fault } from "./fault.ts";
import type { Noun } from "./fault.ts";

/** The row, if it is there (`not_found`), and it is the caller's or the caller an administrator (`forbidden`). */
export function requireOwned<T extends { readonly accountId: number }>(
  caller: Caller,
  noun: Noun,
  id: number,
  row: T | null,
): T {
  if (row === null) throw Fault.of({ kind: "not_found", noun, id });
  if (row.accountId !== caller.account.id && !isAdmin(caller)) {
    throw Fault.of({ kind: "forbidden", why: { rule: "not_yours", noun, id } });
  }
  return row;
}
