/** Time is an argument: whoever needs the hour asks the clock it was given, so that a test can move it. */
export interface Clock {
  nowMs(): number;
}

/** Measures durations: it goes on evenly whatever happens to the time of day. */
export const monotonicClock: Clock = { nowMs: () => performance.now() };

export const systemClock: Clock = { nowMs: () => Date.now() };

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** What is dated further ahead was written by a clock that has been set back since: two instances differ by less. */
export const AHEAD_MS = DAY_MS;
