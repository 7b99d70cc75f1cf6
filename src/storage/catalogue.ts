import type { Connection, Database } from "./database.ts";
import { boolean, text } from "./rows.ts";

type Engine = Database["engine"];

export type ColumnKind = "integer" | "boolean" | "text" | "bytes";

export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
}

export async function hasTable(connection: Connection, engine: Engine, table: string): Promise<boolean> {
  const sql =
    engine === "sqlite"
      ? "SELECT 1 FROM sqlite_schema WHERE name = $1"
      : "SELECT 1 WHERE to_regclass($1) IS NOT NULL";
  return (await connection.first(sql, [table])) !== null;
}

/** Why PostgreSQL, as this connection meets it, takes no writes; null where it does. Of SQLite the file tells. */
export async function whyReadOnly(
  connection: Connection,
  engine: Engine,
): Promise<"standby" | "setting" | null> {
  if (engine === "sqlite") return null;
  const row = await connection.first(
    `SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only') = 'on' AS is_read_only`,
  );
  if (row !== null && boolean(row, "is_standby")) return "standby";
  return row !== null && boolean(row, "is_read_only") ? "setting" : null;
}

/** The columns of a table that migrations made, in an order that both engines have in common. */
export async function columnsOf(
  connection: Connection,
  engine: Engine,
  table: string,
): Promise<readonly Column[]> {
  const sql =
    engine === "sqlite"
      ? "SELECT name, lower(type) AS type FROM pragma_table_info($1)"
      : `SELECT attname::text AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
           WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`;
  const rows = await connection.all(sql, [table]);
  return rows
    .map((row) => ({ name: text(row, "name"), kind: kindOf(table, text(row, "type")) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const KIND_OF_TYPE: Readonly<Record<string, ColumnKind>> = {
  integer: "integer",
  bigint: "integer",
  boolean: "boolean",
  text: "text",
  bytea: "bytes",
};

function kindOf(table: string, type: string): ColumnKind {
  const kind = KIND_OF_TYPE[type];
  if (kind === undefined) throw new Error(`${table} has a column of type ${type}, which no migration makes`);
  return kind;
}
