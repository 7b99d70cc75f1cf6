import { DAY_MS } from "../core/clock.ts";
import { type Log, silentLog } from "../core/log.ts";
import { POSTGRES } from "./database.ts";
import type {
  Connection,
  ConnectionCounts,
  Database,
  Row,
  ScriptConnection,
  Snapshot,
  SqlValue,
  StatementListener,
  WriteConnection,
} from "./database.ts";
import { OneStatement } from "./one-statement.ts";
import { hasStalePlan } from "./postgres-errors.ts";
import { GroupCommit } from "./postgres-group-commit.ts";
import { PostgresPool } from "./postgres-pool.ts";
import type { PoolPace } from "./postgres-pool.ts";
import type { Answer, Session } from "./postgres-session.ts";
import { postgresSnapshot } from "./postgres-snapshot.ts";
import { transactOn } from "./postgres-transaction.ts";
import type { Plan } from "./postgres-transaction.ts";
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
  readonly pace?: Partial<PoolPace>;
}

/** The server gives up first, which keeps the connection; we follow where it does not answer at all. */
const GRACE_MS = 250;
/** Outside a transaction a statement may be asked twice. */
const READING = /^\s*(?:SELECT|EXPLAIN|SHOW)\b/;
const ATTEMPTS = 3;
/** A transaction of this many slow statements is over; one that awaits something foreign is, too. */
const STATEMENTS_IN_A_WRITE = 3;

const ALONE_LOCK_WAIT_MS = 60_000;
const ALONE_STATEMENT_MS = 600_000;
/** Somebody reads a whole database, and it may be a large one. */
const SNAPSHOT_MS = 7 * DAY_MS;
/** Any number, as long as every version of the program takes the same. */
const ALONE_LOCK = 7_281_103_555;

export function openPostgres(options: PostgresOptions): Database {
  return new Postgres(options);
}

type Connecting = () => Session | Promise<Session>;

/** What is wanted of an answer, said once rather than in a function for each. */
type Wanted<T> = (answer: Answer) => T;
const firstRow: Wanted<Row | null> = ({ rows }) => rows[0] ?? null;
const allRows: Wanted<readonly Row[]> = ({ rows }) => rows;
const changes: Wanted<number> = ({ count }) => count;

