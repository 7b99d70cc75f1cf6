import type { Realm } from "../accounts.ts";
import { usernameKey } from "../identity.ts";
import { changed, leftOut } from "./findings.ts";
import type { Changed, Finding } from "./findings.ts";
import type { AccountNames, ImportReads, KnownTable } from "./ports.ts";
import type { AccountDraft, OwnedDraft, Reading } from "./rows.ts";

/** The batch of a table that is to be settled, and what it is settled against. */
export interface Settling {
  readonly reads: ImportReads;
  readonly table: string;
  readonly known: KnownTable;
  /** Up to this one nobody else is given an id; null where no row keeps its own. */
  readonly keepsIdsUpTo: number | null;
}

/** What becomes of a batch in the database as it is. */
export interface Settled<Draft> {
  readonly taken: readonly Unplaced<Draft>[];
  readonly findings: readonly Finding[];
  /** So many had been taken before. */
  readonly known: number;
}

/** `id` is the row's own where it is kept, and null where it gets a new one. */
export type Unplaced<Draft> = Draft & { readonly key: string; readonly id: number | null };

/** Names that a plan has counted as taken: it writes nothing that could be looked up. */
export class ForeseenNames {
  readonly emails = new Set<string>();
  readonly usernameKeys = new Set<string>();
  readonly phones = new Set<string>();

  add({ email, username, phone }: AccountDraft): void {
    this.emails.add(email);
    if (username !== null) this.usernameKeys.add(usernameKey(username));
    if (phone !== null) this.phones.add(phone);
  }
}

export async function settleAccounts(
  settling: Settling,
  realm: Realm,
  readings: readonly Reading<AccountDraft>[],
  foreseen: ForeseenNames,
): Promise<Settled<AccountDraft>> {
  const { fresh, known, findings } = await freshRows(settling, readings);
  const used = await settling.reads.namesInUse(realm, namesOf(settling, fresh));
  const names = new Names(used, foreseen);
  const taken: Unplaced<AccountDraft>[] = [];
  for (const { key, draft, changes } of fresh) {
    if (!names.takeEmail(draft.email)) {
      findings.push(leftOut(settling.table, key, "email_taken"));
      continue;
    }
    const all = [...changes];
    const username = draft.username !== null && names.takeUsername(draft.username) ? draft.username : null;
    if (username !== draft.username) all.push("username_taken");
    const phone = draft.phone !== null && names.takePhone(draft.phone) ? draft.phone : null;
    if (phone !== draft.phone) all.push("phone_taken");
    const id = freeId(settling, key, used.ids, all);
    taken.push({ ...draft, username, phone, key, id });
    findings.push(...all.map((code) => changed(settling.table, key, code)));
  }
  return { taken, findings, known };
}

/** `accountsOf` answers the accounts that rows of the users became, by their keys. */
export async function settleOwned(
  settling: Settling,
  noun: "todo" | "item",
  readings: readonly Reading<OwnedDraft>[],
  accountsOf: (keys: readonly string[]) => Promise<ReadonlyMap<string, number>>,
): Promise<Settled<OwnedDraft & { readonly accountId: number }>> {
  const { fresh, known, findings } = await freshRows(settling, readings);
  const accounts = await accountsOf([...new Set(fresh.map(({ draft }) => draft.ownerKey))]);
  const used = await settling.reads.idsInUse(noun, ownIds(settling, fresh));
  const taken: Unplaced<OwnedDraft & { readonly accountId: number }>[] = [];
  for (const { key, draft, changes } of fresh) {
    const accountId = accounts.get(draft.ownerKey);
    if (accountId === undefined) {
      findings.push(leftOut(settling.table, key, "owner_left_out"));
      continue;
    }
    const all = [...changes];
    taken.push({ ...draft, accountId, key, id: freeId(settling, key, used, all) });
    findings.push(...all.map((code) => changed(settling.table, key, code)));
  }
  return { taken, findings, known };
}

type Readable<Draft> = Extract<Reading<Draft>, { readonly draft: Draft }>;

/** The rows that can be taken, and were not yet. What cannot be is told at every run. */
async function freshRows<Draft>(
  { reads, table, known: { id } }: Settling,
  readings: readonly Reading<Draft>[],
): Promise<{
  readonly fresh: readonly Readable<Draft>[];
  readonly known: number;
  readonly findings: Finding[];
}> {
  const findings: Finding[] = [];
  const readable: Readable<Draft>[] = [];
  for (const reading of readings) {
    if ("leftOut" in reading) findings.push(leftOut(table, reading.key, reading.leftOut));
    else readable.push(reading);
  }
  const keys = readable.map(({ key }) => key);
  const taken = id === null ? new Map<string, number>() : await reads.taken(id, keys);
  const fresh = readable.filter(({ key }) => !taken.has(key));
  return { fresh, known: readable.length - fresh.length, findings };
}

function namesOf(settling: Settling, fresh: readonly Readable<AccountDraft>[]): AccountNames {
  const drafts = fresh.map(({ draft }) => draft);
  return {
    ids: new Set(ownIds(settling, fresh)),
    emails: new Set(drafts.map(({ email }) => email)),
    usernameKeys: new Set(drafts.flatMap(({ username }) => (username === null ? [] : usernameKey(username)))),
    phones: new Set(drafts.flatMap(({ phone }) => phone ?? [])),
  };
}

function ownIds(settling: Settling, rows: readonly { readonly key: string }[]): readonly number[] {
  return rows.flatMap(({ key }) => ownId(settling, key) ?? []);
}

/** The row's own id, as long as nobody but this import can ever have had it here. */
function ownId({ known, keepsIdsUpTo }: Settling, key: string): number | null {
  const id = Number(key);
  // A row may have come since the highest id was looked up.
  if (keepsIdsUpTo === null || !Number.isSafeInteger(id) || id < 1 || id > keepsIdsUpTo) return null;
  const isHeldFree = id > known.idsAbove && id <= known.idsUpTo;
  return isHeldFree || id > known.lastId ? id : null;
}

function freeId(
  settling: Settling,
  key: string,
  used: ReadonlySet<number>,
  changes: Changed[],
): number | null {
  const id = ownId(settling, key);
  if (id !== null && !used.has(id)) return id;
  // Where no row keeps its id, the plan says so once.
  if (settling.keepsIdsUpTo !== null) changes.push("id_new");
  return null;
}

/** What may be had only once: what accounts here have, and what rows before this one have taken. */
class Names {
  readonly #emails: Set<string>;
  readonly #usernameKeys: Set<string>;
  readonly #phones: Set<string>;
  readonly #foreseen: ForeseenNames;

  constructor(used: AccountNames, foreseen: ForeseenNames) {
    this.#emails = new Set(used.emails);
    this.#usernameKeys = new Set(used.usernameKeys);
    this.#phones = new Set(used.phones);
    this.#foreseen = foreseen;
  }

  takeEmail(email: string): boolean {
    return take(email, this.#emails, this.#foreseen.emails);
  }

  takeUsername(username: string): boolean {
    return take(usernameKey(username), this.#usernameKeys, this.#foreseen.usernameKeys);
  }

  takePhone(phone: string): boolean {
    return take(phone, this.#phones, this.#foreseen.phones);
  }
}

/** False where somebody has it. */
function take(name: string, taken: Set<string>, foreseen: ReadonlySet<string>): boolean {
  if (taken.has(name) || foreseen.has(name)) return false;
  taken.add(name);
  return true;
}
