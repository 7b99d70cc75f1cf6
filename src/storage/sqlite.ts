import { closeSync, existsSync, mkdtempSync, openSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault } from "../core/fault.ts";
import { type Log, silentLog } from "../core/log.ts";
import { DatabaseRefused } from "./database.ts";
import type {
  ConnectionCounts,
  Database,
  ScriptConnection,
  Snapshot,
  StatementListener,
  WriteConnection,
} from "./database.ts";
import { OneStatement } from "./one-statement.ts";
import { integer } from "./rows.ts";
import { SqliteDisk, syncLogLeft } from "./sqlite-disk.ts";
import type { Disk } from "./sqlite-disk.ts";
import { SqliteHandle } from "./sqlite-handle.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import { readSqlite } from "./sqlite-snapshot.ts";
import { SqliteWriter } from "./sqlite-writer.ts";

export interface SqliteOptions {
  /** A file, made where it is missing, or `:memory:` for one that is gone after `close`. */
  readonly path: string;
  /** How long a write waits for another process to let go of the file. */
  readonly busyTimeoutMs?: number;
  readonly onStatement?: StatementListener | undefined;
  readonly log?: Log;
  /** When a write that awaits something foreign is undone. */
  readonly watchdogMs?: number;
  /** For a test that wants to hold it up, or see it fail. */
  readonly disk?: Disk;
}

/** SQLite waits for a lock on the event loop: so briefly, and the rest of `busyTimeoutMs` is waited beside it. */
const BLOCKING_WAIT_MS = 10;
const OPENING_WAIT_MS = 5_000;
const LONE_LOCK_WAIT_MS = 60_000;

export function openSqlite(options: SqliteOptions): Database {
  const scratch = options.path === ":memory:" ? mkdtempSync(join(tmpdir(), "latchkey-")) : null;
  const path = scratch === null ? options.path : join(scratch, "memory.db");
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) {
    throw new DatabaseRefused(`the folder of the SQLite database does not exist: ${folder}`);
  }
  try {
    return open(path, scratch, options);
  } catch (error) {
    const cause = error instanceof Fault ? error.cause : error;
    if (!(cause instanceof Error)) throw error;
    throw new DatabaseRefused(`${path} cannot be opened as a SQLite database: ${cause.message}`, cause);
  }
}

function open(given: string, scratch: string | null, options: SqliteOptions): Database {
  // It holds password hashes: nobody but its owner reads it. SQLite gives the files beside it the same mode.
  if (!existsSync(given)) closeSync(openSync(given, "a", 0o600));
  // SQLite keeps the log beside the file itself, wherever a link to it lies.
  const path = realpathSync(given);
  syncLogLeft(path);
  const writing = new SqliteHandle(path, "write", options.onStatement);
  writing.script(`PRAGMA busy_timeout = ${OPENING_WAIT_MS}; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`);
  const reading = new SqliteHandle(path, "read", options.onStatement);
  reading.script(`PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`);
  return new Sqlite(path, writing, reading, scratch, options);
}

class Sqlite implements Database {
  readonly engine = "sqlite";
  readonly reader: SqliteReader;
  readonly #writing: SqliteHandle;
  readonly #writer: SqliteWriter;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #scratch: string | null;
  readonly #onStatement: StatementListener | undefined;
  #closed: Promise<void> | null = null;

  constructor(
    path: string,
    writing: SqliteHandle,
    reading: SqliteHandle,
    scratch: string | null,
    options: SqliteOptions,
  ) {
    const log = options.log ?? silentLog;
    this.reader = new SqliteReader(reading, log);
    this.#writing = writing;
    this.#path = path;
    this.#scratch = scratch;
    this.#onStatement = options.onStatement;
    this.#disk = options.disk ?? new SqliteDisk(path);
    this.#writer = new SqliteWriter(writing, {
      lockWaitMs: options.busyTimeoutMs ?? 5_000,
      loneLockWaitMs: LONE_LOCK_WAIT_MS,
      log,
      disk: this.#disk,
      readers: this.reader,
      ...(options.watchdogMs === undefined ? {} : { watchdogMs: options.watchdogMs }),
    });
  }

  write<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#writer.write(work, "synced");
  }

  writeUnsynced<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#writer.write(work, "unsynced");
  }

  writeOne<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#writer.write((connection) => work(new OneStatement(connection)), "statement");
  }

  writeAlone<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T> {
    return this.#writer.write(work, "alone");
  }

  async snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    if (this.#closed !== null) throw Fault.of({ kind: "unavailable" }, new Error("database is closed"));
    return readSqlite(this.#path, work, this.#onStatement);
  }

  connections(): ConnectionCounts {
    const { isBusy, waiting } = this.#writer;
    return { max: 1, busy: isBusy ? 1 : 0, idle: isBusy ? 0 : 1, waiting };
  }

  async ping(): Promise<void> {
    if (this.#writer.failure !== null) throw this.#writer.failure;
    this.reader.touch();
  }

  async currentTimeMs(): Promise<number> {
    const sql = "SELECT CAST(ROUND((JULIANDAY('now') - 2440587.5) * 86400000) AS INTEGER) AS now_ms";
    return integer((await this.reader.first(sql)) ?? {}, "now_ms");
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #finish(): Promise<void> {
    await this.#writer.close();
    this.reader.close();
    await this.#disk.release();
    // The last to close writes the log into the database; after a failed fsync it is left to the next start instead.
    if (this.#writer.failure === null) {
      this.#writing.script("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#writing.close();
    }
    if (this.#scratch !== null) rmSync(this.#scratch, { recursive: true, force: true });
  }
}
