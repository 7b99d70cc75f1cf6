import type { Realm } from "../accounts.ts";
import type { ImportNoun } from "./mapping.ts";
import type { AccountDraft, OwnedDraft } from "./rows.ts";

/** One table of a source, as this database knows it. */
export interface KnownTable {
  /** Null before the first row of it was taken. */
  readonly id: number | null;
  /** Ids above the one and up to the other are held free for its rows. */
  readonly idsAbove: number;
  readonly idsUpTo: number;
  /** The last id that was given to anything of this noun. */
  readonly lastId: number;
}

/** What may be had only once, of all accounts of a realm. */
export interface AccountNames {
  readonly ids: ReadonlySet<number>;
  readonly emails: ReadonlySet<string>;
  readonly usernameKeys: ReadonlySet<string>;
  readonly phones: ReadonlySet<string>;
}

export type Placed<Draft> = Draft & { readonly id: number; readonly key: string };
export type PlacedOwned = Placed<OwnedDraft> & { readonly accountId: number };

/** What an import needs from storage. A batch is a thousand rows at most. */
export interface ImportReads {
  table(source: string, table: string, noun: ImportNoun): Promise<KnownTable>;
  countTaken(tableId: number): Promise<number>;
  /** Where rows went, by their keys in the source: also those that were removed here since. */
  taken(tableId: number, keys: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Those of the given that accounts have, deleted ones too. */
  namesInUse(realm: Realm, asked: AccountNames): Promise<AccountNames>;
  idsInUse(noun: ImportNoun, ids: readonly number[]): Promise<ReadonlySet<number>>;
}

export interface ImportWrites extends ImportReads {
  /** From now on nothing else is given an id up to this one. Answers the table as it was found. */
  begin(source: string, table: string, noun: ImportNoun, idsUpTo: number, nowMs: number): Promise<KnownTable>;
  /** Of two that import the same, one goes on. */
  lock(tableId: number): Promise<void>;
  newIds(noun: ImportNoun, count: number): Promise<readonly number[]>;
  /** Fails with `conflict` on `email`, `username` or `phone`. */
  insertAccounts(realm: Realm, accounts: readonly Placed<AccountDraft>[], nowMs: number): Promise<void>;
  insertOwned(noun: "todo" | "item", rows: readonly PlacedOwned[]): Promise<void>;
  note(tableId: number, rows: readonly { readonly key: string; readonly id: number }[]): Promise<void>;
}
