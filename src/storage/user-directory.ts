import type { UserDirectoryReads, UserFilter } from "../core/store.ts";
import { ACCOUNT_COLUMNS, accountOf } from "./accounts.ts";
import type { Connection, SqlValue } from "./database.ts";
import { integer } from "./rows.ts";

/** Nobody reads so many pages of a search; what there is beyond is found by its cursor all the same. */
const COUNTED_AT_MOST = 10_000;

export function userDirectoryReads(connection: Connection): UserDirectoryReads {
  return {
    async users(filter, { limit, offset, after }) {
      const { from, key, where, values } = selection(filter);
      const conditions = after === null ? where : [...where, `${key} < $${values.length + 3}`];
      const rows = await connection.all(
        `SELECT ${ACCOUNT_COLUMNS} FROM ${from} WHERE ${conditions.join(" AND ")}
         ORDER BY ${key} DESC LIMIT $${values.length + 1} OFFSET $${values.length + 2}`,
        [...values, limit, offset, ...(after === null ? [] : [after.id])],
      );
      return rows.map((row) => accountOf("user", row));
    },

    async count(filter) {
      if (filter.search === null) return countAll(connection, filter);
      const { from, where, values } = selection(filter);
      const row = await connection.first(
        `SELECT COUNT(*) AS found FROM (
           SELECT 1 FROM ${from} WHERE ${where.join(" AND ")} LIMIT ${COUNTED_AT_MOST}
         ) AS counted`,
        values,
      );
      return row === null ? 0 : integer(row, "found");
    },
  };
}

/** Without a search the database keeps the numbers itself: see the migration of the user directory. */
async function countAll(connection: Connection, { isActive, deleted }: UserFilter): Promise<number> {
  const row = await connection.first(
    `SELECT COALESCE(SUM(users), 0) AS found FROM user_counts
     WHERE is_deleted = $1 ${isActive === null ? "" : "AND is_active = $2"}`,
    [deleted, ...(isActive === null ? [] : [isActive])],
  );
  return row === null ? 0 : integer(row, "found");
}

interface Selection {
  readonly from: string;
  /** What rows are sorted by: the same number, but named where the engine walks along it. */
  readonly key: string;
  readonly where: readonly string[];
  readonly values: readonly SqlValue[];
}

/**
 * `LIKE` finds what may match by the index over all runs of three letters: in its pattern, whatever is special to it
 * stands for any one letter. The second condition then holds the text itself against the words that were asked for.
 */
function selection({ search, isActive, deleted }: UserFilter): Selection {
  const where = [`a.deleted_at_ms IS ${deleted ? "NOT NULL" : "NULL"}`];
  const values: SqlValue[] = [];
  const bind = (value: SqlValue) => `$${values.push(value)}`;

  if (isActive !== null) where.push(`a.is_active = ${bind(isActive)}`);
  if (search === null) return { from: "users a", key: "a.id", where, values };
  const sought = search.toLowerCase();
  where.push(`s.text LIKE ${bind(`%${sought.replace(/[%_\\]/g, "_")}%`)}`);
  where.push(`replace(s.text, ${bind(sought)}, '') <> s.text`);
  return { from: "users_search s JOIN users a ON a.id = s.rowid", key: "s.rowid", where, values };
}
