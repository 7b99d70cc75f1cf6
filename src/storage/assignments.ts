import type { SqlValue } from "./database.ts";

/**
 * The `SET` of an update that changes what is given and leaves what is absent: each field of the change has its
 * column here, so that no name of a request ever reaches the SQL.
 */
export function assignments<Change extends object>(
  change: Change,
  columns: Readonly<Record<keyof Change & string, string>>,
  firstPlaceholder: number,
): { readonly sql: readonly string[]; readonly values: readonly SqlValue[] } {
  const sql: string[] = [];
  const values: SqlValue[] = [];
  for (const [field, column] of Object.entries<string>(columns)) {
    const value: unknown = Reflect.get(change, field);
    if (value === undefined) continue;
    if (!isSqlValue(value)) throw new TypeError(`${field} holds nothing that a column can`);
    sql.push(`${column} = $${firstPlaceholder + values.length}`);
    values.push(value);
  }
  return { sql, values };
}

function isSqlValue(value: unknown): value is SqlValue {
  return (
    value === null ||
    typeof value === "string" ||
    typeof value === "number" ||
    typeof value === "boolean" ||
    value instanceof Uint8Array
  );
}
