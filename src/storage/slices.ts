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
  /** The statement that answers the page, made of the one that finds its rows; absent where they are the same. */
  readonly around?: (found: string) => string;
  /** What each order sorts by: a column or an expression that holds no null, with an index over it and the id. */
  readonly sortedBy: Readonly<Record<Key, string>>;
}

/**
 * The rows of a slice, at a cost that does not depend on how many rows come before a position.
 *
 * Where the engine does not find the place of a pair, the rows that share the position's value and those beyond it
 * are asked for one after the other: in 200,000 todos of one value SQLite takes 20 ms for what are then 0.02.
 */
export async function readSlice<Key extends string>(
  connection: Connection,
  { columns, from, where, values, around = (found) => found, sortedBy }: Selection<Key>,
  { order, limit, offset, after }: Slice<Key>,
): Promise<readonly Row[]> {
  const value = sortedBy[order.key];
  const [direction, beyond] = order.descending ? (["DESC", "<"] as const) : (["ASC", ">"] as const);
  const nth = (position: number) => `$${values.length + position}`;
  const inOrder = `ORDER BY ${value} ${direction}, id ${direction}`;
  const rows = (condition: string, sorted: string, given: readonly SqlValue[]) =>
    connection.all(around(`SELECT ${columns} FROM ${from} WHERE ${where}${condition} ${sorted}`), [
      ...values,
      ...given,
    ]);

  if (after === null) return rows("", `${inOrder} LIMIT ${nth(1)} OFFSET ${nth(2)}`, [limit, offset]);
  if (connection.dialect.seeksPairs) {
    const place = ` AND (${value}, id) ${beyond} (${nth(2)}, ${nth(3)})`;
    return rows(place, `${inOrder} LIMIT ${nth(1)}`, [limit, after.value, after.id]);
  }
  const tied = await rows(
    ` AND ${value} = ${nth(2)} AND id ${beyond} ${nth(3)}`,
    `ORDER BY id ${direction} LIMIT ${nth(1)}`,
    [limit, after.value, after.id],
  );
  if (tied.length === limit) return tied;
  const rest = await rows(` AND ${value} ${beyond} ${nth(2)}`, `${inOrder} LIMIT ${nth(1)}`, [
    limit - tied.length,
    after.value,
  ]);
  return [...tied, ...rest];
}
