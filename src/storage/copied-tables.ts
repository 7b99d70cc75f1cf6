import { columnsOf } from "./catalogue.ts";
import type { Column, ColumnKind } from "./catalogue.ts";
import type { Connection, Database, Row, SqlValue } from "./database.ts";
import type { Numbered } from "./ids.ts";
import { booleanOrNull, bytesOrNull, integerOrNull, textOrNull } from "./rows.ts";

interface CopiedTable {
  readonly name: string;
  /** Its primary key: rows are copied in this order. */
  readonly key: readonly string[];
  /** Where its ids are given by the database: the column that they are in. */
  readonly ids: string | null;
  /** Its rows are there as soon as the schema is, and give way to those of the source. */
  readonly isFilled: boolean;
}

/** All that is copied, each table after those that it refers to. What triggers keep is made anew by them. */
export const COPIED_TABLES: readonly CopiedTable[] = [
  numbered("users"),
  numbered("admins"),
  numbered("sessions"),
  numbered("refresh_tokens"),
  numbered("personal_tokens"),
  numbered("todos"),
  numbered("items"),
  { name: "login_attempts", key: ["realm", "subject"], ids: null, isFilled: false },
  { name: "idempotency_keys", key: ["key", "owner"], ids: null, isFilled: false },
  numbered("imports"),
  { name: "imported_rows", key: ["import_id", "source_key"], ids: null, isFilled: false },
  numbered("audit_log", "seq"),
  { name: "audit_chain", key: ["id"], ids: null, isFilled: true },
];

export const NUMBERED_TABLES: readonly Numbered[] = COPIED_TABLES.flatMap(({ name, ids }) =>
  ids === null ? [] : [{ name, ids }],
);

function numbered(name: string, ids = "id"): CopiedTable {
  return { name, key: [ids], ids, isFilled: false };
}

export interface Table extends CopiedTable {
  readonly columns: readonly Column[];
}

export async function describeTables(
  connection: Connection,
  engine: Database["engine"],
): Promise<readonly Table[]> {
  const tables: Table[] = [];
  for (const table of COPIED_TABLES) {
    tables.push({ ...table, columns: await columnsOf(connection, engine, table.name) });
  }
  return tables;
}

/** Which rows of a table, counted in the order of its key. */
export interface Span {
  readonly after: number;
  readonly most: number;
}

export const ALL_ROWS: Span = { after: 0, most: Number.MAX_SAFE_INTEGER };

export function selectInOrder(
  { name, key, columns }: Table,
  engine: Database["engine"],
  { after, most }: Span,
): string {
  const kinds = new Map(columns.map((column) => [column.name, column.kind]));
  // Byte by byte, as SQLite has it.
  const order = key.map((column) =>
    engine === "postgres" && kinds.get(column) === "text" ? `${column} COLLATE "C"` : column,
  );
  const names = columns.map((column) => column.name).join(", ");
  return `SELECT ${names} FROM ${name} ORDER BY ${order.join(", ")} LIMIT ${most} OFFSET ${after}`;
}

const READ: Readonly<Record<ColumnKind, (row: Row, column: string) => SqlValue>> = {
  integer: integerOrNull,
  boolean: booleanOrNull,
  text: textOrNull,
  bytes: bytesOrNull,
};

/** A row's values in the order of its columns, alike whichever engine it came from. */
export function valuesOf({ columns }: Table, row: Row): readonly SqlValue[] {
  return columns.map(({ name, kind }) => READ[kind](row, name));
}

/** One text for equal rows, and another for any other row. */
export function canonical(values: readonly SqlValue[]): string {
  return JSON.stringify(
    values.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value)),
  );
}
