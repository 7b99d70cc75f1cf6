import { describe, expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/clock.ts";
import {
  ABANDONED_AFTER_MS,
  begin,
  failed,
  FORGOTTEN_AFTER_MS,
  released,
  succeeded,
  type LockoutPolicy,
  type LockoutState,
} from "../../src/core/lockout.ts";
import { fc, seed } from "../support/seed.ts";

const POLICY: LockoutPolicy = { maxAttempts: 5, lockMs: 30 * MINUTE_MS };
const NOW = 1_800_000_000_000;

function state(changes: Partial<LockoutState> = {}): LockoutState {
  return { failures: 0, pending: 0, pendingSinceMs: NOW, lockedUntilMs: null, updatedAtMs: NOW, ...changes };
}

/** One account's row, and attempts on it that begin and end as the test says. */
class Account {
  row: LockoutState | null = null;
  nowMs = NOW;
  readonly policy: LockoutPolicy;

  constructor(policy: LockoutPolicy = POLICY) {
    this.policy = policy;
  }

  begin(): "judge" | "locked" | "busy" {
    const { verdict, state } = begin(this.row, this.nowMs, this.policy);
    this.row = state;
    return verdict;
  }

  settle(right: boolean): "accepted" | "locked" | "failed" {
    if (!right) {
      this.row = failed(this.row, this.nowMs, this.policy);
      return "failed";
    }
    const { verdict, state } = succeeded(this.row, this.nowMs, this.policy);
    this.row = state;
    return verdict;
  }

  guess(right: boolean): string {
    const verdict = this.begin();
    return verdict === "judge" ? this.settle(right) : verdict;
  }

  get locked(): boolean {
    const until = this.row?.lockedUntilMs ?? null;
    return until !== null && until > this.nowMs;
  }
}

describe("S5 one after the other", () => {
  test("S5 the fifth failure locks, and the right password is refused until the lock ends", () => {
    const account = new Account();
    const guesses = Array.from({ length: 6 }, () => account.guess(false));
    expect(guesses).toEqual(["failed", "failed", "failed", "failed", "failed", "locked"]);
    expect(begin(account.row, account.nowMs, POLICY)).toMatchObject({
      verdict: "locked",
      retryAfterSeconds: 1_800,
    });
    account.nowMs += POLICY.lockMs - 1;
    expect(begin(account.row, account.nowMs, POLICY)).toMatchObject({
      verdict: "locked",
      retryAfterSeconds: 1,
    });
    expect(account.guess(true)).toBe("locked");
    account.nowMs += 1;
    expect(account.guess(true)).toBe("accepted");
  });

  test("S5 after a lock the count starts anew", () => {
    const account = new Account();
    for (let i = 0; i < 5; i++) account.guess(false);
    account.nowMs += POLICY.lockMs;
    const guesses = Array.from({ length: 6 }, () => account.guess(false));
    expect(guesses).toEqual(["failed", "failed", "failed", "failed", "failed", "locked"]);
  });

  test("a success resets the count", () => {
    const account = new Account();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 4; i++) expect(account.guess(false)).toBe("failed");
      expect(account.guess(true)).toBe("accepted");
    }
    expect(account.row).toMatchObject({ failures: 0, pending: 0, lockedUntilMs: null });
  });

  test("a count is forgotten a day after the last attempt, and not before", () => {
    const stale = state({ failures: 4 });
    expect(
      failed(begin(stale, NOW + FORGOTTEN_AFTER_MS - 1, POLICY).state, NOW + DAY_MS - 1, POLICY),
    ).toMatchObject({
      failures: 5,
      lockedUntilMs: NOW + DAY_MS - 1 + POLICY.lockMs,
    });
    expect(begin(stale, NOW + FORGOTTEN_AFTER_MS, POLICY).state).toMatchObject({ failures: 0, pending: 1 });
  });

  test("a lock longer than a day is not forgotten before it ends", () => {
    const policy = { maxAttempts: 5, lockMs: 3 * DAY_MS };
    const locked = state({ failures: 5, lockedUntilMs: NOW + policy.lockMs });
    expect(begin(locked, NOW + 2 * DAY_MS, policy).verdict).toBe("locked");
    expect(begin(locked, NOW + 3 * DAY_MS, policy).verdict).toBe("judge");
  });

  test("under a lock, and when busy, there is nothing to write", () => {
    const locked = state({ failures: 5, lockedUntilMs: NOW + 1 });
    const busy = state({ failures: 2, pending: 3 });
    expect(begin(locked, NOW, POLICY).state).toBe(locked);
    expect(begin(busy, NOW, POLICY)).toEqual({ verdict: "busy", state: busy });
    expect(begin(busy, NOW, POLICY).state).toBe(busy);
  });

  test("a limit that was lowered below the count locks, and not for ever", () => {
    const policy = { ...POLICY, maxAttempts: 3 };
    const counted = state({ failures: 4 });
    expect(begin(counted, NOW + 1, policy).verdict).toBe("locked");
    expect(begin(counted, NOW + policy.lockMs, policy).verdict).toBe("judge");
  });
});

