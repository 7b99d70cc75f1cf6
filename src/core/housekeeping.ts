import type { Audit } from "./audit.ts";
import type { Clock } from "./clock.ts";
import { AHEAD_MS, DAY_MS } from "./clock.ts";
import { inSteps } from "./in-steps.ts";
import { ABANDONED_AFTER_MS, FORGOTTEN_AFTER_MS } from "./lockout.ts";
import type { Log } from "./log.ts";
import type { SessionWrites, Store, Writes } from "./store.ts";

export interface HousekeepingPolicy {
  /** Null keeps the trail for ever. */
  readonly auditRetentionDays: number | null;
  /** The longest life of an access token: it ends with its session, so an expired session is kept as long. */
  readonly accessTokenMs: number;
  readonly lockMs: number;
}

export const HOUSEKEEPING_TASKS = [
  "personal_tokens",
  "sessions",
  "login_attempts",
  "idempotency_keys",
  "audit",
] as const;
export type HousekeepingTask = (typeof HOUSEKEEPING_TASKS)[number];

/** How many rows each task removed; null for one that failed, which the log explains. */
export type HousekeepingReport = Readonly<Record<HousekeepingTask, number | null>>;

const ROWS_PER_WRITE = 200;

/** What a session leaves is kept a day longer than it must be: "expired" tells a client more than "invalid". */
const KEPT_AFTERWARDS_MS = DAY_MS;

/**
 * Removes what has no more meaning. Several instances may do it at the same time, and any may be killed in it: each
 * write removes what is still there, and leaves nothing half done.
 */
export class Housekeeping {
  readonly #store: Store;
  readonly #audit: Audit;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: HousekeepingPolicy;

  constructor(parts: { store: Store; audit: Audit; clock: Clock; log: Log; policy: HousekeepingPolicy }) {
    this.#store = parts.store;
    this.#audit = parts.audit;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#policy = parts.policy;
  }

  /** Runs every task, whatever becomes of the others; told to stop, each ends after the write that it is at. */
  async run(stopping?: AbortSignal): Promise<HousekeepingReport> {
    const report = {
      personal_tokens: await this.#attempt("personal_tokens", () => this.#removePersonalTokens(stopping)),
      sessions: await this.#attempt("sessions", () => this.#removeSessions(stopping)),
      login_attempts: await this.#attempt("login_attempts", () => this.#removeLoginAttempts(stopping)),
      idempotency_keys: await this.#attempt("idempotency_keys", () => this.#removeIdempotencyKeys(stopping)),
      audit: await this.#attempt("audit", () => this.#pruneAudit(stopping)),
    };
    this.#log.info("housekeeping.done", report);
    return report;
  }

  /** Step by step, so that requests never wait for long. */
  async mergeSearchIndex(stopping?: AbortSignal): Promise<void> {
    while (stopping?.aborted !== true && (await this.#store.write((tx) => tx.directory.mergeIndex())));
  }

  /** A log that is kept elsewhere can later show that the trail's end was not cut off. */
  async noteTrail(): Promise<void> {
    const { seq, hash } = await this.#store.read.audit.head();
    this.#log.info("audit.head", { seq, hash: Buffer.from(hash).toString("hex") });
  }

  async #attempt(task: HousekeepingTask, remove: () => Promise<number>): Promise<number | null> {
    try {
      return await remove();
    } catch (error) {
      this.#log.error("housekeeping.failed", { task }, error);
      return null;
    }
  }

  #removePersonalTokens(stopping: AbortSignal | undefined): Promise<number> {
    const nowMs = this.#clock.nowMs();
    return this.#inSteps(stopping, (tx) => tx.personalTokens.deleteExpired(nowMs, ROWS_PER_WRITE));
  }

  /**
   * A session that was ended, and one whose last token can refresh no more. As long as one can, all used tokens of
   * its family stay, however old: one that comes again shows a theft.
   */
  async #removeSessions(stopping: AbortSignal | undefined): Promise<number> {
    const nowMs = this.#clock.nowMs();
    const endedBeforeMs = nowMs - KEPT_AFTERWARDS_MS;
    const expiredBeforeMs = nowMs - this.#policy.accessTokenMs - KEPT_AFTERWARDS_MS;
    const ended = await this.#removeDead(stopping, (sessions) =>
      sessions.endedBefore(endedBeforeMs, ROWS_PER_WRITE),
    );
    const expired = await this.#removeDead(stopping, (sessions) =>
      sessions.expiredBefore(expiredBeforeMs, ROWS_PER_WRITE),
    );
    return ended + expired;
  }

  /** Their used tokens first, in writes of their own: one that was refreshed for a month has left 1,440. */
  async #removeDead(
    stopping: AbortSignal | undefined,
    find: (sessions: SessionWrites) => Promise<readonly number[]>,
  ): Promise<number> {
    let removed = 0;
    while (stopping?.aborted !== true) {
      const count = await this.#store.write(async ({ sessions }) => {
        const dead = await find(sessions);
        if (dead.length === 0) return null;
        await sessions.deleteUsedTokens(dead, ROWS_PER_WRITE);
        return sessions.deleteWithoutUsed(dead);
      });
      if (count === null) break;
      removed += count;
    }
    return removed;
  }

  /** Only what says nothing any more, also where a lock is read from it that was never written down. */
  async #removeLoginAttempts(stopping: AbortSignal | undefined): Promise<number> {
    const nowMs = this.#clock.nowMs();
    await this.#dateLoginAttemptsBack(stopping, nowMs);
    const untouchedSinceMs = nowMs - FORGOTTEN_AFTER_MS - ABANDONED_AFTER_MS - this.#policy.lockMs;
    return this.#inSteps(stopping, (tx) =>
      tx.loginAttempts.deleteForgotten(untouchedSinceMs, nowMs, ROWS_PER_WRITE),
    );
  }

  /**
   * What a clock set back has left in the future would stay until then: a login sees to its own subject, and this to those
   * that nobody tries any more. What is less far ahead goes soon.
   */
  async #dateLoginAttemptsBack(stopping: AbortSignal | undefined, nowMs: number): Promise<void> {
    const aheadMs = nowMs + AHEAD_MS;
    const lockEndMs = nowMs + this.#policy.lockMs;
    await this.#inSteps(stopping, (tx) =>
      tx.loginAttempts.dateBack(aheadMs, nowMs, lockEndMs, ROWS_PER_WRITE),
    );
  }

  #removeIdempotencyKeys(stopping: AbortSignal | undefined): Promise<number> {
    const nowMs = this.#clock.nowMs();
    return this.#inSteps(stopping, (tx) => tx.idempotency.deleteExpired(nowMs, ROWS_PER_WRITE));
  }

  async #pruneAudit(stopping: AbortSignal | undefined): Promise<number> {
    const { auditRetentionDays } = this.#policy;
    return auditRetentionDays === null ? 0 : this.#audit.prune(auditRetentionDays, stopping);
  }

  #inSteps(stopping: AbortSignal | undefined, writeSome: (tx: Writes) => Promise<number>): Promise<number> {
    return inSteps(ROWS_PER_WRITE, () => this.#store.write(writeSome), stopping);
  }
}
