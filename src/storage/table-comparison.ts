import { canonical, selectInOrder, valuesOf } from "./copied-tables.ts";
import type { Span, Table } from "./copied-tables.ts";
import type { Database, Row, Snapshot, SqlValue } from "./database.ts";

/** Nothing was copied, or what was is not to be relied on. The message is one line for the operator. */
export class CopyRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CopyRefused";
  }
}

export interface Side {
  readonly engine: Database["engine"];
  readonly snapshot: Snapshot;
}

export interface Comparison {
  /** How many are alike, from the first on. */
  readonly rows: number;
  /** Of these rows: equal rows have an equal one, whatever engine holds them. */
  readonly checksum: string;
  /** Where the first one is that is not alike, and in what; null where all are. */
  readonly difference: string | null;
}

const PORTION_ROWS = 1_000;

/** Reads a table of both in the order of its key, row by row. `onPortion` is told how many more were looked at. */
export async function compareTables(
  table: Table,
  sides: { readonly source: Side; readonly target: Side },
  span: Span,
  onPortion: (rows: number) => Promise<void>,
): Promise<Comparison> {
  const hash = new Bun.CryptoHasher("sha256");
  const portions = ({ engine, snapshot }: Side) =>
    snapshot.portions(selectInOrder(table, engine, span), PORTION_ROWS);
  let rows = 0;
  let difference: string | null = null;
  for await (const [ours, theirs] of inStep(portions(sides.source), portions(sides.target))) {
    const source = ours.map((row, nth) => lineOf(table, row, { side: "source", nth: rows + nth + 1 }));
    const target = theirs.map((row, nth) => lineOf(table, row, { side: "target", nth: rows + nth + 1 }));
    const first = source.findIndex(({ text }, nth) => text !== target[nth]?.text);
    const end = first === -1 ? source.length : first;
    for (const { text } of source.slice(0, end)) hash.update(`${text}\n`);
    rows += end;
    difference = differenceOf(table, source[end], target[end]);
    if (difference !== null) break;
    await onPortion(end);
  }
  return { rows, checksum: hash.digest("hex"), difference };
}

export interface Place {
  readonly side: "source" | "target";
  /** Counted from one, in the order of the key. */
  readonly nth: number;
}

/** Fails with `CopyRefused` where a row holds something that its column cannot. */
export function readRow(table: Table, row: Row, place: Place): readonly SqlValue[] {
  try {
    return valuesOf(table, row);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const name = nameOf(table, row, place.nth);
    throw new CopyRefused(`${name} cannot be read from the ${place.side}: ${error.message}`, error);
  }
}

/** What an operator can look for: the id, or else the place in the order of the key, which may be private. */
export function nameOf({ name, ids }: Table, row: Row, nth: number): string {
  return ids === null ? `row number ${nth} of ${name}` : `row ${String(row[ids])} of ${name}`;
}

interface Line {
  readonly name: string;
  readonly values: readonly SqlValue[];
  readonly text: string;
}

function lineOf(table: Table, row: Row, place: Place): Line {
  const values = readRow(table, row, place);
  return { name: nameOf(table, row, place.nth), values, text: canonical(values) };
}

function differenceOf(table: Table, source: Line | undefined, target: Line | undefined): string | null {
  if (source === undefined) return target === undefined ? null : `${target.name} is in the target alone`;
  if (target === undefined) return `${source.name} is missing in the target`;
  const changed = table.columns
    .filter((_, nth) => canonical([source.values[nth] ?? null]) !== canonical([target.values[nth] ?? null]))
    .map((column) => column.name);
  return table.key.some((column) => changed.includes(column))
    ? `${source.name} is not there, where the target has ${target.name}`
    : `${source.name} is another in the target: ${changed.join(", ")}`;
}

/** Both together; what one lacks at its end is empty. */
async function* inStep<T>(
  left: AsyncIterable<readonly T[]>,
  right: AsyncIterable<readonly T[]>,
): AsyncGenerator<readonly [readonly T[], readonly T[]]> {
  const others = right[Symbol.asyncIterator]();
  for await (const portion of left) {
    const other = await others.next();
    yield [portion, other.done === true ? [] : other.value];
  }
  for (let other = await others.next(); other.done !== true; other = await others.next()) {
    yield [[], other.value];
  }
}
