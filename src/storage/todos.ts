import type { Priority, Todo } from "../core/todos.ts";
import type { TodoChange, TodoReads, TodoWrites } from "../core/store.ts";
import { assignments } from "./assignments.ts";
import type { Connection, Row } from "./database.ts";
import { boolean, integer, integerOrNull, text, textOrNull } from "./rows.ts";

const COLUMNS = "id, user_id, title, description, completed, priority, created_at_ms, updated_at_ms";

const COLUMN_OF: Readonly<Record<keyof TodoChange, string>> = {
  title: "title",
  description: "description",
  completed: "completed",
  priority: "priority",
};

/** More rows than any account has: what 'all of them' is where a statement wants a number. */
const NO_LIMIT = 2 ** 31 - 1;

export function todoReads(connection: Connection): TodoReads {
  return {
    async byId(id) {
      const row = await connection.first(`SELECT ${COLUMNS} FROM todos WHERE id = $1`, [id]);
      return row === null ? null : todo(row);
    },

    async ofAccount(accountId, { completed, limit, offset }) {
      const rows = await connection.all(
        `SELECT ${COLUMNS} FROM todos WHERE user_id = $1 ${completed === null ? "" : "AND completed = $4"}
         ORDER BY id LIMIT $2 OFFSET $3`,
        [accountId, limit ?? NO_LIMIT, offset, ...(completed === null ? [] : [completed])],
      );
      return rows.map(todo);
    },
  };
}

export function todoWrites(connection: Connection): TodoWrites {
  return {
    ...todoReads(connection),

    async insert({ accountId, title, description, priority, createdAtMs }) {
      const row = await connection.first(
        `INSERT INTO todos (user_id, title, description, priority, created_at_ms)
         VALUES ($1, $2, $3, $4, $5) RETURNING ${COLUMNS}`,
        [accountId, title, description, priority, createdAtMs],
      );
      if (row === null) throw new Error("an insert into todos answered no row");
      return todo(row);
    },

    async update(id, change, nowMs) {
      const changed = assignments(change, COLUMN_OF, 3);
      const row = await connection.first(
        `UPDATE todos SET ${["updated_at_ms = $2", ...changed.sql].join(", ")} WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, nowMs, ...changed.values],
      );
      return row === null ? null : todo(row);
    },

    async delete(id) {
      return (await connection.run("DELETE FROM todos WHERE id = $1", [id])) === 1;
    },
  };
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
  };
}

function priority(value: string): Priority {
  if (value === "low" || value === "medium" || value === "high") return value;
  throw new TypeError("column priority holds no known priority");
}
