import type { Item, ItemChange, ItemKey, ItemReads, ItemWrites } from "../core/items.ts";
import { assignments } from "./assignments.ts";
import type { Connection, Row, WriteConnection } from "./database.ts";
import { integer, integerOrNull, text, textOrNull } from "./rows.ts";
import { readSlice } from "./slices.ts";
import { total } from "./total.ts";

const COLUMNS = "id, user_id, name, description, created_at_ms, updated_at_ms";

/** Each with an index over it and the id. */
const SORTED_BY: Readonly<Record<ItemKey, string>> = { created_at: "created_at_ms" };

const COLUMN_OF: Readonly<Record<keyof ItemChange, string>> = { name: "name", description: "description" };

export function itemReads(connection: Connection): ItemReads {
  return {
    async byId(id) {
      const row = await connection.first(`SELECT ${COLUMNS} FROM items WHERE id = $1`, [id]);
      return row === null ? null : item(row);
    },

    async slice(accountId, slice) {
      const own = {
        columns: COLUMNS,
        from: "items",
        where: "user_id = $1",
        values: [accountId],
        sortedBy: SORTED_BY,
      };
      return (await readSlice(connection, own, slice)).map(item);
    },

    countOf: (accountId) =>
      total(connection, "SELECT COUNT(*) AS total FROM items WHERE user_id = $1", [accountId]),
  };
}

export function itemWrites(connection: WriteConnection): ItemWrites {
  return {
    ...itemReads(connection),

    async insert({ accountId, name, description, createdAtMs }) {
      const id = await connection.insert(
        "INSERT INTO items (user_id, name, description, created_at_ms) VALUES ($1, $2, $3, $4)",
        [accountId, name, description, createdAtMs],
      );
      return { id, accountId, name, description, createdAtMs, updatedAtMs: null };
    },

    async update(id, change, nowMs) {
      const changed = assignments(change, COLUMN_OF, 3);
      const row = await connection.first(
        `UPDATE items SET ${["updated_at_ms = $2", ...changed.sql].join(", ")} WHERE id = $1 RETURNING ${COLUMNS}`,
        [id, nowMs, ...changed.values],
      );
      return row === null ? null : item(row);
    },

    async delete(id) {
      return (await connection.run("DELETE FROM items WHERE id = $1", [id])) === 1;
    },
  };
}

function item(row: Row): Item {
  return {
    id: integer(row, "id"),
    accountId: integer(row, "user_id"),
    name: text(row, "name"),
    description: textOrNull(row, "description"),
    createdAtMs: integer(row, "created_at_ms"),
    updatedAtMs: integerOrNull(row, "updated_at_ms"),
  };
}
