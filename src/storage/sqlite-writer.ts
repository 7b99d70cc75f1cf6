import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import { type Row, type ScriptConnection, SQLITE, type SqlValue } from "./database.ts";
import type { Disk } from "./sqlite-disk.ts";
import { QueuedWrite } from "./queued-write.ts";
import type { Job, Outcome } from "./queued-write.ts";
import type { SqliteHandle } from "./sqlite-handle.ts";

/** Bounds how long the first write of a batch waits for the last. */
const BATCH_JOBS = 256;
/**
 * How many pages the log may hold before it is written into the database and begun anew. A page that is written again
 * and again costs a checkpoint once, so that the longer it is put off the less it costs each write. Where nobody waits
 * for it, it is done as soon as SQLite itself would; where somebody does, as late as it is still over in time.
 */
const QUIET_LOG_PAGES = 1_000;
const BUSY_LOG_PAGES = { least: 4_000, most: 16_000 };
const CHECKPOINT_MS = 100;
/** What is left of the file then: it is written over, and to grow would cost each fsync more. */
const LOG_FILE_BYTES = BUSY_LOG_PAGES.most * 4_096;
const LOCK_RETRY_MS = 20;
const WATCHDOG_MS = 5_000;

export interface WriterOptions {
  readonly lockWaitMs: number;
  readonly loneLockWaitMs: number;
  readonly log: Log;
  readonly disk: Disk;
  /** Those who read beside the writer: they see no commit before it is kept, and each one from then on. */
  readonly readers: { hold(): void; refresh(): void };
  readonly watchdogMs?: number;
}

/**
 * `alone` has a transaction to itself; of the others, all but one that is `unsynced` make their batch wait for the disk.
 * One of a single `statement` needs no savepoint: SQLite takes back by itself what a statement did that fails.
 */
type JobKind = "synced" | "statement" | "unsynced" | "alone";

interface SqliteJob extends Job<ScriptConnection> {
  readonly kind: JobKind;
  readonly giveUpAtMs: number;
}

class SqliteWrite<T> extends QueuedWrite<T, ScriptConnection> implements SqliteJob {
  readonly kind: JobKind;
  readonly giveUpAtMs: number;

  constructor(work: (connection: ScriptConnection) => Promise<T>, kind: JobKind, giveUpAtMs: number) {
    super(work);
    this.kind = kind;
    this.giveUpAtMs = giveUpAtMs;
  }
}

/**
 * The one writer of an SQLite file. An fsync costs far more than the statements before it, so the jobs that meet
 * in one turn of the event loop share a transaction: each under its own savepoint where it may ask several statements,
 * one COMMIT for all, and no promise settles before it is on the disk. That is waited for beside the event loop, which
 * SQLite itself would stop: the handle commits with `synchronous=NORMAL`, and what FULL adds to that is done here.
 */
export class SqliteWriter {
  readonly #handle: SqliteHandle;
  readonly #options: WriterOptions;
  #queue: SqliteJob[] = [];
  #drained: Promise<void> | null = null;
  #isWriting = false;
  #isClosed = false;
  #logPages = 0;
  #busyLogPages = BUSY_LOG_PAGES.least;
  #failure: Fault | null = null;

  constructor(handle: SqliteHandle, options: WriterOptions) {
    this.#handle = handle;
    this.#options = options;
    // What waits for the disk is `Disk`, where the event loop does not wait with it: commits, and checkpoints.
    handle.script(`PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${LOG_FILE_BYTES}`);
    this.#adapt("shared");
  }

