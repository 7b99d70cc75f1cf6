import { searchKey } from "../core/search.ts";
import type { Priority, Todo } from "../core/todos.ts";
import type {
  NewFilledTodo,
  TodoChange,
  TodoReads,
  TodoSelection,
  TodoSort,
  TodoWrites,
} from "../core/store.ts";
import { assignments } from "./assignments.ts";
import { listed } from "./batches.ts";
import type { Connection, Row, SqlValue, WriteConnection } from "./database.ts";
import { boolean, integer, integerOrNull, text, textOrNull } from "./rows.ts";
import { readSlice } from "./slices.ts";
import { total } from "./total.ts";

const COLUMNS = "id, user_id, title, description, completed, priority, created_at_ms, updated_at_ms, version";

/** Whole texts, not put together at each call: a statement is found again by its text. */
const BY_ID = `SELECT ${COLUMNS} FROM todos WHERE id = $1`;
const OF_ACCOUNT = `SELECT ${COLUMNS} FROM todos WHERE user_id = $1
  ORDER BY created_at_ms, id LIMIT $2 OFFSET $3`;
const OF_ACCOUNT_COMPLETED = `SELECT ${COLUMNS} FROM todos WHERE user_id = $1 AND completed = $4
  ORDER BY created_at_ms, id LIMIT $2 OFFSET $3`;
const INSERT = `INSERT INTO todos
  (user_id, title, title_key, description, description_key, priority, created_at_ms, completed, version)
  VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, 1)`;

/** A change with what a search will look in. */
interface TodoRowChange extends TodoChange {
  readonly titleKey?: string;
  readonly descriptionKey?: string | null;
}

const COLUMN_OF: Readonly<Record<keyof TodoRowChange, string>> = {
  title: "title",
  titleKey: "title_key",
  description: "description",
  descriptionKey: "description_key",
  completed: "completed",
  priority: "priority",
};

/** Each has an index (migrations 0007 and 0008), which serves it as long as both say the same. */
const SORTED_BY: Readonly<Record<TodoSort, string>> = {
  created_at: "created_at_ms",
  updated_at: "COALESCE(updated_at_ms, created_at_ms)",
  priority: "CASE priority WHEN 'low' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END",
  title: "title",
};

/** More rows than any account has: what 'all of them' is where a statement wants a number. */
const NO_LIMIT = 2 ** 31 - 1;

export function todoReads(connection: Connection): TodoReads {
  return {
    async byId(id) {
      const row = await connection.first(BY_ID, [id]);
      return row === null ? null : todo(row);
    },

    async ofAccount(accountId, { completed, limit, offset }) {
      const page = [accountId, limit ?? NO_LIMIT, offset];
      const rows =
        completed === null
          ? await connection.all(OF_ACCOUNT, page)
          : await connection.all(OF_ACCOUNT_COMPLETED, [...page, completed]);
      return rows.map(todo);
    },

    async slice(accountId, selection, slice) {
      const from = { columns: COLUMNS, from: "todos", sortedBy: SORTED_BY };
      return (await readSlice(connection, { ...from, ...selected(accountId, selection) }, slice)).map(todo);
    },

    async count(accountId, selection) {
      const { where, values } = selected(accountId, selection);
      return await total(connection, `SELECT COUNT(*) AS total FROM todos WHERE ${where}`, values);
    },
  };
}

function selected(accountId: number, { completed, priority, words }: TodoSelection) {
  const conditions = ["user_id = $1"];
  const values: SqlValue[] = [accountId];
  const add = (condition: (placeholder: string) => string, value: SqlValue) => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  if (completed !== null) add((value) => `completed = ${value}`, completed);
  if (priority !== null) add((value) => `priority = ${value}`, priority);
  for (const word of words) add(holdsWord, word);
  return { where: conditions.join(" AND "), values };
}

/**
 * Taking a word out changes a text that holds it. `LIKE` says the same, but goes back at every letter: a text and a
 * word that are made for it take 500 µs in SQLite and 250 in PostgreSQL, against 10 and 5.
 *
 * A row of a former program has no key: there the engine takes the case away, as far as it can.
 */
