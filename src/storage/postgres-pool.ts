import { within } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { ConnectionCounts } from "./database.ts";
import { translated } from "./postgres-errors.ts";
import { Session } from "./postgres-session.ts";
import type { SessionOptions } from "./postgres-session.ts";

export interface PoolOptions extends SessionOptions {
  /** So many are kept open, once opened, however quiet it is. */
  readonly poolMin: number;
  readonly poolMax: number;
  /** How long a request waits for a connection, the time to open one included. */
  readonly acquireTimeoutMs: number;
  readonly log: Log;
  readonly pace?: Partial<PoolPace> | undefined;
}

export interface PoolPace {
  /** Whoever was not needed for so long is closed, */
  readonly idleMs: number;
  /** which is looked at so often. */
  readonly sweepMs: number;
  /** Whoever took no write and is so old is closed: a new one may lead to where writes are taken by now. */
  readonly readOnlyMs: number;
  /** So long the end of the pool waits for what is under way. */
  readonly closeWaitMs: number;
}

const PACE: PoolPace = { idleMs: 60_000, sweepMs: 10_000, readOnlyMs: 10_000, closeWaitMs: 10_000 };

/** So many statements may be under way on one connection. The server answers them in turn, each after those before. */
const TOGETHER = 16;

/** Statements that are quick and whole by themselves, and go along with others of their kind on one connection. */
export type Kind = "read" | "write";

interface Waiting {
  /** Where there is a session to share, it is given; else a permit to take or open one. */
  readonly go: (shared: Session | null) => void;
  /** Null for one that wants a session alone. */
  readonly kind: Kind | null;
}

/** At most `poolMax` sessions. Whoever waits for one gives up at the deadline, so that nothing here lasts for ever. */
export class PostgresPool {
  readonly #options: PoolOptions;
  readonly #pace: PoolPace;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #spread: number;
  readonly #waiting = new Set<Waiting>();
  readonly #busy = new Set<Session>();
  readonly #shared: Readonly<Record<Kind, Set<Session>>> = { read: new Set(), write: new Set() };
  /** Last in, first out, so that the ones that are not needed grow old. */
  #idle: Session[] = [];
  #permits = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#spread = Math.round((options.poolMax * 2) / 3);
    this.#sweeper = setInterval(() => this.#sweep(), this.#pace.sweepMs);
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

  /** Nobody else's statements run on it until it is released. */
  acquire(): Session | Promise<Session> {
    return this.#atHand() ?? this.#opened();
  }

  /** To send statements one after the other on one connection costs both sides half of what one for each does. */
  share(kind: Kind): Session | Promise<Session> {
    const shared = kind === "read" ? this.#filling() : this.#leastLoaded();
    if (shared !== null) return this.#joined(shared);
    const atHand = this.#atHand();
    return atHand === null ? this.#openedToShare(kind) : this.#beginSharing(kind, atHand);
  }

  release(session: Session): void {
    if (session.sharers > 1) {
      session.sharers -= 1;
      return;
    }
    session.sharers = 0;
    this.#shared.read.delete(session);
    this.#shared.write.delete(session);
    this.#busy.delete(session);
    if (session.isOpen && this.#isClosed) session.close();
    if (session.isOpen && this.#isOutdated(session)) {
      session.close();
      this.dropIdle();
    }
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
    const giveUpAtMs = performance.now() + this.#pace.closeWaitMs;
    while (this.#permits > 0 && performance.now() < giveUpAtMs) await Bun.sleep(5);
    for (const session of this.#busy) session.close();
  }

  /** After a failover the address leads elsewhere, and read-only by default is what a connection was when it was opened. */
  #isOutdated({ tookNoWrite, openedAtMs }: Session): boolean {
    return tookNoWrite && performance.now() - openedAtMs >= this.#pace.readOnlyMs;
  }

  #atHand(): Session | null {
    if (this.#isClosed || this.#permits === this.#options.poolMax) return null;
    const session = this.#idle.pop();
    if (session === undefined) return null;
    this.#permits += 1;
    this.#busy.add(session);
    return session;
  }

  async #opened(): Promise<Session> {
    const giveUpAtMs = performance.now() + this.#options.acquireTimeoutMs;
    await this.#permit(null);
    return this.#take(giveUpAtMs);
  }

  async #openedToShare(kind: Kind): Promise<Session> {
    const giveUpAtMs = performance.now() + this.#options.acquireTimeoutMs;
    const shared = await this.#permit(kind);
    return shared ?? this.#beginSharing(kind, await this.#take(giveUpAtMs));
  }

  /** For whoever has a permit. */
  async #take(giveUpAtMs: number): Promise<Session> {
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

  #beginSharing(kind: Kind, session: Session): Session {
    session.sharers = 1;
    this.#shared[kind].add(session);
    this.#invite(kind, session);
    return session;
  }

  /** Reads are so quick that it is the faster way to fill one connection before the next is taken. */
  #filling(): Session | null {
    if (this.#waiting.size > 0) return null;
    for (const session of this.#shared.read) if (hasRoom(session)) return session;
    return null;
  }

  /**
   * Writes go on connections of their own, since one fsync keeps those of several, but on two thirds of all at most: reads
   * must find one as well. Then evenly.
   */
  #leastLoaded(): Session | null {
    const { write } = this.#shared;
    const mayTakeOne = write.size < this.#spread && this.#permits < this.#options.poolMax;
    if (this.#waiting.size > 0 || mayTakeOne) return null;
    let least: Session | null = null;
    for (const session of write) {
      if (hasRoom(session) && session.sharers < (least?.sharers ?? TOGETHER)) least = session;
    }
    return least;
  }

  #joined(session: Session): Session {
    session.sharers += 1;
    return session;
  }

  /** Those of its kind that wait come along at once: they take nothing from those who want a connection alone. */
  #invite(kind: Kind, session: Session): void {
    for (const waiting of this.#waiting) {
      if (session.sharers === TOGETHER) return;
      if (waiting.kind !== kind) continue;
      this.#waiting.delete(waiting);
      waiting.go(this.#joined(session));
    }
  }

  /** A permit that is given back goes straight to the one who has waited longest. Answers a session to share instead. */
  async #permit(kind: Kind | null): Promise<Session | null> {
    if (this.#isClosed) throw closed();
    if (this.#permits < this.#options.poolMax) {
      this.#permits += 1;
      return null;
    }
    const { promise, resolve } = Promise.withResolvers<Session | null>();
    const waiting = { go: resolve, kind };
    this.#waiting.add(waiting);
    try {
      return await within(promise, this.#options.acquireTimeoutMs, "waiting for a connection");
    } catch (error) {
      this.#waiting.delete(waiting);
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
    next.go(null);
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
    const before = performance.now() - this.#pace.idleMs;
    const surplus = this.#permits + this.#idle.length - this.#options.poolMin;
    const old = this.#idle.filter((session) => session.idleSinceMs < before).slice(0, Math.max(0, surplus));
    for (const session of old) {
      this.#forget(session);
      session.close();
    }
  }
}

function hasRoom(session: Session): boolean {
  return session.isOpen && session.sharers < TOGETHER;
}

function closed(): Fault {
  return Fault.of({ kind: "unavailable" }, new Error("database is closed"));
}

function reason(error: unknown): string {
  const cause = error instanceof Fault ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
}
