import { createHmac, timingSafeEqual } from "node:crypto";
import { Fault } from "./fault.ts";

/** What a list is sorted by, and which way. Rows that share the value are told apart by their ids, the same way. */
export interface Order<Key extends string> {
  readonly key: Key;
  readonly descending: boolean;
}

/** Where a row stands in an order. */
export interface Position {
  readonly value: string | number;
  readonly id: number;
}

export type PageRequest = { readonly size: number } & (
  | { readonly page: number }
  /** Null for the beginning of a list that is never counted. */
  | { readonly cursor: string | null }
);

export interface Page<Row> {
  readonly items: readonly Row[];
  readonly size: number;
  /** Reads on behind the last row; null where there is nothing more. */
  readonly nextCursor: string | null;
  /** Null for a page that was asked for by a cursor: counting costs more the longer a list is. */
  readonly numbered: { readonly page: number; readonly pages: number; readonly total: number } | null;
}

/** The rows that storage is asked for: either those that follow a position, or those that follow so many others. */
export interface Slice<Key extends string> {
  readonly order: Order<Key>;
  readonly limit: number;
  readonly offset: number;
  readonly after: Position | null;
}

export interface Listing<Row, Key extends string> {
  /** What a cursor is good for: the list's name, whose it is, and its filters. The order is added here. */
  readonly scope: readonly (string | number | boolean | null)[];
  readonly order: Order<Key>;
  rows(slice: Slice<Key>): Promise<readonly Row[]>;
  count(): Promise<number>;
  position(row: Row): Position;
}

/**
 * Cuts lists into pages, by number or by cursor.
 *
 * A cursor says where the last row of a page stood, not how many came before it: the next page starts there at the
 * same cost however deep, and rows that come and go meanwhile neither repeat nor hide any other. It carries a
 * signature over the list it was made for, so that nobody can make one up or take it to another list.
 */
export class Pages {
  readonly #cursorKey: Uint8Array;

  constructor(secret: string) {
    this.#cursorKey = createHmac("sha256", secret).update("latchkey cursors").digest();
  }

  /** Fails with `invalid` for a cursor that was not made for this list. */
  async read<Row, Key extends string>(listing: Listing<Row, Key>, request: PageRequest): Promise<Page<Row>> {
    const { size } = request;
    const scope = JSON.stringify([...listing.scope, listing.order.key, listing.order.descending]);
    // One row more than the page holds tells whether there is a next one.
    const slice = { order: listing.order, limit: size + 1 };

    if ("cursor" in request) {
      const after = request.cursor === null ? null : this.#opened(scope, request.cursor);
      const rows = await listing.rows({ ...slice, offset: 0, after });
      return { ...this.#cut(scope, listing, rows, size), size, numbered: null };
    }
    const { page } = request;
    const rows = await listing.rows({ ...slice, offset: (page - 1) * size, after: null });
    // What a search finds seldom fills a page, and to count it would be to search once more.
    const isAll = page === 1 && rows.length <= size;
    const total = isAll ? rows.length : await listing.count();
    const numbered = { page, pages: Math.ceil(total / size), total };
    return { ...this.#cut(scope, listing, rows, size), size, numbered };
  }

  #cut<Row, Key extends string>(
    scope: string,
    listing: Listing<Row, Key>,
    rows: readonly Row[],
    size: number,
  ): Pick<Page<Row>, "items" | "nextCursor"> {
    const items = rows.slice(0, size);
    const last = items.at(-1);
    const isLast = rows.length <= size || last === undefined;
    return { items, nextCursor: isLast ? null : this.#sealed(scope, listing.position(last)) };
  }

  #sealed(scope: string, { value, id }: Position): string {
    const content = Buffer.from(JSON.stringify([value, id])).toString("base64url");
    return `${content}.${this.#signature(scope, content)}`;
  }

  #opened(scope: string, cursor: string): Position {
    const [content = "", signature = ""] = cursor.split(".", 2);
    const expected = Buffer.from(this.#signature(scope, content));
    const given = Buffer.from(signature);
    const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
    if (!isOurs || cursor !== `${content}.${signature}`) throw unknownCursor();
    const position: unknown = JSON.parse(Buffer.from(content, "base64url").toString());
    if (!isPosition(position)) throw new Error("a signed cursor holds no position");
    return { value: position[0], id: position[1] };
  }

  #signature(scope: string, content: string): string {
    return createHmac("sha256", this.#cursorKey).update(`${scope}\n${content}`).digest("base64url");
  }
}

function isPosition(value: unknown): value is readonly [string | number, number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return ["string", "number"].includes(typeof value[0]) && typeof value[1] === "number";
}

function unknownCursor(): Fault {
  return Fault.invalid("query", "cursor", "Input should be the next_cursor of a page of this very list");
}
