import type { Caller } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import { makeWith, nothingElse } from "./idempotency.ts";
import type { Also } from "./idempotency.ts";
import { requireOwned, tellOwner } from "./owned.ts";
import type { Listing, Page, PageRequest, Pages, Slice } from "./pages.ts";
import type { Store } from "./store.ts";

export interface Item {
  readonly id: number;
  readonly accountId: number;
  readonly name: string;
  readonly description: string | null;
  readonly createdAtMs: number;
  /** Null until the first change. */
  readonly updatedAtMs: number | null;
}

export const NAME_MAX_CHARACTERS = 255;
export const DESCRIPTION_MAX_CHARACTERS = 1_000;

/** What items can be sorted by. */
export type ItemKey = "created_at";

/** What items need from storage. */
export interface ItemReads {
  byId(id: number): Promise<Item | null>;
  slice(accountId: number, slice: Slice<ItemKey>): Promise<readonly Item[]>;
  countOf(accountId: number): Promise<number>;
}

export interface ItemWrites extends ItemReads {
  insert(item: NewItem): Promise<Item>;
  /** Null where there is none. */
  update(id: number, change: ItemChange, nowMs: number): Promise<Item | null>;
  /** Answers whether there was one. */
  delete(id: number): Promise<boolean>;
}

export interface NewItem {
  readonly accountId: number;
  readonly name: string;
  readonly description: string | null;
  readonly createdAtMs: number;
}

/** What is absent stays as it is. */
export interface ItemChange {
  readonly name?: string;
  readonly description?: string | null;
}

export interface ItemInput {
  readonly name: string;
  readonly description?: string | null;
}

/** Items belong to the account that made them; an administrator by role may do everything with all. */
export class Items {
  readonly #store: Store;
  readonly #pages: Pages;
  readonly #clock: Clock;

  constructor(parts: { store: Store; pages: Pages; clock: Clock }) {
    this.#store = parts.store;
    this.#pages = parts.pages;
    this.#clock = parts.clock;
  }

  create(caller: Caller, input: ItemInput, also: Also<Item> = nothingElse): Promise<Item> {
    const item = {
      accountId: caller.account.id,
      name: input.name.trim(),
      description: input.description ?? null,
      createdAtMs: this.#clock.nowMs(),
    };
    return makeWith(this.#store, also, (tx) => tx.items.insert(item));
  }

  /** One's own, newest first. Fails with `invalid` for a cursor of another list. */
  list({ account }: Caller, request: PageRequest): Promise<Page<Item>> {
    const { items } = this.#store.read;
    const own: Listing<Item, ItemKey> = {
      scope: ["items", account.id],
      order: { key: "created_at", descending: true },
      rows: (slice) => items.slice(account.id, slice),
      count: () => items.countOf(account.id),
      position: ({ createdAtMs, id }) => ({ value: createdAtMs, id }),
    };
    return this.#pages.read(own, request);
  }

  async get(caller: Caller, id: number): Promise<Item> {
    return requireOwned(caller, "item", id, await this.#store.read.items.byId(id));
  }

  update(caller: Caller, id: number, change: ItemChange): Promise<Item> {
    return this.#store.write(async (tx) => {
      const item = requireOwned(caller, "item", id, await tx.items.byId(id));
      if (Object.keys(change).length === 0) return item;
      const trimmed = change.name === undefined ? change : { ...change, name: change.name.trim() };
      const nowMs = this.#clock.nowMs();
      const updated = (await tx.items.update(id, trimmed, nowMs)) ?? missing(id);
      tellOwner(tx, caller, "item", item, { what: "changed", atMs: nowMs });
      return updated;
    });
  }

  delete(caller: Caller, id: number): Promise<void> {
    return this.#store.write(async (tx) => {
      const item = requireOwned(caller, "item", id, await tx.items.byId(id));
      if (!(await tx.items.delete(id))) missing(id);
      tellOwner(tx, caller, "item", item, { what: "deleted", atMs: this.#clock.nowMs() });
    });
  }
}

function missing(id: number): never {
  throw Fault.of({ kind: "not_found", noun: "item", id });
}
