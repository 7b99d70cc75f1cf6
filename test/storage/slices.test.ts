import { beforeAll, describe, expect, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Todo } from "../../src/core/todos.ts";
import type { TodoSelection, TodoSort } from "../../src/core/store.ts";
import { accountReads } from "../../src/storage/accounts.ts";
import { migrateUp, parseMigrations } from "../../src/storage/migrations.ts";
import { todoReads } from "../../src/storage/todos.ts";
import { forEachEngine } from "./engines.ts";
import { plan, recording } from "./plans.ts";
import type { Statement } from "./plans.ts";

const ROWS = 4_000;
const ALL: TodoSelection = { completed: null, priority: null, words: [] };

/** Two accounts' todos, and as many accounts, where every value is shared by many. */
const FILL = `
  INSERT INTO users (id, email, password_hash, created_at_ms)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    SELECT i, 'u' || i || '@example.com', 'x', i / 100 FROM n;
  INSERT INTO todos (user_id, title, priority, created_at_ms, updated_at_ms)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    SELECT 1 + i % 2, 'title ' || (i % 10), CASE i % 3 WHEN 0 THEN 'low' WHEN 1 THEN 'medium' ELSE 'high' END,
      i / 100, CASE i % 4 WHEN 0 THEN i / 50 END
    FROM n;`;

/** Nothing is read to be thrown away or sorted: the cost is that of the rows that are answered. */
function expectIndexAlone(text: string, index: string): void {
  expect(text).toContain(index);
  expect(text).not.toMatch(/TEMP B-TREE|SCAN \w+\b(?! USING INDEX)|Seq Scan|Bitmap|Sort|Filter/);
}

const sorts: Readonly<Record<TodoSort, { readonly index: string; readonly value: string | number }>> = {
  created_at: { index: "todos_by_created_at", value: 20 },
  updated_at: { index: "todos_by_updated_at", value: 20 },
  priority: { index: "todos_by_priority", value: 2 },
  title: { index: "todos_by_title", value: "title 5" },
};
const PRIORITIES = ["low", "medium", "high"];
/** What each order goes by, in the words of the core. */
const valueOf: Readonly<Record<TodoSort, (todo: Todo) => string | number>> = {
  created_at: ({ createdAtMs }) => createdAtMs,
  updated_at: ({ createdAtMs, updatedAtMs }) => updatedAtMs ?? createdAtMs,
  priority: ({ priority }) => PRIORITIES.indexOf(priority),
  title: ({ title }) => title,
};

function compared(one: string | number, other: string | number): number {
  return one === other ? 0 : one < other ? -1 : 1;
}

const keys = ["created_at", "updated_at", "priority", "title"] as const;

forEachEngine("slices", (engine, open) => {
  const database = open();
  beforeAll(async () => {
    await migrateUp(database, parseMigrations(migrationFiles), systemClock);
    await database.writeAlone((connection) => connection.script(FILL));
    // PostgreSQL does so by itself in time; SQLite never does.
    if (engine === "postgres") await database.writeAlone((connection) => connection.script("ANALYZE"));
  });

  describe.each(keys)("of todos by %s", (key) => {
    const { index, value } = sorts[key];

    test.each([false, true])(
      "come from an index alone, at the start and behind any row, descending: %p",
      async (descending) => {
        const statements: Statement[] = [];
        const todos = todoReads(recording(database.reader, statements));
        const slice = { order: { key, descending }, limit: 21, offset: 0 };
        const first = await todos.slice(1, ALL, { ...slice, after: null });
        expect(first).toHaveLength(21);
        // Behind the last row of those that share the value, so that what follows them is read too.
        const edge = descending ? 1 : ROWS;
        expect(await todos.slice(1, ALL, { ...slice, after: { value, id: edge } })).toHaveLength(21);
        for (const statement of statements) expectIndexAlone(await plan(database, statement), index);
        // The id, too, is part of the place where the second page begins.
        const [, second] = statements;
        if (second === undefined) throw new Error("no statement for the second page");
        expect(await plan(database, second)).toMatch(/AND id[<>]\?|Index Cond: .*ROW\(.*, id\) [<>] ROW/);
      },
    );

    test.each([false, true])(
      "go by the value and then by the id, from any offset, descending: %p",
      async (descending) => {
        const todos = todoReads(database.reader);
        // A filter that no index has: the engine may sort what it finds as it likes, but for what it is told.
        const selection: TodoSelection = { ...ALL, completed: false, words: ["TITLE"] };
        const slice = (limit: number, offset: number) =>
          todos.slice(1, selection, { order: { key, descending }, limit, offset, after: null });
        const all = await slice(ROWS, 0);
        const sign = descending ? -1 : 1;
        const inOrder = all.toSorted(
          (a, b) => sign * (compared(valueOf[key](a), valueOf[key](b)) || a.id - b.id),
        );
        expect(all).toHaveLength(ROWS / 2);
        expect(all.map(({ id }) => id)).toEqual(inOrder.map(({ id }) => id));
        expect(await slice(10, 35)).toEqual(inOrder.slice(35, 45));
      },
    );
  });

  test("of accounts come from an index alone", async () => {
    const statements: Statement[] = [];
    const accounts = accountReads(recording(database.reader, statements), "user");
    const slice = { order: { key: "created_at", descending: true }, limit: 101, offset: 0 } as const;
    const first = await accounts.liveSlice({ ...slice, after: null });
    expect(first.map(({ id }) => id)).toEqual(Array.from({ length: 101 }, (_, index) => ROWS - index));
    const next = await accounts.liveSlice({ ...slice, after: { value: 20, id: 2_050 } });
    expect(next.map(({ id }) => id)).toEqual(Array.from({ length: 101 }, (_, index) => 2_049 - index));
    for (const statement of statements)
      expectIndexAlone(await plan(database, statement), "users_by_created_at");
  });
});
