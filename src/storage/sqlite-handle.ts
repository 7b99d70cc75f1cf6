import { Database as BunDatabase, SQLiteError, type Statement } from "bun:sqlite";
import { Fault } from "../core/fault.ts";
import {
  type Row,
  type SqlValue,
  type StatementListener,
  refuseUnbindable,
  ReferenceViolation,
  UniqueViolation,
} from "./database.ts";

/** The primary result codes that say the file, the disk or a lock fails us, rather than the statement. */
const BUSY = 5;
const LOCKED = 6;
const OUT_OF_ORDER = new Set([BUSY, LOCKED, 7, 8, 10, 11, 13, 14, 15, 26]);
const READONLY = 8;

/** What is done with a text, made once for each handle rather than once for each call. */
type Execute<T> = (sql: string, values: readonly SqlValue[]) => T;

/** One open handle on the file: runs statements at once, prepared once for each text. */
export class SqliteHandle {
  readonly #database: BunDatabase;
  readonly #statements = new Map<string, Statement<Row, SqlValue[]>>();
  readonly #isReadonly: boolean;
  readonly #onStatement: StatementListener | undefined;
  readonly #first: Execute<Row | null> = (sql, values) => this.#prepared(sql, values).get(...values);
  readonly #all: Execute<readonly Row[]> = (sql, values) => this.#prepared(sql, values).all(...values);
  readonly #run: Execute<number> = (sql, values) => this.#prepared(sql, values).run(...values).changes;
  readonly #insert: Execute<number> = (sql, values) =>
    Number(this.#prepared(sql, values).run(...values).lastInsertRowid);
  readonly #script: Execute<void> = (sql) => void this.#database.run(sql);

  constructor(path: string, access: "write" | "read", onStatement: StatementListener | undefined) {
    this.#isReadonly = access === "read";
    this.#database = new BunDatabase(
      path,
      access === "read" ? { readonly: true, strict: true } : { readwrite: true, create: true, strict: true },
    );
    this.#onStatement = onStatement;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  first(sql: string, values: readonly SqlValue[] = []): Row | null {
    return this.#timed(this.#first, sql, values);
  }

  all(sql: string, values: readonly SqlValue[] = []): readonly Row[] {
    return this.#timed(this.#all, sql, values);
  }

  /** Row by row, as they are asked for. */
  *each(sql: string): Generator<Row> {
    try {
      yield* this.#prepared(sql, []).iterate();
    } catch (error) {
      throw translated(error, this.#isReadonly);
    }
  }

  run(sql: string, values: readonly SqlValue[] = []): number {
    return this.#timed(this.#run, sql, values);
  }

  insert(sql: string, values: readonly SqlValue[]): number {
    return this.#timed(this.#insert, sql, values);
  }

  script(sql: string): void {
    this.#timed(this.#script, sql, []);
  }

  /** Answers false where another connection holds the lock. */
  beginImmediate(): boolean {
    try {
      this.#prepared("BEGIN IMMEDIATE", []).run();
      return true;
    } catch (error) {
      if (error instanceof SQLiteError && primaryCode(error) === BUSY) return false;
      throw translated(error, this.#isReadonly);
    }
  }

  /** A snapshot is no statement of anybody's, and so not told to who listens to statements. */
  openSnapshot(): void {
    this.#snapshot("BEGIN");
  }

  /** Reads a page of the file, which `SELECT 1` alone would not. */
  touch(): void {
    this.first("SELECT 1 FROM sqlite_schema LIMIT 1");
  }

  closeSnapshot(): void {
    this.#snapshot("COMMIT");
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    this.#database.close(true);
  }

  #prepared(sql: string, values: readonly SqlValue[]): Statement<Row, SqlValue[]> {
    refuseUnbindable(values);
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<Row, SqlValue[]>(numbered(sql));
      this.#statements.set(sql, statement);
    }
    // Given nothing at all, a statement would run with the values it was given last.
    if (statement.paramsCount !== values.length) {
      throw new TypeError(`statement takes ${statement.paramsCount} values and got ${values.length}: ${sql}`);
    }
    return statement;
  }

  #snapshot(sql: "BEGIN" | "COMMIT"): void {
    try {
      this.#prepared(sql, []).run();
    } catch (error) {
      throw translated(error, this.#isReadonly);
    }
  }

  #timed<T>(execute: Execute<T>, sql: string, values: readonly SqlValue[]): T {
    const startedAtMs = this.#onStatement === undefined ? 0 : performance.now();
    try {
      return execute(sql, values);
    } catch (error) {
      throw translated(error, this.#isReadonly);
    } finally {
      this.#onStatement?.(sql, performance.now() - startedAtMs);
    }
  }
}

/**
 * To SQLite `$2` is a name, numbered by where it first stands; `?2` is the second value. Texts, quoted names and
 * comments are matched first so that a `$1` inside them stays as it is.
 */
function numbered(sql: string): string {
  const pattern = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|(?<![\w$])\$(\d+)/g;
  return sql.replace(pattern, (whole: string, position: string | undefined) =>
    position === undefined ? whole : `?${position}`,
  );
}

function translated(error: unknown, isReadonly: boolean): unknown {
  if (!(error instanceof SQLiteError)) return error;
  if (error.code === "SQLITE_CONSTRAINT_UNIQUE" || error.code === "SQLITE_CONSTRAINT_PRIMARYKEY") {
    const [, table, column] = /constraint failed: ([^.]+)\.([^,]+)/.exec(error.message) ?? [];
    if (table !== undefined && column !== undefined) return new UniqueViolation(table, column, error);
  }
  if (error.code === "SQLITE_CONSTRAINT_FOREIGNKEY") return new ReferenceViolation(error);
  // On the reader this is our own mistake; on the writer the disk has become read-only.
  if (isReadonly && primaryCode(error) === READONLY) return error;
  return OUT_OF_ORDER.has(primaryCode(error)) ? Fault.of({ kind: "unavailable" }, error) : error;
}

function primaryCode(error: SQLiteError): number {
  return error.errno & 0xff;
}