function holdsWord(word: string): string {
  const isIn = (text: string) => `REPLACE(${text}, ${word}, '') <> ${text}`;
  const title = "COALESCE(title_key, UPPER(title))";
  const description = "COALESCE(description_key, UPPER(description))";
  return `(${isIn(title)} OR ${isIn(description)})`;
}

export function todoWrites(connection: WriteConnection): TodoWrites {
  return {
    ...todoReads(connection),

    async lock(ids, accountId) {
      const { rowLock } = connection.dialect;
      // An engine that has one writer at a time has nothing to lock.
      if (rowLock === "" || ids.length === 0) return;
      const asked = listed(ids, 1);
      const own = accountId === null ? "" : ` AND user_id = $${asked.values.length + 1}`;
      await connection.all(`SELECT id FROM todos WHERE id IN ${asked.sql}${own} ORDER BY id ${rowLock}`, [
        ...asked.values,
        ...(accountId === null ? [] : [accountId]),
      ]);
    },

    async insert({ accountId, title, description, priority, createdAtMs }) {
      const id = await connection.insert(INSERT, [
        accountId,
        title,
        searchKey(title),
        description,
        keyOrNull(description),
        priority,
        createdAtMs,
      ]);
      return {
        id,
        accountId,
        title,
        description,
        completed: false,
        priority,
        createdAtMs,
        updatedAtMs: null,
        version: 1,
      };
    },

    async insertMany(todos) {
      if (todos.length === 0) return;
      const rows = todos.map(filledRow);
      const places = rows.map(
        (row, nth) => `(${row.map((_, at) => `$${nth * row.length + at + 1}`).join(", ")})`,
      );
      await connection.run(
        `INSERT INTO todos
           (user_id, title, title_key, description, description_key, completed, priority, created_at_ms)
         VALUES ${places.join(", ")}`,
        rows.flat(),
      );
    },

    async update(id, change, nowMs, atVersion) {
      const { sql, values } = assignments(withKeys(change), COLUMN_OF, 3);
      const set = ["version = version + 1", "updated_at_ms = $2", ...sql].join(", ");
      const guard = atVersion === undefined ? "" : ` AND version = $${values.length + 3}`;
      const row = await connection.first(
        `UPDATE todos SET ${set} WHERE id = $1${guard} RETURNING ${COLUMNS}`,
        [id, nowMs, ...values, ...(atVersion === undefined ? [] : [atVersion])],
      );
      return row === null ? null : todo(row);
    },

    async delete(id, atVersion) {
      const deleted =
        atVersion === undefined
          ? connection.run("DELETE FROM todos WHERE id = $1", [id])
          : connection.run("DELETE FROM todos WHERE id = $1 AND version = $2", [id, atVersion]);
      return (await deleted) === 1;
    },
  };
}

function filledRow(todo: NewFilledTodo): readonly SqlValue[] {
  const { accountId, title, description, completed, priority, createdAtMs } = todo;
  const keys = { title: searchKey(title), description: keyOrNull(description) };
  return [accountId, title, keys.title, description, keys.description, completed, priority, createdAtMs];
}

function withKeys(change: TodoChange): TodoRowChange {
  const { title, description } = change;
  return {
    ...change,
    ...(title === undefined ? {} : { titleKey: searchKey(title) }),
    ...(description === undefined ? {} : { descriptionKey: keyOrNull(description) }),
  };
}

function keyOrNull(text: string | null): string | null {
  return text === null ? null : searchKey(text);
}

function todo(row: Row): Todo {
  return {
    id: integer(row, "id"),
    accountId: integer(row, "user_id"),
    title: text(row, "title"),
    description: textOrNull(row, "description"),
    completed: boolean(row, "completed"),
    priority: priority(text(row, "priority")),
    createdAtMs: integer(row, "created_at_ms"),
    updatedAtMs: integerOrNull(row, "updated_at_ms"),
    version: integer(row, "version"),
  };
}

function priority(value: string): Priority {
  if (value === "low" || value === "medium" || value === "high") return value;
  throw new TypeError("column priority holds no known priority");
}
