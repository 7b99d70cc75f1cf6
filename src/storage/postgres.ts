import { Overdue, within } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import { type Log, silentLog } from "../core/log.ts";
import type {
  Connection,
  ConnectionCounts,
  Database,
  Row,
  ScriptConnection,
  SqlValue,
  StatementListener,
} from "./database.ts";
import { gaveWay, hasStalePlan, translated } from "./postgres-errors.ts";
import { type Answer, PostgresPool, type Session } from "./postgres-pool.ts";
import { integer } from "./rows.ts";

export interface PostgresOptions {
  readonly url: string;
  readonly poolMin?: number;
  readonly poolMax: number;
  readonly acquireTimeoutMs: number;
  readonly statementTimeoutMs: number;
  /** False behind PgBouncer in transaction mode: no prepared statements, and no parameters as a connection opens. */
  readonly prepare: boolean;
  readonly onStatement?: StatementListener | undefined;
  readonly log?: Log;
}

/** The server gives up first, which keeps the connection; we follow where it does not answer at all. */
const GRACE_MS = 250;
const ATTEMPTS = 3;
/** A transaction of this many slow statements is over; one that awaits something foreign is, too. */
const STATEMENTS_IN_A_WRITE = 3;

const ALONE_LOCK_WAIT_MS = 60_000;
const ALONE_STATEMENT_MS = 600_000;
/** Any number, as long as every version of the program takes the same. */
const ALONE_LOCK = 7_281_103_555;

export function openPostgres(options: PostgresOptions): Database {
  return new Postgres(options);
}

interface Plan {
  readonly begin: string;
  readonly beginMs: number;
  readonly statementMs: number;
  readonly totalMs: number;
}

class Postgres implements Database {
  readonly engine = "postgres";
  readonly reader: Connection;
  readonly #pool: PostgresPool;
  readonly #statementMs: number;
  readonly #ordinary: Plan;
  readonly #alone: Plan;

  constructor(options: PostgresOptions) {
    const { statementTimeoutMs } = options;
    this.#pool = new PostgresPool({
      url: options.url,
      poolMin: options.poolMin ?? 0,
      poolMax: options.poolMax,
      acquireTimeoutMs: options.acquireTimeoutMs,
      prepare: options.prepare,
      settings: options.prepare ? connectionSettings(statementTimeoutMs) : {},
      onStatement: options.onStatement,
      log: options.log ?? silentLog,
    });
    this.#statementMs = statementTimeoutMs + GRACE_MS;
    this.#ordinary = {
      begin: options.prepare
        ? "BEGIN READ WRITE"
        : `BEGIN READ WRITE; ${limits("SET LOCAL", statementTimeoutMs)}`,
      beginMs: this.#statementMs,
      statementMs: this.#statementMs,
      totalMs: STATEMENTS_IN_A_WRITE * statementTimeoutMs,
    };
    this.#alone = {
      begin: `BEGIN READ WRITE; ${limits("SET LOCAL", 0)}; SET LOCAL lock_timeout = ${ALONE_LOCK_WAIT_MS};
        SELECT pg_advisory_xact_lock(${ALONE_LOCK})`,
      beginMs: ALONE_LOCK_WAIT_MS + GRACE_MS,
      statementMs: ALONE_STATEMENT_MS,
      totalMs: ALONE_STATEMENT_MS,
    };
    this.reader = {
      seeksPairs: true,
      first: async (sql: string, values: readonly SqlValue[] = []): Promise<Row | null> =>
        (await this.#read(sql, values)).rows[0] ?? null,
      all: async (sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> =>
        (await this.#read(sql, values)).rows,
      run: async (sql: string, values: readonly SqlValue[] = []): Promise<number> =>
        (await this.#read(sql, values)).count,
    };
  }

  write<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#transact(work, this.#ordinary);
  }

  writeAlone<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T> {
    return this.#transact(work, this.#alone);
  }

  connections(): ConnectionCounts {
    return this.#pool.counts();
  }

  async ping(): Promise<void> {
    await this.#read("SELECT 1", []);
  }

  async currentTimeMs(): Promise<number> {
    const { rows } = await this.#read("SELECT (EXTRACT(EPOCH FROM now()) * 1000)::BIGINT AS now_ms", []);
    return integer(rows[0] ?? {}, "now_ms");
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Reading twice does no harm, so a connection that broke (the server was restarted) costs nobody an error. */
  async #read(sql: string, values: readonly SqlValue[]): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      const session = await this.#pool.acquire();
      try {
        return await session.query(sql, values, this.#statementMs);
      } catch (error) {
        if (!session.isOpen) this.#pool.dropIdle();
        if (attempt === 2 || session.isOpen || isOverdue(error)) throw error;
      } finally {
        this.#pool.release(session);
      }
    }
  }

  async #transact<T>(work: (connection: ScriptConnection) => Promise<T>, plan: Plan): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const transaction = new Transaction(await this.#pool.acquire(), plan);
      try {
        return await transaction.run(work);
      } catch (error) {
        if (!transaction.session.isOpen) this.#pool.dropIdle();
        if (attempt === ATTEMPTS || !transaction.mayRunAgain(error)) throw error;
      } finally {
        this.#pool.release(transaction.session);
      }
      // Two that stopped each other must not meet again at once.
      await Bun.sleep(Math.random() * 20 * attempt);
    }
  }
}