describe("S5 at once", () => {
  test("S5 of fifty guesses that begin together five are judged", () => {
    const account = new Account();
    const verdicts = Array.from({ length: 50 }, () => account.begin());
    expect(verdicts.filter((verdict) => verdict === "judge")).toHaveLength(5);
    expect(verdicts.filter((verdict) => verdict === "busy")).toHaveLength(45);
    for (let i = 0; i < 5; i++) account.settle(false);
    expect(account.guess(true)).toBe("locked");
  });

  test("an attempt that was never judged leaves no trace", () => {
    const account = new Account();
    for (let i = 0; i < 100; i++) {
      expect(account.begin()).toBe("judge");
      account.row = released(account.row, account.nowMs, POLICY);
    }
    expect(account.row).toMatchObject({ failures: 0, pending: 0 });
    expect(released(null, NOW, POLICY)).toMatchObject({ failures: 0, pending: 0 });
  });

  test("a success leaves the others pending", () => {
    expect(succeeded(state({ failures: 2, pending: 3 }), NOW, POLICY)).toMatchObject({
      verdict: "accepted",
      state: { failures: 0, pending: 2 },
    });
  });
});

describe("attempts whose instance is gone", () => {
  test("count as failures a minute after the last reservation, and lock from that moment", () => {
    const abandoned = state({ pending: 5 });
    expect(begin(abandoned, NOW + MINUTE_MS - 1, POLICY).verdict).toBe("busy");
    expect(begin(abandoned, NOW + MINUTE_MS, POLICY)).toMatchObject({
      verdict: "locked",
      retryAfterSeconds: 1_800,
    });
    const lockEndsMs = NOW + ABANDONED_AFTER_MS + POLICY.lockMs;
    expect(begin(abandoned, lockEndsMs - 1, POLICY)).toMatchObject({
      verdict: "locked",
      retryAfterSeconds: 1,
    });
    expect(begin(abandoned, lockEndsMs, POLICY).verdict).toBe("judge");
  });

  test("count beside the failures there are, and are forgotten like them", () => {
    const abandoned = state({ failures: 1, pending: 2 });
    expect(begin(abandoned, NOW + ABANDONED_AFTER_MS, POLICY).state).toMatchObject({
      failures: 3,
      pending: 1,
    });
    const forgottenAtMs = NOW + ABANDONED_AFTER_MS + FORGOTTEN_AFTER_MS;
    expect(begin(abandoned, forgottenAtMs - 1, POLICY).state).toMatchObject({ failures: 3, pending: 1 });
    expect(begin(abandoned, forgottenAtMs, POLICY).state).toMatchObject({ failures: 0, pending: 1 });
  });

  test("who reserves in between keeps the others from being given up", () => {
    const account = new Account();
    account.begin();
    account.nowMs += ABANDONED_AFTER_MS - 1;
    account.begin();
    account.nowMs += ABANDONED_AFTER_MS - 1;
    account.begin();
    expect(account.row).toMatchObject({ failures: 0, pending: 3 });
  });

  test("one settled after all neither opens the lock nor makes it longer", () => {
    const locked = begin(state({ pending: 5 }), NOW + ABANDONED_AFTER_MS, POLICY).state;
    const later = NOW + ABANDONED_AFTER_MS + MINUTE_MS;
    expect(succeeded(locked, later, POLICY)).toEqual({
      verdict: "locked",
      state: locked,
      retryAfterSeconds: 1_740,
    });
    expect(failed(locked, later, POLICY)).toBe(locked);
    expect(released(locked, later, POLICY)).toBe(locked);
  });

  test("one settled after all takes nobody's reservation below zero", () => {
    expect(failed(state({ failures: 1 }), NOW, POLICY)).toMatchObject({ failures: 2, pending: 0 });
    expect(succeeded(state({ failures: 1 }), NOW, POLICY).state).toMatchObject({ failures: 0, pending: 0 });
    expect(failed(null, NOW, POLICY)).toMatchObject({ failures: 1, pending: 0 });
  });
});

