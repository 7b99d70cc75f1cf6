import { within } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import {
  type ConnectionCounts,
  type Row,
  refuseUnbindable,
  type SqlValue,
  type StatementListener,
} from "./database.ts";
import { keepsConnection, PostgresFailure, translated } from "./postgres-errors.ts";

export interface PoolOptions {
  readonly url: string;
  /** So many are kept open, once opened, however quiet it is. */
  readonly poolMin: number;
  readonly poolMax: number;
  /** How long a request waits for a connection, the time to open one included. */
  readonly acquireTimeoutMs: number;
  readonly prepare: boolean;
  /** Parameters of each connection, sent as it is opened. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly onStatement: StatementListener | undefined;
  readonly log: Log;
}

export interface Answer {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly command: string | null;
}

const IDLE_MS = 60_000;
const SWEEP_MS = 10_000;
const CLOSE_WAIT_MS = 10_000;

/**
 * One connection, from its opening to its end. The driver's pool would hand out another in the middle of a
 * transaction whose connection broke, and has no deadlines: so each of its pools holds one reserved connection.
 */
export class Session {
  readonly #client: Bun.SQL;
  readonly #reserved: Bun.ReservedSQL;
  readonly #onStatement: StatementListener | undefined;
  #isOpen = true;
  idleSinceMs = 0;

  private constructor(
    client: Bun.SQL,
    reserved: Bun.ReservedSQL,
    onStatement: StatementListener | undefined,
  ) {
    this.#client = client;
    this.#reserved = reserved;
    this.#onStatement = onStatement;
  }

  static async open(
    options: PoolOptions,
    withinMs: number,
    onEnd: (session: Session) => void,
  ): Promise<Session> {
    let session: Session | null = null;
    const client = new Bun.SQL({
      url: options.url,
      adapter: "postgres",
      max: 1,
      prepare: options.prepare,
      connection: { ...options.settings },
      onclose: () => {
        if (session === null) return;
        session.#isOpen = false;
        onEnd(session);
      },
    });
    try {
      const reserved = await within(client.reserve(), withinMs, "opening a connection");
      session = new Session(client, reserved, options.onStatement);
      return session;
    } catch (error) {
      abandon(client);
      throw Fault.of(
        { kind: "unavailable" },
        error instanceof Bun.SQL.PostgresError ? new PostgresFailure(error) : error,
      );
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Without values, `sql` may hold several statements. */
  async query(sql: string, values: readonly SqlValue[] | undefined, deadlineMs: number): Promise<Answer> {
    if (values !== undefined) refuseUnbindable(values);
    const startedAt = performance.now();
    try {
      const sent = this.#reserved.unsafe<readonly Row[]>(sql, values === undefined ? undefined : [...values]);
      const rows = await within(sent, deadlineMs, "a statement");
      return { rows, count: rows.affectedRows, command: rows.command };
    } catch (error) {
      if (!keepsConnection(error)) this.close();
      throw translated(error);
    } finally {
      this.#onStatement?.(sql, performance.now() - startedAt);
    }
  }

  /** At once, whatever is under way: the server may never answer. */
  close(): void {
    this.#isOpen = false;
    abandon(this.#client);
  }
}

/** At most `poolMax` sessions. Whoever waits for one gives up at the deadline, so that nothing here lasts for ever. */
export class PostgresPool {
  readonly #options: PoolOptions;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #waiting = new Set<() => void>();
  readonly #busy = new Set<Session>();
  /** Last in, first out, so that the ones that are not needed grow old. */
  #idle: Session[] = [];
  #permits = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  counts(): ConnectionCounts {
    return {
      max: this.#options.poolMax,
      busy: this.#permits,
      idle: this.#idle.length,
      waiting: this.#waiting.size,
    };
  }

  async acquire(): Promise<Session> {
    const giveUpAtMs = performance.now() + this.#options.acquireTimeoutMs;
    await this.#permit();
    try {
      if (this.#isClosed) throw closed();
      const session = this.#idle.pop() ?? (await this.#open(giveUpAtMs));
      this.#busy.add(session);
      return session;
    } catch (error) {
      this.#returnPermit();
      throw error;
    }
  }

  release(session: Session): void {
    this.#busy.delete(session);
    if (session.isOpen && this.#isClosed) session.close();
    if (session.isOpen) {
      session.idleSinceMs = performance.now();
      this.#idle.push(session);
    }
    this.#returnPermit();
  }

  /** One connection broke or fell silent: those beside it have most likely done the same, and are not tried in turn. */
  dropIdle(): void {
    for (const session of this.#idle.splice(0)) session.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    this.dropIdle();
    const giveUpAtMs = performance.now() + CLOSE_WAIT_MS;
    while (this.#permits > 0 && performance.now() < giveUpAtMs) await Bun.sleep(5);
    for (const session of this.#busy) session.close();
  }

  /** A permit that is given back goes straight to the one who has waited longest. */
  async #permit(): Promise<void> {
    if (this.#isClosed) throw closed();
    if (this.#permits < this.#options.poolMax) {
      this.#permits += 1;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    try {
      await within(promise, this.#options.acquireTimeoutMs, "waiting for a connection");
    } catch (error) {
      this.#waiting.delete(resolve);
      throw translated(error);
    }
  }

  #returnPermit(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#permits -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  async #open(giveUpAtMs: number): Promise<Session> {
    const withinMs = Math.max(1, giveUpAtMs - performance.now());
    try {
      return await Session.open(this.#options, withinMs, (session) => this.#forget(session));
    } catch (error) {
      this.#options.log.warning("postgres.connect_failed", { reason: reason(error) });
      throw error;
    }
  }

  #forget(session: Session): void {
    this.#idle = this.#idle.filter((other) => other !== session);
  }

  #sweep(): void {
    const before = performance.now() - IDLE_MS;
    const surplus = this.#permits + this.#idle.length - this.#options.poolMin;
    const old = this.#idle.filter((session) => session.idleSinceMs < before).slice(0, Math.max(0, surplus));
    for (const session of old) {
      this.#forget(session);
      session.close();
    }
  }
}

function abandon(client: Bun.SQL): void {
  client.close({ timeout: 0 }).catch(() => {
    // It is given up because it does not work; that it does not close well either changes nothing.
  });
}

function closed(): Fault {
  return Fault.of({ kind: "unavailable" }, new Error("database is closed"));
}

function reason(error: unknown): string {
  const cause = error instanceof Fault ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