  /** Whether anybody waits for it: what it does after the answers is its own affair. */
  get isBusy(): boolean {
    return this.#isWriting || this.#queue.length > 0;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Why nothing is written any more, until the file is opened anew. */
  get failure(): Fault | null {
    return this.#failure;
  }

  write<T>(work: (connection: ScriptConnection) => Promise<T>, kind: JobKind): Promise<T> {
    if (this.#isClosed)
      return Promise.reject(Fault.of({ kind: "unavailable" }, new Error("database is closed")));
    const { lockWaitMs, loneLockWaitMs } = this.#options;
    const giveUpAtMs = performance.now() + (kind === "alone" ? loneLockWaitMs : lockWaitMs);
    const write = new SqliteWrite(work, kind, giveUpAtMs);
    this.#queue.push(write);
    this.#drained ??= this.#drain();
    return write.result;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#drained;
  }

  async #drain(): Promise<void> {
    await this.#gather();
    do {
      await this.#writeBatch();
      await this.#gather();
      await this.#checkpointIfDue();
    } while (this.#queue.length > 0);
    this.#drained = null;
  }

  /**
   * A turn for all who come in this one, and one for those who were just answered and write again: else two halves of
   * them would take turns, and each would wait for the other's fsync as well as for its own.
   */
  async #gather(): Promise<void> {
    await nextTurn();
    await nextTurn();
  }

  /** Jobs stay in the queue until the lock is ours, so that each gives up at its own hour. */
  async #writeBatch(): Promise<void> {
    this.#isWriting = true;
    const isAlone = this.#queue[0]?.kind === "alone";
    let batch: readonly SqliteJob[] = [];
    try {
      if (isAlone) this.#adapt("alone");
      if (this.#failure !== null) throw this.#failure;
      if (!this.#handle.beginImmediate()) return await this.#waitForLock();
      batch = this.#queue.splice(0, this.#nextBatchLength());
      const outcomes = await this.#runAndCommit(batch, isAlone);
      for (const [index, outcome] of outcomes.entries()) batch[index]?.settle(outcome);
    } catch (error) {
      for (const job of [...batch, ...this.#queue.splice(0)]) job.settle({ error });
    } finally {
      this.#isWriting = false;
      if (isAlone) this.#adapt("shared");
    }
  }

  /**
   * Outside a transaction only. What a savepoint would bring back is kept in memory: as a file, which `temp_store` has it
   * be from 64 KB on, it is written as much again as the database. A migration, alone, may sort a whole table.
   */
  #adapt(to: "shared" | "alone"): void {
    this.#handle.script(
      to === "shared"
        ? "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY"
        : "PRAGMA foreign_keys = OFF; PRAGMA temp_store = FILE",
    );
  }

  async #waitForLock(): Promise<void> {
    const now = performance.now();
    const error = Fault.of(
      { kind: "unavailable" },
      new Error("another process holds the database's write lock"),
    );
    for (const job of this.#queue) if (job.giveUpAtMs <= now) job.settle({ error });
    this.#queue = this.#queue.filter((job) => job.giveUpAtMs > now);
    if (this.#queue.length > 0) await Bun.sleep(LOCK_RETRY_MS);
  }

  #nextBatchLength(): number {
    const nextAlone = this.#queue.findIndex(({ kind }) => kind === "alone");
    return nextAlone === 0 ? 1 : nextAlone === -1 ? BATCH_JOBS : Math.min(nextAlone, BATCH_JOBS);
  }

  async #runAndCommit(batch: readonly SqliteJob[], isAlone: boolean): Promise<readonly Outcome[]> {
    const watchdog = new Watchdog(this.#options.watchdogMs ?? WATCHDOG_MS);
    const outcomes: Outcome[] = [];
    try {
      for (const job of batch) {
        const hasSavepoint = batch.length > 1 && job.kind !== "statement";
        const outcome = await this.#runJob(job, hasSavepoint, watchdog);
        outcomes.push(outcome);
        if (outcome !== null && batch.length === 1) return outcomes;
        // A full disk makes SQLite roll the whole transaction back, whoever's statement met it.
        if (!this.#handle.inTransaction)
          throw outcome === null ? new Error("transaction is gone") : outcome.error;
      }
      // It watches over what jobs await; a slow disk is not theirs.
      watchdog.stop();
      if (isAlone) this.#checkForeignKeys();
      await this.#commit(batch.some(({ kind }) => kind !== "unsynced"));
      return outcomes;
    } catch (cause) {
      const error = cause instanceof Fault || isAlone ? cause : Fault.of({ kind: "unavailable" }, cause);
      this.#options.log.error("sqlite.commit_failed", { writes: batch.length }, cause);
      return batch.map(() => ({ error }));
    } finally {
      watchdog.stop();
      if (this.#handle.inTransaction) this.#handle.run("ROLLBACK");
      this.#options.readers.refresh();
    }
  }

  async #commit(isSynced: boolean): Promise<void> {
    if (isSynced) this.#options.readers.hold();
    this.#handle.run("COMMIT");
    if (isSynced)
      this.#logPages = await this.#options.disk.sync().catch((error: unknown) => this.#stopWriting(error));
  }

  /**
   * After an fsync that failed nobody knows what of the log is on the disk, and the next one may succeed without it:
   * whatever would be written behind might not be found again. What SQLite finds when it opens the file anew is sound.
   */
  #stopWriting(error: unknown): never {
    this.#failure = Fault.of({ kind: "unavailable" }, error);
    this.#options.log.error("sqlite.sync_failed", {}, error);
    throw this.#failure;
  }

  /** After the answers, and before the next batch: a log that is written on meanwhile cannot be begun anew. */
  async #checkpointIfDue(): Promise<void> {
    // What of a log is sound after a failed fsync is seen only by whoever opens it anew: it must still be there then.
    if (this.#failure !== null) return;
    const pages = this.#logPages;
    if (pages <= (this.#queue.length > 0 ? this.#busyLogPages : QUIET_LOG_PAGES)) return;
    // Until the next sync says how many there are: writes that are not synced would each checkpoint again.
    this.#logPages = 0;
    try {
      const tookMs = await this.#options.disk.checkpoint();
      const inTime = (pages * CHECKPOINT_MS) / tookMs;
      this.#busyLogPages = Math.min(Math.max(inTime, BUSY_LOG_PAGES.least), BUSY_LOG_PAGES.most);
    } catch (error) {
      // Nothing is lost: the log is whole, and only longer than it need be.
      this.#options.log.error("sqlite.checkpoint_failed", {}, error);
    }
  }

  async #runJob(job: SqliteJob, hasSavepoint: boolean, watchdog: Watchdog): Promise<Outcome> {
    const connection = new JobConnection(this.#handle);
    if (hasSavepoint) this.#handle.run("SAVEPOINT job");
    try {
      await watchdog.guard(job.run(connection));
      connection.refuseIfDoomed();
      if (hasSavepoint) this.#handle.run("RELEASE job");
      return null;
    } catch (error) {
      if (error instanceof Overdue) this.#options.log.error("sqlite.write_overdue", {}, error);
      if (hasSavepoint && this.#handle.inTransaction) {
        this.#handle.run("ROLLBACK TO job");
        this.#handle.run("RELEASE job");
      }
      return { error };
    } finally {
      connection.end();
    }
  }

  #checkForeignKeys(): void {
    const broken = this.#handle.first("PRAGMA foreign_key_check");
    if (broken !== null) {
      throw new Error(`a row of ${String(broken["table"])} refers to no row of ${String(broken["parent"])}`);
    }
  }
}

type Ask<T> = (handle: SqliteHandle, sql: string, values: readonly SqlValue[]) => T;
const first: Ask<Row | null> = (handle, sql, values) => handle.first(sql, values);
const all: Ask<readonly Row[]> = (handle, sql, values) => handle.all(sql, values);
const run: Ask<number> = (handle, sql, values) => handle.run(sql, values);
const insert: Ask<number> = (handle, sql, values) => handle.insert(sql, values);
const script: Ask<void> = (handle, sql) => handle.script(sql);

/** What one job writes through; a handle that outlives its job would write into the next one's transaction. */
class JobConnection implements ScriptConnection {
  readonly dialect = SQLITE;
  readonly #handle: SqliteHandle;
  #failure: { readonly error: unknown } | null = null;
  #hasEnded = false;

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  async first(sql: string, values: readonly SqlValue[] = []): Promise<Row | null> {
    return this.#guarded(first, sql, values);
  }

  async all(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.#guarded(all, sql, values);
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return this.#guarded(run, sql, values);
  }

  async insert(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#guarded(insert, sql, values);
  }

  async script(sql: string): Promise<void> {
    return this.#guarded(script, sql, []);
  }

  refuseIfDoomed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  end(): void {
    this.#hasEnded = true;
  }

  #guarded<T>(ask: Ask<T>, sql: string, values: readonly SqlValue[]): T {
    if (this.#hasEnded) throw new Error("this write is over: its connection takes no more statements");
    this.refuseIfDoomed();
    try {
      return ask(this.#handle, sql, values);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

class Overdue extends Error {
  constructor(afterMs: number) {
    super(
      `a write was given up: it was not over after ${afterMs} ms, so it awaits something other than its connection`,
    );
    this.name = "Overdue";
  }
}

/** One timer a batch: a job that awaits only its connection is over before any timer can fire. */
class Watchdog {
  readonly #afterMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #overdue = Promise.withResolvers<never>();

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
    this.#timer = setInterval(() => this.#fire(), afterMs);
  }

  guard<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#overdue.promise]);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #fire(): void {
    const fired = this.#overdue;
    this.#overdue = Promise.withResolvers<never>();
    fired.reject(new Overdue(this.#afterMs));
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