describe("S5 whatever the order", () => {
  type Fate = "right" | "wrong" | "crash";

  function randomFrom(seed: number): (below: number) => number {
    let value = seed * 7_919 + 1;
    return (below) => (value = (value * 48_271) % 2_147_483_647) % below;
  }

  interface Outcome {
    readonly accepted: number;
    readonly refused: number;
    /** The most guesses, wrong or lost, that were judged with neither a success nor a lock's end between them. */
    readonly longestRow: number;
  }

  /** Attempts that begin, and are settled, in a random order; who is told "busy" comes again. */
  function play(account: Account, fates: readonly Fate[], random: (below: number) => number): Outcome {
    const waiting = [...fates];
    const judging: Fate[] = [];
    let [accepted, refused, row, longestRow] = [0, 0, 0, 0];
    const takeOne = (from: Fate[]): Fate => from.splice(random(from.length), 1)[0] ?? "crash";

    for (let step = 0; waiting.length + judging.length > 0; step++) {
      if (step > 100_000) throw new Error("somebody waits for ever");
      account.nowMs += random(20);
      if (waiting.length > 0 && (judging.length === 0 || random(2) === 0)) {
        const wasLocked = account.locked;
        const verdict = account.begin();
        expect(verdict === "judge" && wasLocked).toBe(false);
        if (verdict === "busy" && judging.length === 0) account.nowMs += ABANDONED_AFTER_MS;
        if (verdict === "busy") continue;
        const fate = takeOne(waiting);
        if (verdict === "locked") refused++;
        else if (fate === "crash") longestRow = Math.max(longestRow, ++row);
        else judging.push(fate);
      } else {
        const fate = takeOne(judging);
        const outcome = account.settle(fate === "right");
        if (outcome === "accepted") [accepted, row] = [accepted + 1, 0];
        else longestRow = Math.max(longestRow, ++row);
      }
      const { failures, pending } = account.row ?? state();
      expect(failures + pending).toBeLessThanOrEqual(account.policy.maxAttempts);
    }
    return { accepted, refused, longestRow };
  }

  const SEEDS = Array.from({ length: 300 }, (_, seed) => seed + 1);
  const fatesOf = (count: number, pick: (i: number) => Fate): Fate[] =>
    Array.from({ length: count }, (_, i) => pick(i));

  test("S5 of many wrong guesses exactly the limit is judged, then the account is locked", () => {
    for (const seed of SEEDS) {
      const random = randomFrom(seed);
      const account = new Account({ ...POLICY, maxAttempts: 1 + random(7) });
      const { refused, longestRow } = play(
        account,
        fatesOf(50, () => "wrong"),
        random,
      );
      expect(longestRow).toBe(account.policy.maxAttempts);
      expect(refused).toBe(50 - account.policy.maxAttempts);
      expect(account.locked).toBe(true);
    }
  });

  test("S5 many logins at once with the right password all pass, even with a limit of one", () => {
    for (const seed of SEEDS) {
      const random = randomFrom(seed);
      const account = new Account({ ...POLICY, maxAttempts: 1 + random(7) });
      expect(
        play(
          account,
          fatesOf(50, () => "right"),
          random,
        ),
      ).toEqual({ accepted: 50, refused: 0, longestRow: 0 });
      expect(account.row).toMatchObject({ failures: 0, pending: 0, lockedUntilMs: null });
    }
  });

  test("S5 in a mixture no more wrong guesses in a row are judged than the limit", () => {
    let [accepted, locks] = [0, 0];
    for (const seed of SEEDS) {
      const random = randomFrom(seed);
      const account = new Account();
      const outcome = play(
        account,
        fatesOf(60, () => (random(4) === 0 ? "right" : "wrong")),
        random,
      );
      expect(outcome.longestRow).toBeLessThanOrEqual(POLICY.maxAttempts);
      accepted += outcome.accepted;
      if (account.locked) locks++;
    }
    expect(accepted).toBeGreaterThan(100);
    expect(locks).toBeGreaterThan(100);
  });

  test("S5 guesses lost with their instance count too", () => {
    for (const seed of SEEDS) {
      const random = randomFrom(seed);
      const account = new Account();
      const { longestRow } = play(
        account,
        fatesOf(50, () => (random(2) === 0 ? "crash" : "wrong")),
        random,
      );
      expect(longestRow).toBe(POLICY.maxAttempts);
      expect(account.locked).toBe(true);
    }
  });
});

