import type { Clock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import { ALL_ROWS, describeTables, NUMBERED_TABLES, selectInOrder } from "./copied-tables.ts";
import type { Table } from "./copied-tables.ts";
import { prepareTarget, requireSource } from "./copy-target.ts";
import type { Database, Row, Snapshot, SqlValue } from "./database.ts";
import { idsOf } from "./ids.ts";
import type { Numbered } from "./ids.ts";
import type { Migration } from "./migrations.ts";
import { compareTables, CopyRefused, nameOf, readRow } from "./table-comparison.ts";
import type { Side } from "./table-comparison.ts";
import { total } from "./total.ts";
import { markFinished } from "./unfinished-copy.ts";

export interface CopyTask {
  /** Read as it is at one moment, and never written to. */
  readonly source: Pick<Database, "engine" | "snapshot">;
  /** Empty, or what an earlier call left of the same copy. */
  readonly target: Database;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  /** Fails with its reason, between two writes; the next call goes on from there. */
  readonly signal: AbortSignal;
  onCopied(rows: number, total: number): void;
  onChecked(rows: number, total: number): void;
}

export interface CopyReport {
  readonly tables: readonly ComparedTable[];
  /** How many rows were there already, of a copy that was cut off. */
  readonly rowsBefore: number;
}

export interface ComparedTable {
  readonly name: string;
  readonly rows: number;
  /** Equal rows have an equal one, whatever engine holds them. */
  readonly checksum: string;
}

const NOT_ALIKE = "the copy is not what the source is, and not to be used";
/** So many values one statement takes, on both engines. */
const VALUES_PER_WRITE = 10_000;

/**
 * Copies everything, then reads both and compares them row by row. Fails with `CopyRefused` where source or target
 * is not what it must be, and where the two are not alike at the end.
 */
export function copyDatabase(task: CopyTask): Promise<CopyReport> {
  const { source } = task;
  return source.snapshot((snapshot) => copyFrom({ engine: source.engine, snapshot }, task));
}

async function copyFrom(source: Side, task: CopyTask): Promise<CopyReport> {
  const { target } = task;
  const origin = await requireSource({ engine: source.engine, reader: source.snapshot }, task.migrations);
  await prepareTarget(target, origin, task);
  const tables = await describeTables(source.snapshot, source.engine);
  const total = await sum(tables, (table) => countRows(source.snapshot, table));
  const copying = stepsOf(task, (rows) => task.onCopied(rows, total));
  const rowsBefore = await sum(tables, (table) => copyTable(table, source, task, copying));
  const given = await continueIds(source, target);
  const checking = stepsOf(task, (rows) => task.onChecked(rows, total));
  const tablesAlike = await target.snapshot(async (snapshot) => {
    const sides = { source, target: { engine: target.engine, snapshot } };
    await checkIds(given, sides.target);
    return checkRows(tables, sides, checking);
  });
  await target.write((connection) => markFinished(connection));
  return { tables: tablesAlike, rowsBefore };
}

type Step = (rows: number) => Promise<void>;

/** Between two portions of rows: signals are heard, and progress is told. */
function stepsOf({ signal }: CopyTask, tell: (rows: number) => void): Step {
  let done = 0;
  return async (rows) => {
    done += rows;
    tell(done);
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  };
}

/** Answers how many rows were there before. */
async function copyTable(table: Table, source: Side, task: CopyTask, step: Step): Promise<number> {
  const { target } = task;
  const before = table.isFilled ? 0 : await rowsBefore(table, source, target, step);
  const rowsPerWrite = Math.floor(VALUES_PER_WRITE / table.columns.length);
  const rest = selectInOrder(table, source.engine, { ...ALL_ROWS, after: before });
  let nth = before + 1;
  for await (const portion of source.snapshot.portions(rest, rowsPerWrite)) {
    await insert(table, portion, nth, target);
    nth += portion.length;
    await step(portion.length);
  }
  return before;
}

/**
 * What is there was copied in the order of the key, of an earlier moment: it is held against the source of now, so
 * that no change between the two is missed.
 */
async function rowsBefore(table: Table, source: Side, target: Database, step: Step): Promise<number> {
  return target.snapshot(async (snapshot) => {
    const rows = await countRows(snapshot, table);
    if (rows === 0) return 0;
    const sides = { source, target: { engine: target.engine, snapshot } };
    const { difference } = await compareTables(table, sides, { after: 0, most: rows }, step);
    if (difference === null) return rows;
    throw new CopyRefused(
      `this copy cannot go on: ${difference}, so that the source or the target was written to since it was cut off; ` +
        "begin again with an empty target",
    );
  });
}

/** A row that the target refuses is looked for one by one, so that it can be named. */
async function insert(table: Table, portion: readonly Row[], first: number, target: Database): Promise<void> {
  const rows = portion.map((row, nth) => readRow(table, row, { side: "source", nth: first + nth }));
  try {
    await target.write((connection) => connection.run(insertion(table, rows), rows.flat()));
  } catch (error) {
    const [row, ...others] = portion;
    if (!(error instanceof Error) || error instanceof Fault || row === undefined) throw error;
    if (others.length === 0) {
      const name = nameOf(table, row, first);
      throw new CopyRefused(`${name} cannot be written to the target: ${error.message}`, error);
    }
    for (const [nth, each] of portion.entries()) await insert(table, [each], first + nth, target);
  }
}

function insertion({ name, key, columns, isFilled }: Table, rows: readonly (readonly SqlValue[])[]): string {
  const names = columns.map((column) => column.name);
  const places = rows.map(
    (row, nth) => `(${row.map((_, at) => `$${nth * row.length + at + 1}`).join(", ")})`,
  );
  const changes = names
    .filter((column) => !key.includes(column))
    .map((column) => `${column} = EXCLUDED.${column}`);
  const instead = isFilled ? ` ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${changes.join(", ")}` : "";
  return `INSERT INTO ${name} (${names.join(", ")}) VALUES ${places.join(", ")}${instead}`;
}

type GivenIds = ReadonlyMap<Numbered, number>;

/** Read once: a sequence of PostgreSQL goes on while its rows are seen as they were. */
async function continueIds(source: Side, target: Database): Promise<GivenIds> {
  const given = new Map<Numbered, number>();
  for (const numbered of NUMBERED_TABLES) {
    const last = await idsOf(source.snapshot, source.engine, numbered).last();
    await target.write((connection) => idsOf(connection, target.engine, numbered).raise(last));
    given.set(numbered, last);
  }
  return given;
}

async function checkIds(given: GivenIds, target: Side): Promise<void> {
  for (const [numbered, last] of given) {
    const found = await idsOf(target.snapshot, target.engine, numbered).last();
    if (found === last) continue;
    throw new CopyRefused(
      `${NOT_ALIKE}: ids of ${numbered.name} go on after ${found}, in the source after ${last}`,
    );
  }
}

async function checkRows(
  tables: readonly Table[],
  sides: { readonly source: Side; readonly target: Side },
  step: Step,
): Promise<readonly ComparedTable[]> {
  const checked: ComparedTable[] = [];
  for (const table of tables) {
    const { rows, checksum, difference } = await compareTables(table, sides, ALL_ROWS, step);
    if (difference !== null) throw new CopyRefused(`${NOT_ALIKE}: ${difference}`);
    checked.push({ name: table.name, rows, checksum });
  }
  return checked;
}

function countRows(snapshot: Snapshot, { name }: Table): Promise<number> {
  return total(snapshot, `SELECT COUNT(*) AS total FROM ${name}`);
}

async function sum(tables: readonly Table[], amount: (table: Table) => Promise<number>): Promise<number> {
  let total = 0;
  for (const table of tables) total += await amount(table);
  return total;
}
