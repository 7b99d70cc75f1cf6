import { describe, expect, test } from "bun:test";
import { Fault } from "../../src/core/fault.ts";
import { Pages } from "../../src/core/pages.ts";
import type { Listing, Slice } from "../../src/core/pages.ts";
import { failureOf } from "../support/failure.ts";

interface Numbered {
  readonly id: number;
  readonly rank: number;
}

/** Seven rows, some of which share a rank, in memory. */
const ROWS: readonly Numbered[] = [3, 1, 2, 2, 1, 3, 2].map((rank, index) => ({ id: index + 1, rank }));

function listing(scope: string, descending = false): Listing<Numbered, "rank"> {
  return {
    scope: [scope],
    order: { key: "rank", descending },
    rows: async (slice) => sliced(slice),
    count: async () => ROWS.length,
    position: ({ id, rank }) => ({ value: rank, id }),
  };
}

function sliced({ order, limit, offset, after }: Slice<"rank">): readonly Numbered[] {
  const sign = order.descending ? -1 : 1;
  const compare = (a: Numbered, b: Numbered) => sign * (a.rank - b.rank || a.id - b.id);
  const sorted = ROWS.toSorted(compare);
  const { value, id } = after ?? {};
  const rest =
    typeof value === "number" && id !== undefined
      ? sorted.filter((row) => compare(row, { id, rank: value }) > 0)
      : sorted;
  return rest.slice(offset, offset + limit);
}

const pages = new Pages("a secret");
const ids = (rows: readonly Numbered[]) => rows.map(({ id }) => id);

test("numbered pages tell the total, and one behind the last is empty", async () => {
  const first = await pages.read(listing("a"), { size: 3, page: 1 });
  expect(ids(first.items)).toEqual([2, 5, 3]);
  expect(first.numbered).toEqual({ page: 1, pages: 3, total: 7 });
  const last = await pages.read(listing("a"), { size: 3, page: 3 });
  expect(ids(last.items)).toEqual([6]);
  expect(last.nextCursor).toBeNull();
  const beyond = await pages.read(listing("a"), { size: 3, page: 4 });
  expect(beyond).toEqual({ items: [], size: 3, nextCursor: null, numbered: { page: 4, pages: 3, total: 7 } });
});

test("a first page that holds all there is needs no count", async () => {
  const uncounted = { ...listing("a"), count: () => Promise.reject(new Error("counted")) };
  for (const size of [7, 8]) {
    const { items, nextCursor, numbered } = await pages.read(uncounted, { size, page: 1 });
    expect(items).toHaveLength(7);
    expect(nextCursor).toBeNull();
    expect(numbered).toEqual({ page: 1, pages: 1, total: 7 });
  }
  expect(await failureOf(pages.read(uncounted, { size: 6, page: 1 }))).toMatchObject({ message: "counted" });
  const none = await pages.read({ ...uncounted, rows: async () => [] }, { size: 7, page: 1 });
  expect(none.numbered).toEqual({ page: 1, pages: 0, total: 0 });
});

test.each([1, 2, 3, 7, 8])("cursors lead through all rows once, %d at a time", async (size) => {
  for (const descending of [false, true]) {
    const seen: number[] = [];
    let page = await pages.read(listing("a", descending), { size, page: 1 });
    seen.push(...ids(page.items));
    while (page.nextCursor !== null) {
      page = await pages.read(listing("a", descending), { size, cursor: page.nextCursor });
      expect(page.numbered).toBeNull();
      seen.push(...ids(page.items));
    }
    const ascending = [2, 5, 3, 4, 7, 1, 6];
    expect(seen).toEqual(descending ? ascending.toReversed() : ascending);
  }
});

describe("S27 a cursor is refused", () => {
  const cursorOf = async (from: Pages, list = listing("a")) =>
    (await from.read(list, { size: 3, page: 1 })).nextCursor ?? "";
  const refused = async (cursor: string) => {
    const failure = await failureOf(pages.read(listing("a"), { size: 3, cursor }));
    expect(Fault.is(failure, "invalid")).toBe(true);
  };

  test("that was made for another list, or another order, or under another secret", async () => {
    await refused(await cursorOf(pages, listing("b")));
    await refused(await cursorOf(pages, listing("a", true)));
    await refused(await cursorOf(new Pages("another secret")));
  });

  test("that was changed, cut, or made up", async () => {
    const cursor = await cursorOf(pages);
    const [content = "", signature = ""] = cursor.split(".");
    const elsewhere = Buffer.from("[1,1]").toString("base64url");
    for (const bad of [
      "",
      ".",
      "..",
      content,
      `${content}.`,
      `.${signature}`,
      `${elsewhere}.${signature}`,
      `${content}=.${signature}`,
      `${cursor}=`,
      `${cursor}.`,
      `${cursor}.x`,
      ` ${cursor}`,
      cursor.slice(0, -1),
      `${content}.${"é".repeat(43)}`,
      "WzEsMV0",
      "../../etc/passwd",
    ]) {
      await refused(bad);
    }
  });
});
