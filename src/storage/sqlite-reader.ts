import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import { type Connection, type Row, SQLITE, type SqlValue } from "./database.ts";
import type { SqliteHandle } from "./sqlite-handle.ts";

/**
 * Reads beside the writer, on a handle of their own.
 *
 * A statement by itself takes the file's lock and looks up where the log ends, which costs several times what the
 * reading does. So the reads of one turn of the event loop share a snapshot: the first one opens it, the end of the
 * turn closes it, and so does every commit of ours, before anybody learns of it. What we wrote is always seen;
 * what another process writes is seen one turn later. While a commit of ours waits for the disk, all reads share the
 * snapshot of before: what a power cut may still take is not shown to anybody.
 */
export class SqliteReader implements Connection {
  readonly dialect = SQLITE;
  readonly #handle: SqliteHandle;
  readonly #log: Log;
  #hasSnapshot = false;
  #isHeld = false;
  #isClosed = false;

  constructor(handle: SqliteHandle, log: Log) {
    this.#handle = handle;
    this.#log = log;
  }

  async first(sql: string, values?: readonly SqlValue[]): Promise<Row | null> {
    return this.#reading().first(sql, values);
  }

  async all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#reading().all(sql, values);
  }

  async run(sql: string, values?: readonly SqlValue[]): Promise<number> {
    return this.#reading().run(sql, values);
  }

  /** Until `refresh`, all reads see what is committed now. */
  hold(): void {
    this.#isHeld = true;
    // A snapshot is of the moment of its first statement.
    this.touch();
  }

  /** Fails where the file cannot be read. */
  touch(): void {
    this.#reading().touch();
  }

  /** The next read sees what is committed by then. */
  refresh(): void {
    this.#isHeld = false;
    if (!this.#hasSnapshot) return;
    this.#hasSnapshot = false;
    try {
      // An error may have ended the transaction already.
      if (this.#handle.inTransaction) this.#handle.closeSnapshot();
    } catch (error) {
      // Whoever wrote is not to hear of it: their write is kept. A read that cannot go on will say so itself.
      this.#log.error("sqlite.snapshot_failed", {}, error);
    }
  }

  close(): void {
    this.refresh();
    this.#isClosed = true;
    this.#handle.close();
  }

  #reading(): SqliteHandle {
    if (this.#isClosed) throw Fault.of({ kind: "unavailable" }, new Error("database is closed"));
    if (!this.#hasSnapshot) {
      this.#handle.openSnapshot();
      this.#hasSnapshot = true;
      this.#refreshAtTurn();
    }
    return this.#handle;
  }

  #refreshAtTurn(): void {
    setImmediate(() => {
      if (!this.#isHeld) this.refresh();
    });
  }
}
