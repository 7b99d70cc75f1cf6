import { describe, expect, test } from "bun:test";
import { MemoryRateLimitStore, type RateLimitRule } from "../../src/core/rate-limit.ts";

const RULE: RateLimitRule = { requests: 3, windowMs: 60_000 };

function setUp(maxClients?: number) {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms };
  const store = new MemoryRateLimitStore(clock, maxClients);
  const allowed = (key: string, rule = RULE): boolean => store.hit(key, rule).allowed;
  return { clock, store, allowed };
}

describe("a window", () => {
  test("lets so many through, says when to come back, and begins anew when it ends", () => {
    const { clock, store, allowed } = setUp();
    expect([allowed("a"), allowed("a"), allowed("a")]).toEqual([true, true, true]);
    expect(store.hit("a", RULE)).toEqual({ allowed: false, retryAfterSeconds: 60 });
    clock.ms += 58_500;
    expect(store.hit("a", RULE)).toEqual({ allowed: false, retryAfterSeconds: 2 });
    clock.ms += 1_499;
    expect(store.hit("a", RULE)).toEqual({ allowed: false, retryAfterSeconds: 1 });
    clock.ms += 1;
    expect([allowed("a"), allowed("a"), allowed("a"), allowed("a")]).toEqual([true, true, true, false]);
  });

  test("begins with each client's first hit, and a refused hit does not lengthen it", () => {
    const { clock, allowed } = setUp();
    for (let i = 0; i < 9; i++) allowed("a");
    clock.ms += 30_000;
    expect([allowed("b"), allowed("b"), allowed("b"), allowed("a")]).toEqual([true, true, true, false]);
    clock.ms += 30_000;
    expect([allowed("a"), allowed("b")]).toEqual([true, false]);
    clock.ms += 30_000;
    expect([allowed("b"), allowed("a"), allowed("a"), allowed("a")]).toEqual([true, true, true, false]);
  });

  test("limits of different lengths do not disturb each other", () => {
    const { clock, allowed } = setUp();
    const long = { requests: 1, windowMs: 900_000 };
    expect([allowed("login:a", long), allowed("login:a", long), allowed("register:a")]).toEqual([
      true,
      false,
      true,
    ]);
    clock.ms += 899_999;
    expect(allowed("login:a", long)).toBe(false);
    clock.ms += 1;
    expect(allowed("login:a", long)).toBe(true);
  });

  test("whenever its clients come, none gets more than the rule says out of one window", () => {
    const { clock, allowed } = setUp(5);
    const through = new Map<string, number[]>();
    let random = 1;
    const next = (below: number): number => (random = (random * 48_271) % 2_147_483_647) % below;
    for (let i = 0; i < 20_000; i++) {
      clock.ms += next(3_000);
      const key = `client ${next(40)}`;
      if (!allowed(key)) continue;
      const times = through.get(key) ?? [];
      through.set(key, [...times, clock.ms]);
      // A fixed window allows two rows of hits close together, one at its end and one at the next one's start.
      expect(times.filter((ms) => ms > clock.ms - RULE.windowMs).length).toBeLessThan(2 * RULE.requests);
    }
    expect(through.size).toBe(40);
  });
});

describe("S28 many clients", () => {
  test("S28 a million distinct clients keep it bounded and push no limited one out", () => {
    const { store, allowed } = setUp();
    for (let i = 0; i < 4; i++) allowed("limited");
    for (let i = 0; i < 3; i++) allowed("began");
    for (let i = 0; i < 1_000_000; i++) store.hit(`client ${i}`, RULE);
    expect(store.size).toBeLessThanOrEqual(100_000 + 65_536);
    expect(allowed("limited")).toBe(false);
    expect(allowed("began")).toBe(false);
  });

  test("S28 who comes when it is full is limited as well, for one window", () => {
    const { clock, allowed } = setUp(2);
    allowed("early");
    clock.ms += 59_000;
    allowed("late");
    const newcomer = () => allowed("newcomer");
    expect([newcomer(), newcomer(), newcomer(), newcomer()]).toEqual([true, true, true, false]);
    clock.ms += 59_999;
    expect(newcomer()).toBe(false);
    clock.ms += 1;
    expect(newcomer()).toBe(true);
  });

  test("S28 who began in a shared window stays there until it ends, also when room falls free", () => {
    const { clock, allowed } = setUp(1);
    allowed("early");
    clock.ms += RULE.windowMs;
    allowed("another");
    clock.ms += 500;
    const newcomer = () => allowed("newcomer");
    expect([newcomer(), newcomer(), newcomer()]).toEqual([true, true, true]);
    // By now the only window is gone that was somebody's own.
    clock.ms += RULE.windowMs - 500;
    expect(newcomer()).toBe(false);
    clock.ms += 500;
    expect(newcomer()).toBe(true);
  });

  test("S28 nobody can foretell who shares a window when it is full", () => {
    const refused = () => {
      const { allowed } = setUp(0);
      const keys = Array.from({ length: 4_000 }, (_, i) => `client ${i}`);
      return keys.filter((key) => !allowed(key, { ...RULE, requests: 1 }));
    };
    expect(refused()).not.toEqual(refused());
  });

  test("S28 a flood is forgotten two windows later", () => {
    const { clock, store, allowed } = setUp(100);
    for (let i = 0; i < 10_000; i++) allowed(`client ${i}`);
    clock.ms += 2 * RULE.windowMs;
    allowed("next");
    expect(store.size).toBeLessThan(10_000);
    clock.ms += 2 * RULE.windowMs;
    for (const key of ["a", "b", "c"]) expect(allowed(key)).toBe(true);
    expect(store.size).toBe(3);
  });

  test("S28 under a steady stream of new clients nothing is kept beyond two windows", () => {
    const { clock, store, allowed } = setUp();
    for (let i = 0; i < 50_000; i++) {
      clock.ms += 60;
      allowed(`client ${i}`);
    }
    expect(store.size).toBeLessThanOrEqual(2_000);
  });
});
