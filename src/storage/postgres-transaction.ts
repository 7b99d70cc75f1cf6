import { within } from "../core/deadline.ts";
import { POSTGRES, type Row, type ScriptConnection, type SqlValue } from "./database.ts";
import { gaveWay, hasStalePlan, translated } from "./postgres-errors.ts";
import type { PostgresPool } from "./postgres-pool.ts";
import type { Answer, Session } from "./postgres-session.ts";
import { integer } from "./rows.ts";

/** How a transaction begins, and how long its parts may take. */
export interface Plan {
  /** Null where the one statement is the whole transaction. */
  readonly begin: string | null;
  readonly beginMs: number;
  readonly statementMs: number;
  readonly totalMs: number;
}

/** How one ended: what went wrong is judged by whoever might run it again. */
export type Ended<T> = { readonly value: T } | { readonly error: unknown; readonly transaction: Transaction };

/** One transaction on a session of the pool, which has it back afterwards. */
export async function transactOn<T>(
  pool: PostgresPool,
  session: Session,
  plan: Plan,
  work: (connection: ScriptConnection) => Promise<T>,
): Promise<Ended<T>> {
  const transaction = new Transaction(session, plan);
  try {
    return { value: await transaction.run(work) };
  } catch (error) {
    if (!session.isOpen) pool.dropIdle();
    return { error, transaction };
  } finally {
    pool.release(session);
  }
}

/** One transaction of one session: all of its work is kept, or none of it. */
class Transaction {
  readonly #session: Session;
  readonly #plan: Plan;
  #hasBegun = false;
  #isCommitting = false;
  #failure: { readonly error: unknown } | null = null;

  constructor(session: Session, plan: Plan) {
    this.#session = session;
    this.#plan = plan;
  }

  async run<T>(work: (connection: ScriptConnection) => Promise<T>): Promise<T> {
    const connection = new TransactionConnection(this.#session, this.#plan.statementMs);
    try {
      if (this.#plan.begin !== null)
        await this.#session.query(this.#plan.begin, undefined, this.#plan.beginMs);
      this.#hasBegun = true;
      const value = await this.#inTime(work(connection));
      connection.end();
      connection.refuseIfDoomed();
      if (this.#plan.begin !== null) await this.#commit();
      return value;
    } catch (error) {
      connection.end();
      this.#failure = connection.failure;
      await this.#rollBack(connection);
      throw translated(error);
    }
  }

  /** One statement has a deadline of its own; a second one would only cost a timer. */
  #inTime<T>(work: Promise<T>): Promise<T> {
    return this.#plan.begin === null ? work : within(work, this.#plan.totalMs, "a transaction");
  }

  async #commit(): Promise<void> {
    this.#isCommitting = true;
    const { command } = await this.#session.query("COMMIT", undefined, this.#plan.beginMs);
    // The server answers the COMMIT of a failed transaction with ROLLBACK, and no error.
    if (command !== "COMMIT") throw new Error("the transaction was rolled back by the server");
  }

  /**
   * Of one that failed: whether nothing of it is kept, for sure, so that its parts may be done anew. Where its connection
   * fell silent they have waited long enough.
   */
  get isUndone(): boolean {
    return this.#session.isOpen || !(this.#isCommitting || this.#session.fellSilent);
  }

  /** Before BEGIN was answered nothing of the work was sent; after it, the server must have undone all of it. */
  mayRunAgain(): boolean {
    if (!this.#hasBegun) return !this.#session.isOpen && !this.#session.fellSilent;
    return gaveWay(this.#failure?.error) || hasStalePlan(this.#failure?.error);
  }

  /** A connection of which it is not certain that its transaction is over is never used again. */
  async #rollBack(connection: TransactionConnection): Promise<void> {
    if (!this.#session.isOpen || (this.#plan.begin === null && !connection.isBusy)) return;
    try {
      await this.#session.query("ROLLBACK", undefined, this.#plan.beginMs);
    } catch {
      // What matters is the error that led here; this one only means that the connection is lost as well.
      this.#session.close();
    }
  }
}

/** What `work` writes through: the first failure dooms it, and it ends with its transaction. */
class TransactionConnection implements ScriptConnection {
  readonly dialect = POSTGRES;
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

  async insert(sql: string, values: readonly SqlValue[]): Promise<number> {
    const [row] = (await this.#query(`${sql} RETURNING id`, values)).rows;
    if (row === undefined) throw new Error("an insert answered no row");
    return integer(row, "id");
  }

  async script(sql: string): Promise<void> {
    await this.#query(sql, undefined);
  }

  refuseIfDoomed(): void {
    if (this.failure !== null) throw this.failure.error;
    if (this.isBusy) throw new Error("a write ended with a statement that nobody awaited");
  }

  /** Whether a statement is still under way. */
  get isBusy(): boolean {
    return this.#underWay > 0;
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
