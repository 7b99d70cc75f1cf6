import { beforeAll, describe, expect, test } from "bun:test";
import { OPERATOR } from "../../../src/core/actor.ts";
import { Fault } from "../../../src/core/fault.ts";
import { Pages } from "../../../src/core/pages.ts";
import { failureOf } from "../../support/failure.ts";
import { forEachEngine, shared, TEST_SECRET } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import { signUp, wrongFields } from "./people.ts";
import type { Person } from "./people.ts";

const TODOS = "/v1/todos";
const SORTS = ["created_at", "updated_at", "priority", "title"].flatMap((key) => [key, `-${key}`]);
const WALKED = 3_000;

interface Todo {
  readonly id: number;
  readonly title: string;
  readonly priority: "low" | "medium" | "high";
  readonly created_at: string;
  readonly updated_at: string | null;
}

interface TodoPage {
  readonly items: readonly Todo[];
  readonly total?: number;
  readonly page?: number;
  readonly page_size: number;
  readonly pages?: number;
  readonly next_cursor: string | null;
}

async function page(person: Person, query: string): Promise<TodoPage> {
  const answer = await person.get(`${TODOS}?${query}`);
  expect(answer.status).toBe(200);
  return Object(answer.body);
}

/** Straight into the table, so that thousands are there at once; each sort value is shared by many. */
async function insert(program: TestProgram, accountId: number, count: number): Promise<void> {
  await program.database.write((connection) =>
    connection.run(
      `INSERT INTO todos (user_id, title, priority, created_at_ms, updated_at_ms)
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
         SELECT $1, CASE i % 5 WHEN 0 THEN 'Äpfel' WHEN 1 THEN 'apple' WHEN 2 THEN 'Zebra' WHEN 3 THEN '😀' ELSE 'a b' END,
           CASE i % 3 WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END,
           1700000000000 + i / 40, CASE i % 4 WHEN 0 THEN 1700000000000 + i / 60 END
         FROM n`,
      [accountId],
    ),
  );
}

const RANK = { low: 1, medium: 2, high: 3 } as const;

function sortValue(todo: Todo, key: string): string | number {
  if (key === "priority") return RANK[todo.priority];
  if (key === "title") return Buffer.from(todo.title).toString("hex");
  return Date.parse(key === "created_at" ? todo.created_at : (todo.updated_at ?? todo.created_at));
}

function expectInOrder(items: readonly Todo[], sort: string): void {
  const key = sort.replace("-", "");
  const sign = sort.startsWith("-") ? -1 : 1;
  const isInOrder = items.every((todo, index) => {
    const before = items[index - 1];
    if (before === undefined) return true;
    const [a, b] = [sortValue(before, key), sortValue(todo, key)];
    return a === b ? sign * (todo.id - before.id) > 0 : sign * (a < b ? 1 : -1) > 0;
  });
  expect(isInOrder).toBe(true);
}