class Postgres implements Database {
  readonly engine = "postgres";
  readonly reader: Connection;
  readonly #pool: PostgresPool;
  /** Null behind PgBouncer: without prepared statements the driver sends one at a time. */
  readonly #together: GroupCommit | null;
  readonly #statementMs: number;
  readonly #ordinary: Plan;
  readonly #unsynced: Plan;
  readonly #one: Plan;
  readonly #alone: Plan;
  readonly #snapshot: Plan;

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
      pace: options.pace,
    });
    this.#statementMs = statementTimeoutMs + GRACE_MS;
    this.#ordinary = {
      // Not READ WRITE: it fails on a standby, and overrides whoever has set the database read-only.
      begin: options.prepare ? "BEGIN" : `BEGIN; ${limits("SET LOCAL", statementTimeoutMs)}`,
      beginMs: this.#statementMs,
      statementMs: this.#statementMs,
      totalMs: STATEMENTS_IN_A_WRITE * statementTimeoutMs,
    };
    this.#together = options.prepare
      ? new GroupCommit(this.#pool, this.#ordinary, (work) => this.#writeOneAlone(work))
      : null;
    this.#unsynced = {
      ...this.#ordinary,
      begin: `${this.#ordinary.begin}; SET LOCAL synchronous_commit = off`,
    };
    // Behind PgBouncer a deadline is set within the transaction that it is for.
    this.#one = options.prepare ? { ...this.#ordinary, begin: null } : this.#ordinary;
    this.#alone = {
      begin: `BEGIN; ${limits("SET LOCAL", 0)}; SET LOCAL lock_timeout = ${ALONE_LOCK_WAIT_MS};
        SELECT pg_advisory_xact_lock(${ALONE_LOCK})`,
      beginMs: ALONE_LOCK_WAIT_MS + GRACE_MS,
      statementMs: ALONE_STATEMENT_MS,
      totalMs: ALONE_STATEMENT_MS,
    };
    this.#snapshot = {
      begin: `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${limits("SET LOCAL", 0)}`,
      beginMs: this.#statementMs,
      statementMs: ALONE_STATEMENT_MS,
      totalMs: SNAPSHOT_MS,
    };
    // Without prepared statements the driver sends one at a time: to share a connection would only be to wait for it.
    const together: Connecting = options.prepare
      ? () => this.#pool.share("read")
      : () => this.#pool.acquire();
    const alone: Connecting = () => this.#pool.acquire();
    this.reader = {
      dialect: POSTGRES,
      first: (sql, values) => this.#read(together, sql, values, firstRow),
      all: (sql, values) => this.#read(alone, sql, values, allRows),
      run: (sql, values) => this.#read(alone, sql, values, changes),
    };
  }

  write<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#transact(work, this.#ordinary);
  }

  writeOne<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#together === null ? this.#writeOneAlone(work) : this.#together.write(work);
  }

  writeUnsynced<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#transact(work, this.#unsynced);
  }

  writeAlone<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T> {
    return this.#transact(work, this.#alone);
  }

  snapshot<T>(work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    return this.#transact((connection) => work(postgresSnapshot(connection)), this.#snapshot);
  }

  connections(): ConnectionCounts {
    return this.#pool.counts();
  }

  async ping(): Promise<void> {
    await this.reader.all("SELECT 1");
  }

  async currentTimeMs(): Promise<number> {
    const row = await this.reader.first("SELECT (EXTRACT(EPOCH FROM now()) * 1000)::BIGINT AS now_ms");
    return integer(row ?? {}, "now_ms");
  }

  close(): Promise<void> {
    this.#together?.flush();
    return this.#pool.close();
  }

  #writeOneAlone<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    return this.#transact((connection) => work(new OneStatement(connection)), this.#one);
  }

  /** Reading twice does no harm, so neither a server that restarts nor a schema that changes costs anybody an error. */
  async #read<T>(
    connecting: Connecting,
    sql: string,
    values: readonly SqlValue[] = [],
    pick: Wanted<T>,
  ): Promise<T> {
    if (!READING.test(sql)) throw new Error("what is asked outside a write must only read");
    for (let attempt = 1; ; attempt += 1) {
      const connected = connecting();
      const session = connected instanceof Promise ? await connected : connected;
      try {
        return pick(await session.query(sql, values, this.#statementMs));
      } catch (error) {
        if (!session.isOpen) this.#pool.dropIdle();
        const wasLost = !session.isOpen && !session.fellSilent;
        if (attempt === 2 || !(wasLost || hasStalePlan(error))) throw error;
      } finally {
        this.#pool.release(session);
      }
    }
  }

  async #transact<T>(work: (connection: ScriptConnection) => Promise<T>, plan: Plan): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const connected = plan.begin === null ? this.#pool.share("write") : this.#pool.acquire();
      const session = connected instanceof Promise ? await connected : connected;
      const ended = await transactOn(this.#pool, session, plan, work);
      if ("value" in ended) return ended.value;
      if (attempt === ATTEMPTS || !ended.transaction.mayRunAgain()) throw ended.error;
      // Two that stopped each other must not meet again at once.
      await Bun.sleep(Math.random() * 20 * attempt);
    }
  }
}

function connectionSettings(statementTimeoutMs: number): Readonly<Record<string, string | number>> {
  return {
    application_name: "latchkey",
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
  };
}

function limits(set: string, milliseconds: number): string {
  return `${set} statement_timeout = ${milliseconds}; ${set} idle_in_transaction_session_timeout = ${milliseconds}`;
}