describe("a clock that was set back", () => {
  const STEP = 400 * DAY_MS;
  const AHEAD = NOW + STEP;

  test("makes no lock last longer than the policy says, from the first reading on", () => {
    const account = new Account();
    account.row = state({ failures: 5, lockedUntilMs: AHEAD + POLICY.lockMs, updatedAtMs: AHEAD });
    expect(begin(account.row, NOW, POLICY)).toMatchObject({ verdict: "locked", retryAfterSeconds: 1_800 });
    for (const ms of [0, MINUTE_MS, POLICY.lockMs - MINUTE_MS - 1]) {
      account.nowMs += ms;
      expect(account.guess(true)).toBe("locked");
    }
    account.nowMs += 1;
    expect(account.guess(true)).toBe("accepted");
  });

  test("does the same to a lock that is read from a count alone", () => {
    const counted = state({ failures: 5, updatedAtMs: AHEAD });
    expect(begin(counted, NOW, POLICY)).toMatchObject({ verdict: "locked", retryAfterSeconds: 1_800 });
  });

  test("leaves a lock that ends sooner as it is", () => {
    const locked = state({ failures: 5, lockedUntilMs: NOW + MINUTE_MS });
    expect(begin(locked, NOW, POLICY).state).toBe(locked);
    expect(begin(locked, NOW, POLICY)).toMatchObject({ retryAfterSeconds: 60 });
  });

  test("has what was reserved before it given up a minute after the first reading", () => {
    const account = new Account();
    account.row = state({ pending: 5, pendingSinceMs: AHEAD, updatedAtMs: AHEAD });
    expect(account.begin()).toBe("busy");
    account.nowMs += ABANDONED_AFTER_MS - 1;
    expect(account.begin()).toBe("busy");
    account.nowMs += 1;
    expect(account.begin()).toBe("locked");
    account.nowMs += POLICY.lockMs;
    expect(account.begin()).toBe("judge");
  });

  test("has a count forgotten a day after the first reading, and not before", () => {
    const seen = released(state({ failures: 4, updatedAtMs: AHEAD }), NOW, POLICY);
    expect(begin(seen, NOW + FORGOTTEN_AFTER_MS - 1, POLICY).state).toMatchObject({ failures: 4 });
    expect(begin(seen, NOW + FORGOTTEN_AFTER_MS, POLICY).state).toMatchObject({ failures: 0 });
  });
});

