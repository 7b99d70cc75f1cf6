import type { Connection, SqlValue } from "./database.ts";
import { integer } from "./rows.ts";

/** What a statement counts, in its column `total`. */
export async function total(
  connection: Connection,
  sql: string,
  values: readonly SqlValue[] = [],
): Promise<number> {
  const [row] = await connection.all(sql, values);
  if (row === undefined) throw new Error("a statement that counts answered no row");
  return integer(row, "total");
}
