import { Overdue, within } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import { DatabaseRefused, refuseUnbindable } from "./database.ts";
import type { Row, SqlValue, StatementListener } from "./database.ts";
import { isReadOnly, keepsConnection, PostgresFailure, translated } from "./postgres-errors.ts";

/** What the driver needs to open a connection. */
export interface SessionOptions {
  readonly url: string;
  readonly prepare: boolean;
  /** Parameters of each connection, sent as it is opened. */
  readonly settings: Readonly<Record<string, string | number>>;
  readonly onStatement: StatementListener | undefined;
}

export interface Answer {
  readonly rows: readonly Row[];
  readonly count: number;
  readonly command: string | null;
}

type Reject = (error: unknown) => void;

/**
 * One connection, from its opening to its end. The driver's pool would hand out another in the middle of a
 * transaction whose connection broke, and has no deadlines: so each of its pools holds one reserved connection.
 */
export class Session {
  readonly #client: Bun.SQL;
  readonly #reserved: Bun.ReservedSQL;
  readonly #onStatement: StatementListener | undefined;
  #isOpen = true;
  #fellSilent = false;
  readonly #underWay = new Set<Reject>();
  #heardAtMs = 0;
  #deadlineMs = 0;
  #check: ReturnType<typeof setTimeout> | undefined;
  #checksAtMs = Number.POSITIVE_INFINITY;
  #tookNoWrite = false;
  readonly openedAtMs = performance.now();
  idleSinceMs = 0;
  /** How many share it just now; 0 for one that somebody has alone. */
  sharers = 0;

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
    options: SessionOptions,
    withinMs: number,
    onEnd: (session: Session) => void,
  ): Promise<Session> {
    let session: Session | null = null;
    const client = clientOf(options, () => {
      if (session === null) return;
      session.#isOpen = false;
      onEnd(session);
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

  /** Whatever was under way on it has waited as long as it may. */
  get fellSilent(): boolean {
    return this.#fellSilent;
  }

  /** A write on it was refused: it leads to a standby, or was opened while nothing was to be written. */
  get tookNoWrite(): boolean {
    return this.#tookNoWrite;
  }

  /** Without values, `sql` may hold several statements. */
  query(sql: string, values: readonly SqlValue[] | undefined, deadlineMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (values !== undefined) refuseUnbindable(values);
      const sent = this.#reserved.unsafe<readonly Row[]>(sql, values === undefined ? undefined : [...values]);
      const sentAtMs = this.#expectAnswer(reject, deadlineMs);
      sent.then(
        (rows) => {
          this.#heard(reject, sql, sentAtMs);
          resolve({ rows, count: rows.affectedRows, command: rows.command });
        },
        (error: unknown) => {
          this.#heard(reject, sql, sentAtMs);
          if (!keepsConnection(error)) this.close();
          const failure = translated(error);
          this.#tookNoWrite ||= isReadOnly(failure);
          reject(failure);
        },
      );
    });
  }

  /**
   * One deadline for all that is under way, from the last answer on: what waits for others on the same connection is
   * not overdue, and no statement has the cost of a timer.
   */
  #expectAnswer(reject: Reject, deadlineMs: number): number {
    const nowMs = performance.now();
    if (this.#underWay.size === 0) this.#heardAtMs = nowMs;
    this.#underWay.add(reject);
    this.#deadlineMs = deadlineMs;
    if (nowMs + deadlineMs < this.#checksAtMs) this.#checkIn(deadlineMs, nowMs);
    return nowMs;
  }

  #heard(reject: Reject, sql: string, sentAtMs: number): void {
    this.#heardAtMs = performance.now();
    this.#underWay.delete(reject);
    this.#onStatement?.(sql, this.#heardAtMs - sentAtMs);
  }

  #checkIn(afterMs: number, nowMs: number): void {
    clearTimeout(this.#check);
    this.#checksAtMs = nowMs + afterMs;
    this.#check = setTimeout(() => this.#checkSilence(), afterMs);
  }

  #checkSilence(): void {
    this.#checksAtMs = Number.POSITIVE_INFINITY;
    if (this.#underWay.size === 0) return;
    const nowMs = performance.now();
    const leftMs = this.#heardAtMs + this.#deadlineMs - nowMs;
    if (leftMs > 0) {
      this.#checkIn(leftMs, nowMs);
      return;
    }
    this.#fellSilent = true;
    this.close();
    const overdue = translated(new Overdue("a statement", this.#deadlineMs));
    for (const reject of this.#underWay) reject(overdue);
  }

  /** At once, whatever is under way: the server may never answer. */
  close(): void {
    this.#isOpen = false;
    clearTimeout(this.#check);
    abandon(this.#client);
  }
}

function clientOf({ url, prepare, settings }: SessionOptions, onclose: () => void): Bun.SQL {
  try {
    return new Bun.SQL({ url, adapter: "postgres", max: 1, prepare, connection: { ...settings }, onclose });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // At its end it quotes the value, which may be a secret in the wrong place: so it is no cause either.
    const reason = error.message.replace(/\.? Received .*$/s, "");
    throw new DatabaseRefused(
      `the driver refuses an option of the address, or of a variable such as PGSSLMODE: ${reason}`,
    );
  }
}

function abandon(client: Bun.SQL): void {
  client.close({ timeout: 0 }).catch(() => {
    // It is given up because it does not work; that it does not close well either changes nothing.
  });
}
