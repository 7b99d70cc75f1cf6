import type { Slice } from "../core/pages.ts";
import type { Connection, Row, SqlValue } from "./database.ts";

/** Rows of one table, of which a page is to be read in some order. */
export interface Selection<Key extends string> {
  readonly columns: string;
  /** As `FROM` wants it. */
  readonly from: string;
  /** What every row meets, with `$1` and on for its values. */
  readonly where: string;
  readonly values: readonly SqlValue[];
  /** What each order sorts by: a column or an expression that holds no null, with an index over it and the id. */
  readonly sortedBy: Readonly<Record<Key, string>>;
}

/**
 * The rows of a slice, at a cost that does not depend on how many rows come before a position.
 *
 * Rows that share the position's value and rows beyond it are asked for one after the other. One comparison of
 * pairs, `(value, id) < ($1, $2)`, says the same, but SQLite uses the index for the first half of a pair alone: in
 * 200,000 rows of one value it reads all that come before (20 ms, against 0.02).
 */
export async function readSlice<Key extends string>(
  connection: Connection,
  selection: Selection<Key>,
  { order, limit, offset, after }: Slice<Key>,
): Promise<readonly Row[]> {
  const { columns, from, where, values, sortedBy } = selection;
  const value = sortedBy[order.key];
  const direction = order.descending ? "DESC" : "ASC";
  const beyond = order.descending ? "<" : ">";
  const sorted = `SELECT ${columns} FROM ${from} WHERE ${where}`;
  const nth = (offsetBehindValues: number) => `$${values.length + offsetBehindValues}`;

  if (after === null) {
    return connection.all(
      `${sorted} ORDER BY ${value} ${direction}, id ${direction} LIMIT ${nth(1)} OFFSET ${nth(2)}`,
      [...values, limit, offset],
    );
  }
  const tied = await connection.all(
    `${sorted} AND ${value} = ${nth(1)} AND id ${beyond} ${nth(2)} ORDER BY id ${direction} LIMIT ${nth(3)}`,
    [...values, after.value, after.id, limit],
  );
  if (tied.length === limit) return tied;
  const rest = await connection.all(
    `${sorted} AND ${value} ${beyond} ${nth(1)}
     ORDER BY ${value} ${direction}, id ${direction} LIMIT ${nth(2)}`,
    [...values, after.value, limit - tied.length],
  );
  return [...tied, ...rest];
}