forEachEngine("v1 pages", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  describe("of a few todos", () => {
    let alice: Person;
    beforeAll(async () => {
      alice = await signUp(program());
      await insert(program(), alice.id, 45);
    });

    test("tell the total, the newest first", async () => {
      const first = await page(alice, "");
      expect(Object.keys(first)).toEqual(["items", "total", "page", "page_size", "pages", "next_cursor"]);
      expect(first).toMatchObject({
        total: 45,
        page: 1,
        page_size: 20,
        pages: 3,
        next_cursor: expect.any(String),
      });
      expect(first.items).toHaveLength(20);
      expectInOrder(first.items, "-created_at");
      const last = await page(alice, "page=3&page_size=20");
      expect(last).toMatchObject({ total: 45, page: 3, pages: 3, next_cursor: null });
      expect(last.items).toHaveLength(5);
      const beyond = await page(alice, "page=4");
      expect(beyond).toEqual({ items: [], total: 45, page: 4, page_size: 20, pages: 3, next_cursor: null });
      const done = await page(alice, "completed=true");
      expect(done).toEqual({ items: [], total: 0, page: 1, page_size: 20, pages: 0, next_cursor: null });
      expect(await page(alice, "page_size=100")).toMatchObject({ pages: 1, next_cursor: null });
    });

    test("by cursor leave out what would have to be counted", async () => {
      const { next_cursor } = await page(alice, "page_size=40");
      const second = await page(alice, `page_size=3&cursor=${next_cursor}`);
      expect(Object.keys(second)).toEqual(["items", "page_size", "next_cursor"]);
      expect(second.items).toHaveLength(3);
      const last = await page(alice, `cursor=${second.next_cursor}`);
      expect(last).toMatchObject({ next_cursor: null });
      expect(last.items).toHaveLength(2);
    });

    test("have links to their neighbours", async () => {
      const linksOf = async (query: string) => (await alice.get(`${TODOS}?${query}`)).headers.get("link");
      const link = (query: string, rel: string) => `<${TODOS}?${query}>; rel="${rel}"`;
      const filter = "completed=false&q=%C3%A4pfel+%26&sort=-title&page_size=4";
      const filtered = "completed=false&sort=-title&page_size=10";
      expect(await linksOf(`page=2&junk=%0d%0aX:1&${filtered}`)).toBe(
        [
          link(`${filtered}&page=1`, "first"),
          link(`${filtered}&page=1`, "prev"),
          link(`${filtered}&page=3`, "next"),
          link(`${filtered}&page=5`, "last"),
        ].join(", "),
      );
      expect(await linksOf(filter)).toBe(
        [link(`${filter}&page=1`, "first"), link(`${filter}&page=1`, "last")].join(", "),
      );
      expect(await linksOf("page=9&page_size=30")).toContain(link("page_size=30&page=2", "prev"));
      const { next_cursor: cursor } = await page(alice, "page_size=20");
      const byCursor = await alice.get(`${TODOS}?page_size=20&cursor=${cursor}`);
      const next = Object(byCursor.body).next_cursor;
      expect(byCursor.headers.get("link")).toBe(link(`page_size=20&cursor=${next}`, "next"));
      const last = await alice.get(`${TODOS}?cursor=${next}`);
      expect(last.headers.get("link")).toBeNull();
    });

    test("have as many links as a proxy has room for", async () => {
      const relsOf = async (q: string) => {
        const answer = await alice.get(`${TODOS}?page_size=1&page=2&q=${encodeURIComponent(q)}`);
        expect(answer.status).toBe(200);
        const header = answer.headers.get("link") ?? "";
        expect(header.length).toBeLessThanOrEqual(3_000);
        return [...header.matchAll(/rel="(\w+)"/g)].map(([, rel]) => rel);
      };
      expect(await relsOf("a".repeat(200))).toEqual(["first", "prev", "last"]);
      expect(await relsOf("\u{1F34E}".repeat(90))).toEqual(["first", "prev"]);
      expect(await relsOf("\u{1F34E}".repeat(190))).toEqual(["prev"]);
    });

    test("S27 out of bounds are 422", async () => {
      for (const bad of ["0", "-1", "101", "1000000000", "1e9", "abc", "", "1.5", "9007199254740993"]) {
        expect(wrongFields(await alice.get(`${TODOS}?page_size=${bad}`))).toEqual(["page_size"]);
      }
      for (const bad of ["0", "-1", "1000000000", "1e9", "abc", ""]) {
        expect(wrongFields(await alice.get(`${TODOS}?page=${bad}`))).toEqual(["page"]);
      }
    });

    test("S27 a cursor that is forged, or of another list, order or account, is 422", async () => {
      const bob = await signUp(program());
      await insert(program(), bob.id, 3);
      const { next_cursor: cursor } = await page(alice, "page_size=2&completed=false&sort=title");
      const own = `completed=false&sort=title&cursor=${cursor}`;
      expect((await page(alice, own)).items).not.toBeEmpty();
      for (const other of [
        own.replace("completed=false&", ""),
        own.replace("false", "true"),
        own.replace("title", "-title"),
        own.replace("sort=title&", ""),
        `${own}&priority=low`,
        `${own}&q=a`,
        own.slice(0, -1),
        `${own}=`,
        "cursor=",
        "cursor=WzEsMV0",
        `cursor=${"x".repeat(5_000)}`,
        "cursor=%00",
        "cursor=%FF",
      ]) {
        expect(wrongFields(await alice.get(`${TODOS}?${other}`))).toEqual(["cursor"]);
      }
      expect(wrongFields(await bob.get(`${TODOS}?${own}`))).toEqual(["cursor"]);
      expect(wrongFields(await alice.get(`${TODOS}?${own}&page=2`))).toEqual(["page"]);
    });
  });

  test("S27 a cursor is sealed with the server's own secret", async () => {
    const alice = await signUp(program());
    await insert(program(), alice.id, 2);
    const { next_cursor } = await page(alice, "page_size=1");
    const { authentication, todos } = program().core;
    const caller = await authentication.caller("user", alice.token, OPERATOR);
    const everything = { completed: null, priority: null, words: [] };
    const listing = todos.listing(caller, everything, { key: "created_at", descending: true });
    const readUnder = (secret: string) =>
      new Pages(secret).read(listing, { size: 1, cursor: String(next_cursor) });
    expect((await readUnder(TEST_SECRET)).items).toHaveLength(1);
    expect(Fault.is(await failureOf(readUnder("another secret")), "invalid")).toBe(true);
  });

  test("a cursor reads on at another instance", async () => {
    const alice = await signUp(program());
    await insert(program(), alice.id, 5);
    const { next_cursor } = await page(alice, "page_size=4");
    const other = await start({ RATE_LIMIT_ENABLED: "false" });
    const answer = await other.client().get(`${TODOS}?cursor=${next_cursor}`, { token: alice.token });
    expect(Object(answer.body).items).toHaveLength(1);
  });

  describe(`a walk over ${WALKED} todos while another client inserts and deletes`, () => {
    test.each(SORTS)("in the order of %s sees every row that stayed once", async (sort) => {
      const alice = await signUp(program());
      await insert(program(), alice.id, WALKED);
      const rows = await program().database.reader.all("SELECT id FROM todos WHERE user_id = $1", [alice.id]);
      const staying = new Set(rows.map(({ id }) => Number(id)));
      const ids = [...staying];

      const seen: Todo[] = [];
      let cursor: string | null = null;
      let step = 0;
      do {
        const at: string = cursor === null ? "" : `&cursor=${cursor}`;
        const read = await page(alice, `sort=${sort}&page_size=100${at}`);
        seen.push(...read.items);
        cursor = read.next_cursor;
        // Deletes all over the list, the last row of the page among them, and adds rows before and behind it.
        const doomed = [read.items.at(-1)?.id ?? 0, ...[11, 7, 5].map((part) => ids[step * part] ?? 0)];
        const deletions = [...new Set(doomed)].filter((id) => staying.delete(id));
        const creations = (["low", "medium", "high"] as const).map((priority) => ({
          op: "create",
          title: `${"Zaz"[step % 3]}${step}`,
          priority,
        }));
        const operations = [...deletions.map((id) => ({ op: "delete", id })), ...creations];
        expect((await alice.post(`${TODOS}/bulk`, { operations })).status).toBe(200);
        step += 1;
      } while (cursor !== null);

      const seenIds = new Set(seen.map(({ id }) => id));
      expect(seenIds.size).toBe(seen.length);
      expect([...staying].filter((id) => !seenIds.has(id))).toEqual([]);
      expectInOrder(seen, sort);
    });
  });
});
