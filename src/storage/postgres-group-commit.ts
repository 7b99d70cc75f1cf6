import { Overdue, within } from "../core/deadline.ts";
import type { WriteConnection } from "./database.ts";
import { OneStatement } from "./one-statement.ts";
import type { PostgresPool } from "./postgres-pool.ts";
import { transactOn } from "./postgres-transaction.ts";
import type { Plan } from "./postgres-transaction.ts";
import { QueuedWrite } from "./queued-write.ts";
import type { Job, Outcome } from "./queued-write.ts";

/** Fewer are as well off each by itself: a group takes three round trips, and one write a single one. */
const FEWEST_TOGETHER = 4;
/** Bounds how long the first waits for the last, and how much is done again where one fails. */
const MOST_TOGETHER = 128;
/** While the server is at one the next is gathered and sent; with more they would be smaller. */
const GROUPS_AT_ONCE = 2;
/** Whoever waits longer for a lock waits alone. */
const LOCK_WAIT_MS = 50;

type Write = (connection: WriteConnection) => Promise<void>;

/**
 * Writes of one statement that meet share a transaction, since a commit costs PostgreSQL several times what an insert
 * does: docs/decisions/0022-inserts-share-a-commit.md. One that fails takes the others back with it, and then each is
 * done anew, alone, and fails or not by itself. No promise settles before the commit was answered.
 */
export class GroupCommit {
  readonly #pool: PostgresPool;
  readonly #plan: Plan;
  readonly #alone: (work: Write) => Promise<void>;
  readonly #queue: Job<WriteConnection>[] = [];
  #groups = 0;
  #loners = 0;
  #isPlanned = false;

  /** `ordinary` is how a transaction begins; `alone` does one write as its own transaction. */
  constructor(pool: PostgresPool, ordinary: Plan, alone: (work: Write) => Promise<void>) {
    this.#pool = pool;
    this.#plan = { ...ordinary, begin: `${ordinary.begin}; SET LOCAL lock_timeout = ${LOCK_WAIT_MS}` };
    this.#alone = alone;
  }

  write<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T> {
    const write = new QueuedWrite(work);
    this.#queue.push(write);
    this.#planSending();
    return write.result;
  }

  /** Begins all that waits, as the pool is about to close. */
  flush(): void {
    for (const job of this.#queue.splice(0)) void this.#runAlone(job);
  }

  /** At the end of a turn of the event loop, for all who come in it. */
  #planSending(): void {
    if (this.#isPlanned || this.#queue.length === 0) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    while (this.#queue.length >= FEWEST_TOGETHER && this.#groups < GROUPS_AT_ONCE) {
      void this.#sendGroup(this.#queue.splice(0, MOST_TOGETHER));
    }
    if (this.#queue.length >= FEWEST_TOGETHER) return;
    for (const job of this.#queue.splice(0, FEWEST_TOGETHER - this.#loners)) void this.#sendLoner(job);
  }

  async #sendGroup(jobs: readonly Job<WriteConnection>[]): Promise<void> {
    this.#groups += 1;
    const ended = await this.#runTogether(jobs);
    for (const job of jobs) {
      if (ended === null) void this.#runAlone(job);
      else job.settle(ended.outcome);
    }
    this.#groups -= 1;
    this.#planSending();
  }

  async #sendLoner(job: Job<WriteConnection>): Promise<void> {
    this.#loners += 1;
    await within(this.#runAlone(job), LOCK_WAIT_MS, "a write alone").catch(goneOn);
    this.#loners -= 1;
    this.#planSending();
  }

  /** Null where nothing of them is kept, and each may do better by itself. */
  async #runTogether(jobs: readonly Job<WriteConnection>[]): Promise<{ readonly outcome: Outcome } | null> {
    try {
      const session = await this.#pool.acquire();
      const ended = await transactOn(this.#pool, session, this.#plan, (connection) =>
        runEach(jobs, connection),
      );
      if ("value" in ended) return { outcome: null };
      return ended.transaction.isUndone ? null : { outcome: { error: ended.error } };
    } catch (error) {
      return { outcome: { error } };
    }
  }

  async #runAlone(job: Job<WriteConnection>): Promise<void> {
    try {
      await this.#alone((connection) => job.run(connection));
      job.settle(null);
    } catch (error) {
      job.settle({ error });
    }
  }
}

/** Whoever is late goes on by itself, and the others wait for it no longer. */
function goneOn(error: unknown): void {
  if (!(error instanceof Overdue)) throw error;
}

/** Fails as the first of them that fails, once all are over: none may still run where it is done anew. */
async function runEach(jobs: readonly Job<WriteConnection>[], connection: WriteConnection): Promise<void> {
  const ends = await Promise.allSettled(jobs.map((job) => job.run(new OneStatement(connection))));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