class Transaction {
  readonly session: Session;
  readonly #plan: Plan;
  #hasBegun = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(session: Session, plan: Plan) {
    this.session = session;
    this.#plan = plan;
  }

  async run<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T> {
    const connection = new TransactionConnection(this.session, this.#plan.statementMs);
    try {
      await this.session.query(this.#plan.begin, undefined, this.#plan.beginMs);
      this.#hasBegun = true;
      const value = await within(work(connection), this.#plan.totalMs, "a transaction");
      connection.end();
      connection.refuseIfDoomed();
      const { command } = await this.session.query("COMMIT", undefined, this.#plan.beginMs);
      // The server answers the COMMIT of a failed transaction with ROLLBACK, and no error.
      if (command !== "COMMIT") throw new Error("the transaction was rolled back by the server");
      return value;
    } catch (error) {
      connection.end();
      this.#failure = connection.failure;
      await this.#rollBack();
      throw translated(error);
    }
  }

  /** Before BEGIN was answered nothing of the work was sent; after it, the server must have undone all of it. */
  mayRunAgain(error: unknown): boolean {
    if (!this.#hasBegun) return !this.session.isOpen && !isOverdue(error);
    return gaveWay(this.#failure?.error) || hasStalePlan(this.#failure?.error);
  }

  /** A connection of which it is not certain that its transaction is over is never used again. */
  async #rollBack(): Promise<void> {
    if (!this.session.isOpen) return;
    try {
      await this.session.query("ROLLBACK", undefined, this.#plan.beginMs);
    } catch {
      // What matters is the error that led here; this one only means that the connection is lost as well.
      this.session.close();
    }
  }
}

/** What `work` writes through: the first failure dooms it, and it ends with its transaction. */
class TransactionConnection implements ScriptConnection {
  readonly seeksPairs = true;
  readonly #session: Session;
  readonly #statementMs: number;
  #underWay = 0;
  #hasEnded = false;
  failure: { readonly error: unknown } | null = null;

  constructor(session: Session, statementMs: number) {
    this.#session = session;
    this.#statementMs = statementMs;
  }

  async first(sql: string, values: readonly SqlValue[] = []): Promise<Row | null> {
    return (await this.#query(sql, values)).rows[0] ?? null;
  }

  async all(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return (await this.#query(sql, values)).rows;
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<number> {
    return (await this.#query(sql, values)).count;
  }

  async script(sql: string): Promise<void> {
    await this.#query(sql, undefined);
  }

  refuseIfDoomed(): void {
    if (this.failure !== null) throw this.failure.error;
    if (this.#underWay > 0) throw new Error("a write ended with a statement that nobody awaited");
  }

  end(): void {
    this.#hasEnded = true;
  }

  async #query(sql: string, values: readonly SqlValue[] | undefined): Promise<Answer> {
    if (this.#hasEnded) throw new Error("this write is over: its connection takes no more statements");
    if (this.failure !== null) throw this.failure.error;
    this.#underWay += 1;
    try {
      return await this.#session.query(sql, values, this.#statementMs);
    } catch (error) {
      this.failure ??= { error };
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }
}

/** Statements outside a transaction only read: the server refuses the others, so asking twice is safe. */
function connectionSettings(statementTimeoutMs: number): Readonly<Record<string, string | number>> {
  return {
    application_name: "latchkey",
    default_transaction_read_only: "on",
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
  };
}

function limits(set: string, milliseconds: number): string {
  return `${set} statement_timeout = ${milliseconds}; ${set} idle_in_transaction_session_timeout = ${milliseconds}`;
}

function isOverdue(error: unknown): boolean {
  return error instanceof Fault && error.cause instanceof Overdue;
}
