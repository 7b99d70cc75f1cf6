import { isAdmin } from "./caller.ts";
import type { Caller } from "./caller.ts";
import { Fault } from "./fault.ts";
import type { Noun } from "./fault.ts";
import type { Writes } from "./store.ts";

/** What belongs to an account, and is kept for it. */
type OwnedNoun = Extract<Noun, "todo" | "item">;

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

/** What an administrator does with what is somebody else's is told in the trail. */
export function tellOwner(
  tx: Writes,
  caller: Caller,
  noun: OwnedNoun,
  row: { readonly id: number; readonly accountId: number },
  done: { readonly what: "changed" | "deleted"; readonly atMs: number },
): void {
  if (row.accountId === caller.account.id) return;
  const subject = { realm: "user", id: row.accountId } as const;
  tx.audit.record({
    event: `${noun}.${done.what}`,
    atMs: done.atMs,
    by: caller.by,
    subject,
    detail: { [noun]: row.id },
  });
}
