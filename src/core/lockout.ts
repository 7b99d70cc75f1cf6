import { DAY_MS, MINUTE_MS } from "./clock.ts";

/**
 * How many guesses an account, or a name without an account, has left. Pure: the caller reads the state, asks here,
 * and writes the state it gets back in the same transaction.
 *
 * An attempt is reserved before its password is judged (`begin`), and settled afterwards (`failed`, `succeeded` or
 * `released`). At every moment `failures + pending` is at most the limit, on all instances together, so that however
 * many guesses come at once, no more than the limit are judged; and since a reservation is not a failure, many
 * logins at once with the right password lock nobody out: those beyond the limit are told to wait for a moment.
 */
export interface LockoutState {
  /** Wrong passwords since the last right one. */
  readonly failures: number;
  /** Attempts that are being judged. */
  readonly pending: number;
  /** When the latest of them was reserved. */
  readonly pendingSinceMs: number;
  readonly lockedUntilMs: number | null;
  readonly updatedAtMs: number;
}

export interface LockoutPolicy {
  readonly maxAttempts: number;
  readonly lockMs: number;
}

export type LockoutVerdict =
  | { readonly verdict: "judge"; readonly state: LockoutState }
  | { readonly verdict: "locked"; readonly state: LockoutState; readonly retryAfterSeconds: number }
  /** All that is left of the limit is being judged at this moment. */
  | { readonly verdict: "busy"; readonly state: LockoutState };

export type LoginVerdict =
  | { readonly verdict: "accepted"; readonly state: LockoutState }
  | { readonly verdict: "locked"; readonly state: LockoutState; readonly retryAfterSeconds: number };

/**
 * After this long without a new reservation, those still pending will never be settled, because their instance is
 * gone; each may have been a guess, and counts as one. No attempt may take this long.
 */
export const ABANDONED_AFTER_MS = MINUTE_MS;
export const FORGOTTEN_AFTER_MS = DAY_MS;

/**
 * Reserves an attempt, where there is one left. Under `locked` and `busy` nothing is reserved, and the state is the
 * very object that was given unless time, or a clock set back, has changed it: then there is nothing to write.
 */
export function begin(state: LockoutState | null, nowMs: number, policy: LockoutPolicy): LockoutVerdict {
  const current = asOfNow(state, nowMs, policy);
  const retryAfterSeconds = lockedForSeconds(current, nowMs);
  if (retryAfterSeconds > 0) return { verdict: "locked", state: current, retryAfterSeconds };
  if (current.failures + current.pending >= policy.maxAttempts) return { verdict: "busy", state: current };
  return {
    verdict: "judge",
    state: { ...current, pending: current.pending + 1, pendingSinceMs: nowMs, updatedAtMs: nowMs },
  };
}

/** The password was wrong. The failure that reaches the limit sets the lock; its own answer is still a 401. */
export function failed(state: LockoutState | null, nowMs: number, policy: LockoutPolicy): LockoutState {
  const current = asOfNow(state, nowMs, policy);
  // Settled too late, after it was counted as abandoned: a lock is never made longer by what was reserved before it.
  if (lockedForSeconds(current, nowMs) > 0) return current;
  const failures = current.failures + 1;
  return {
    ...current,
    failures,
    pending: Math.max(0, current.pending - 1),
    lockedUntilMs: failures >= policy.maxAttempts ? nowMs + policy.lockMs : null,
    updatedAtMs: nowMs,
  };
}

/**
 * The password was right: the count begins anew, and others pending stay so.
 *
 * While it was judged the account can only have been locked where this attempt was counted as abandoned. The lock
 * then stands, and the caller refuses the login: the right password does not open a locked account.
 */
export function succeeded(state: LockoutState | null, nowMs: number, policy: LockoutPolicy): LoginVerdict {
  const current = asOfNow(state, nowMs, policy);
  const retryAfterSeconds = lockedForSeconds(current, nowMs);
  if (retryAfterSeconds > 0) return { verdict: "locked", state: current, retryAfterSeconds };
  return {
    verdict: "accepted",
    state: { ...current, failures: 0, pending: Math.max(0, current.pending - 1), updatedAtMs: nowMs },
  };
}

/** The password was not judged after all, since the server had too much to do: neither right nor wrong. */
export function released(state: LockoutState | null, nowMs: number, policy: LockoutPolicy): LockoutState {
  const current = asOfNow(state, nowMs, policy);
  return current.pending === 0 ? current : { ...current, pending: current.pending - 1, updatedAtMs: nowMs };
}

function lockedForSeconds({ lockedUntilMs }: LockoutState, nowMs: number): number {
  return lockedUntilMs === null ? 0 : Math.ceil((lockedUntilMs - nowMs) / 1_000);
}

const fresh = (nowMs: number): LockoutState => ({
  failures: 0,
  pending: 0,
  pendingSinceMs: nowMs,
  lockedUntilMs: null,
  updatedAtMs: nowMs,
});

/** The stored state, with all that has happened since by time alone. */
function asOfNow(stored: LockoutState | null, nowMs: number, policy: LockoutPolicy): LockoutState {
  if (stored === null) return fresh(nowMs);
  const state = lockedByCount(withoutAbandoned(notAhead(stored, nowMs, policy), nowMs), policy);
  const over =
    state.lockedUntilMs === null
      ? nowMs >= state.updatedAtMs + FORGOTTEN_AFTER_MS
      : nowMs >= state.lockedUntilMs;
  return over ? fresh(nowMs) : state;
}

/**
 * A clock that was set back has left times ahead of now, and what waits for them would wait as long as the step. Each
 * becomes one of now: from this reading on a lock lasts as long as the policy says, and a reservation or a count as long
 * as one that is new. That holds because a reader writes the state back, or else its end would move on with the clock.
 *
 * Nobody gains a guess by it: what is counted stays counted, and a lock ends no sooner than the clock has gone forward,
 * from when it was set, by all of `lockMs`, whatever steps back there were in between.
 */
function notAhead(state: LockoutState, nowMs: number, { lockMs }: LockoutPolicy): LockoutState {
  const latestLockEndMs = nowMs + lockMs;
  const isAhead =
    state.pendingSinceMs > nowMs ||
    state.updatedAtMs > nowMs ||
    (state.lockedUntilMs !== null && state.lockedUntilMs > latestLockEndMs);
  if (!isAhead) return state;
  return {
    ...state,
    pendingSinceMs: Math.min(state.pendingSinceMs, nowMs),
    lockedUntilMs: state.lockedUntilMs === null ? null : Math.min(state.lockedUntilMs, latestLockEndMs),
    updatedAtMs: Math.min(state.updatedAtMs, nowMs),
  };
}

function withoutAbandoned(state: LockoutState, nowMs: number): LockoutState {
  const abandonedAtMs = state.pendingSinceMs + ABANDONED_AFTER_MS;
  if (state.pending === 0 || nowMs < abandonedAtMs) return state;
  return {
    ...state,
    failures: state.failures + state.pending,
    pending: 0,
    updatedAtMs: abandonedAtMs,
  };
}

/** Abandoned attempts, or a limit that the operator has lowered, can fill the count with no failure to see it. */
function lockedByCount(state: LockoutState, policy: LockoutPolicy): LockoutState {
  if (state.lockedUntilMs !== null || state.failures < policy.maxAttempts) return state;
  return { ...state, lockedUntilMs: state.updatedAtMs + policy.lockMs };
}
