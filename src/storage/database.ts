/**
 * What the SQL of every noun runs on. Two engines implement it, `sqlite.ts` and `postgres.ts` with the
 * files named after them, and nothing else knows which one it has.
 *
 * Statements are written once: placeholders are `$1`, `$2`, …; times are `BIGINT` milliseconds since 1970;
 * conditions are written so that both engines read them alike.
 */
export type SqlValue = string | number | boolean | null | Uint8Array;

/** What one engine would bend in silence and the other refuse, both refuse; the texts never name the value. */
export function refuseUnbindable(values: readonly SqlValue[]): void {
  for (let index = 0; index < values.length; index += 1) {
    const problem = problemWith(values[index]);
    if (problem !== null) throw new TypeError(`the value of $${index + 1} ${problem}`);
  }
}

function problemWith(value: SqlValue | undefined): string | null {
  if (value === undefined) return "is undefined: bind null";
  if (typeof value === "number" && !Number.isSafeInteger(value)) return "is not a whole number below 2^53";
  if (typeof value === "string" && value.includes("\0")) return "holds U+0000, which PostgreSQL cannot keep";
  return null;
}

/** A row as the engine gave it: read its columns through `rows.ts`, which knows how the engines differ. */
export type Row = Readonly<Record<string, unknown>>;

/** What must be said to one engine in another way than to the other. */
export interface SqlDialect {
  /**
   * Whether `(a, b) < ($1, $2)` is a place in an index over both columns. To SQLite it is one in an index over the
   * first: it reads all rows that share the value. There `a = $1 AND b < $2` is such a place, while PostgreSQL may
   * take another index for that, and read whatever it holds.
   */
  readonly seeksPairs: boolean;
  /**
   * Ends a SELECT within a write, whose rows no other write then changes until this one is over. On SQLite that is
   * nothing: there is one writer. PostgreSQL would do the same for an UPDATE, and leave a dead row behind at each.
   */
  readonly rowLock: string;
}

export const SQLITE: SqlDialect = { seeksPairs: false, rowLock: "" };
export const POSTGRES: SqlDialect = { seeksPairs: true, rowLock: "FOR NO KEY UPDATE" };

/**
 * A statement that fails inside a transaction dooms it, on both engines: what follows is refused and `write`
 * rejects, even where `work` caught the error. So a conflict is handled outside the write, or avoided by
 * `ON CONFLICT`. Once the transaction is over its connection answers nothing more.
 */
export interface Connection {
  readonly dialect: SqlDialect;
  /** The first row, or null. For what an index finds at once: on PostgreSQL such reads share connections. */
  first(sql: string, values?: readonly SqlValue[]): Promise<Row | null>;
  /** All rows; also the one row of a statement that takes its time, as one that counts. */
  all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Answers how many rows were written: an update that must hit says so by looking at it. */
  run(sql: string, values?: readonly SqlValue[]): Promise<number>;
}

/** What a write asks. */
export interface WriteConnection extends Connection {
  /**
   * Puts one row into a table whose key is `id`, and answers the one that it was given. What else is in the row its
   * maker knows: to have SQLite answer it costs half as much again as the insert.
   */
  insert(sql: string, values: readonly SqlValue[]): Promise<number>;
}

export interface ScriptConnection extends WriteConnection {
  /** Runs a text of several statements without placeholders, as migrations hold them. */
  script(sql: string): Promise<void>;
}

/** A database as it was at one moment, whatever is written meanwhile. */
export interface Snapshot extends Connection {
  /** What one query answers, so many rows at a time. One of these is read to its end before the next begins. */
  portions(sql: string, rows: number): AsyncIterable<readonly Row[]>;
}

export interface Database {
  readonly engine: "sqlite" | "postgres";

  /**
   * Statements outside a transaction; each sees the database as it is at that moment, and may be asked twice
   * where a connection broke. Refuses to write.
   */
  readonly reader: Connection;

  /**
   * One transaction: all of `work` is kept, durably, once the promise fulfils, and none of it when it rejects.
   * `work` may await nothing but the connection it is given, and may run again after a deadlock.
   *
   * Fails with `UniqueViolation`, with `Fault unavailable` where the database cannot be reached or does not
   * answer in time, and with whatever `work` threw.
   */
  write<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T>;

  /**
   * Like `write`, for work that asks one statement and is refused another: it is kept or not by itself, and those that
   * meet share a commit on both engines. It may run again where another of them failed; what it throws afterwards may
   * undo nothing.
   */
  writeOne<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T>;

  /**
   * Like `write`, without waiting for the disk: a power cut may take it until the next `write` is kept, and never that
   * one without it.
   */
  writeUnsynced<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T>;

  /**
   * Like `write`, with one holder among all instances: for migrations. Waits longer for its turn, is not bound by
   * the statement deadline, and on SQLite checks foreign keys at its end, so that a table can be rebuilt.
   */
  writeAlone<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T>;

  /** Reads as long as it takes, of one moment: `work` may await what it likes. */
  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T>;

  /** How busy it is just now; on SQLite the one writer. */
  connections(): ConnectionCounts;
  /** Fulfils if the database answers; fails with `Fault unavailable` if not, within the statement deadline. */
  ping(): Promise<void>;
  /** The database's own clock. */
  currentTimeMs(): Promise<number>;
  /** Lets the writes under way finish and releases everything. What comes after fails with `Fault unavailable`. */
  close(): Promise<void>;
}

export interface ConnectionCounts {
  readonly max: number;
  readonly busy: number;
  readonly idle: number;
  /** Who waits for one. */
  readonly waiting: number;
}

/** A row was to refer to another that is not there any more. */
export class ReferenceViolation extends Error {
  constructor(cause: unknown) {
    super("a row refers to one that is gone", { cause });
    this.name = "ReferenceViolation";
  }
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

/** There is no such database, or it is none: what an operator must put right. The message is theirs. */
export class DatabaseRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DatabaseRefused";
  }
}

/** Called after each statement: the text and its duration, never the values. */
export type StatementListener = (sql: string, durationMs: number) => void;
