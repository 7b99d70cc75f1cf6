import { existsSync } from "node:fs";
import { Fault } from "../core/fault.ts";
import { DatabaseRefused, SQLITE } from "./database.ts";
import type { Row, Snapshot, SqlValue, StatementListener } from "./database.ts";
import { SqliteHandle } from "./sqlite-handle.ts";

const WAIT_MS = 5_000;

/** Reads a file that others may write to meanwhile, and changes nothing of it, nor makes it where it is missing. */
export async function readSqlite<T>(
  path: string,
  work: (snapshot: Snapshot) => Promise<T>,
  onStatement?: StatementListener,
): Promise<T> {
  const handle = openAtOneMoment(path, onStatement);
  try {
    return await work(new SqliteSnapshot(handle));
  } finally {
    handle.close();
  }
}

function openAtOneMoment(path: string, onStatement: StatementListener | undefined): SqliteHandle {
  if (!existsSync(path)) throw new DatabaseRefused(`there is no database ${path}`);
  let handle: SqliteHandle | null = null;
  try {
    handle = new SqliteHandle(path, "read", onStatement);
    handle.script(`PRAGMA busy_timeout = ${WAIT_MS}`);
    handle.openSnapshot();
    // The moment is that of the first look.
    handle.touch();
    return handle;
  } catch (error) {
    handle?.close();
    const cause = error instanceof Fault ? error.cause : error;
    if (!(cause instanceof Error)) throw error;
    throw new DatabaseRefused(`${path} cannot be read as a SQLite database: ${cause.message}`, cause);
  }
}

class SqliteSnapshot implements Snapshot {
  readonly dialect = SQLITE;
  readonly #handle: SqliteHandle;

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  async first(sql: string, values?: readonly SqlValue[]): Promise<Row | null> {
    return this.#handle.first(sql, values);
  }

  async all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#handle.all(sql, values);
  }

  async run(sql: string, values?: readonly SqlValue[]): Promise<number> {
    return this.#handle.run(sql, values);
  }

  async *portions(sql: string, rows: number): AsyncGenerator<readonly Row[]> {
    let portion: Row[] = [];
    for (const row of this.#handle.each(sql)) {
      if (portion.push(row) < rows) continue;
      yield portion;
      portion = [];
    }
    if (portion.length > 0) yield portion;
  }
}
