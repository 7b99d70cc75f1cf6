/**
 * What the SQL of every noun runs on. Two engines implement it, `sqlite.ts` and `postgres.ts`, and nothing
 * outside those two files knows which one it has.
 *
 * Statements are written once: placeholders are `$1`, `$2`, …; times are `BIGINT` milliseconds since 1970;
 * conditions are written so that both engines read them alike.
 */
export type SqlValue = string | number | boolean | null | Uint8Array;

/** A row as the engine gave it: read its columns through `rows.ts`, which knows how the engines differ. */
export type Row = Readonly<Record<string, unknown>>;

export interface Connection {
  /** The first row, or null. */
  first(sql: string, values?: readonly SqlValue[]): Promise<Row | null>;
  all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Answers how many rows were written: an update that must hit says so by looking at it. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>;
}

export interface Database {
  readonly engine: "sqlite" | "postgres";

  /** Statements outside a transaction; each sees the database as it is at that moment. Refuses to write on SQLite. */
  readonly reader: Connection;

  /**
   * One transaction: all of `work` is kept, durably, once the promise fulfils, and none of it when it rejects.
   * `work` may await nothing but the connection it is given, and may run again after a deadlock.
   *
   * Fails with `UniqueViolation`, with `Fault unavailable` where the database cannot be reached or does not
   * answer in time, and with whatever `work` threw.
   */
  write<T>(work: (connection: Connection) => Promise<T>): Promise<T>;

  /** Like `write`, with one holder among all instances: for migrations. Not bound by the statement deadline. */
  writeAlone<T>(work: (connection: Connection) => Promise<T>): Promise<T>;

  /** Runs a text of several statements, as migrations hold them, on a connection of `writeAlone`. */
  script(connection: Connection, sql: string): Promise<void>;

  /** Fulfils if the database answers; fails with `Fault unavailable` if not, within the statement deadline. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A unique constraint refused a row: `column` is the first column that the constraint is on. */
export class UniqueViolation extends Error {
  readonly table: string;
  readonly column: string;

  constructor(table: string, column: string, cause: unknown) {
    super(`unique constraint on ${table}.${column}`, { cause });
    this.name = "UniqueViolation";
    this.table = table;
    this.column = column;
  }
}

/** Called after each statement where `DB_ECHO` is set: the text and its duration, never the values. */
export type StatementListener = (sql: string, durationMs: number) => void;