describe("a clock that is set to whatever, and back", () => {
  type Step = "begin" | "fail" | "release" | { readonly movedMs: number };

  const POLICIES: fc.Arbitrary<LockoutPolicy> = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 6 }),
    lockMs: fc.constantFrom(MINUTE_MS, POLICY.lockMs, 3 * DAY_MS),
  });

  /** Moves around the spans that mean something, either way, and some that mean nothing. */
  const MOVES: fc.Arbitrary<Step> = fc
    .record({
      aboutMs: fc.constantFrom(
        0,
        ABANDONED_AFTER_MS,
        MINUTE_MS,
        POLICY.lockMs,
        FORGOTTEN_AFTER_MS,
        3 * DAY_MS,
      ),
      byMs: fc.integer({ min: -2_000, max: 2_000 }),
      back: fc.boolean(),
    })
    .map(({ aboutMs, byMs, back }) => ({ movedMs: (back ? -aboutMs : aboutMs) + byMs }));

  const STEPS: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom("begin" as const, "fail" as const) },
      { weight: 1, arbitrary: fc.constant("release" as const) },
      { weight: 3, arbitrary: MOVES },
    ),
    { maxLength: 200, size: "max" },
  );

  /** What somebody without the password gets out of it. */
  interface Siege {
    readonly account: Account;
    /** Attempts that were, or are being, judged: each but those that were taken back. */
    judged: number;
    /** Reserved and not yet settled. */
    open: number;
    /** All that the clock has gone forward, however much of it was taken back. */
    forwardMs: number;
  }

  function take(siege: Siege, step: Step): void {
    const { account } = siege;
    const { policy } = account;
    if (typeof step === "object") {
      account.nowMs += step.movedMs;
      siege.forwardMs += Math.max(0, step.movedMs);
    } else if (step === "begin") {
      if (account.begin() !== "judge") return;
      siege.judged++;
      siege.open++;
    } else if (siege.open > 0) {
      siege.open--;
      if (step === "release") siege.judged--;
      account.row = (step === "fail" ? failed : released)(account.row, account.nowMs, policy);
    }
  }

  function besieged(policy: LockoutPolicy, steps: readonly Step[], onStep: (siege: Siege) => void): Siege {
    const siege: Siege = { account: new Account(policy), judged: 0, open: 0, forwardMs: 0 };
    for (const step of steps) {
      take(siege, step);
      onStep(siege);
    }
    return siege;
  }

  const holds = (property: fc.IProperty<[LockoutPolicy, readonly Step[]]>) =>
    fc.assert(property, { seed, numRuns: 2_000 });

  test("gives no more guesses than the limit for each span by which it has gone forward", () => {
    holds(
      fc.property(POLICIES, STEPS, (policy, steps) => {
        besieged(policy, steps, ({ account, judged, forwardMs }) => {
          const { failures, pending } = account.row ?? state();
          expect(failures + pending).toBeLessThanOrEqual(policy.maxAttempts);
          const spans = 1 + Math.floor(forwardMs / Math.min(policy.lockMs, FORGOTTEN_AFTER_MS));
          expect(judged).toBeLessThanOrEqual(spans * policy.maxAttempts);
        });
      }),
    );
  });

  test("tells nobody to wait longer than a lock lasts, and what it tells is true", () => {
    holds(
      fc.property(POLICIES, STEPS, (policy, steps) => {
        const { account } = besieged(policy, steps, () => {});
        if (account.begin() === "busy") {
          account.nowMs += ABANDONED_AFTER_MS;
          expect(account.begin()).toBe("locked");
        }
        const told = begin(account.row, account.nowMs, policy);
        if (told.verdict !== "locked") return;
        expect(told.retryAfterSeconds).toBeLessThanOrEqual(policy.lockMs / 1_000);
        account.nowMs += told.retryAfterSeconds * 1_000;
        expect(account.begin()).toBe("judge");
      }),
    );
  });
});
