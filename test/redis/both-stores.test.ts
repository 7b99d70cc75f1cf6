import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { MemoryRateLimitStore, type RateLimitRule, type RateLimitStore } from "../../src/core/rate-limit.ts";
import { silentLog } from "../../src/core/log.ts";
import { RedisRateLimitStore } from "../../src/redis/rate-limits.ts";
import { hasRedisServer, type RedisServer, redisServer } from "../support/redis-server.ts";

/** What both are held to: the same windows and the same answers, wherever the counts are kept. */
function suite(store: () => RateLimitStore, passMs: (ms: number) => void | Promise<void>): void {
  const MINUTE: RateLimitRule = { requests: 3, windowMs: 60_000 };
  /** Long enough that a slow machine does not mistake its middle for its end. */
  const SHORT: RateLimitRule = { requests: 2, windowMs: 1_200 };
  const allowed = async (key: string, rule: RateLimitRule) => (await store().hit(key, rule)).allowed;

  test("lets so many through, and says when to come back", async () => {
    expect(await store().hit("a", MINUTE)).toEqual({ allowed: true });
    expect([await allowed("a", MINUTE), await allowed("a", MINUTE)]).toEqual([true, true]);
    expect(await store().hit("a", MINUTE)).toEqual({ allowed: false, retryAfterSeconds: 60 });
    expect(await allowed("somebody else", MINUTE)).toBe(true);
  });

  test("a window begins with the first hit, is not lengthened by a refused one, and begins anew when it ends", async () => {
    expect([await allowed("b", SHORT), await allowed("b", SHORT)]).toEqual([true, true]);
    expect(await store().hit("b", SHORT)).toEqual({ allowed: false, retryAfterSeconds: 2 });
    await passMs(700);
    expect(await store().hit("b", SHORT)).toEqual({ allowed: false, retryAfterSeconds: 1 });
    await passMs(520);
    expect([await allowed("b", SHORT), await allowed("b", SHORT), await allowed("b", SHORT)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("windows of different lengths do not disturb each other", async () => {
    const quarter: RateLimitRule = { requests: 1, windowMs: 900_000 };
    expect([await allowed("c", quarter), await allowed("c", quarter)]).toEqual([true, false]);
    expect(await allowed("c", MINUTE)).toBe(true);
    expect(await store().hit("c", quarter)).toEqual({ allowed: false, retryAfterSeconds: 900 });
  });

  test("of many hits at once as many pass as the rule says", async () => {
    const verdicts = await Promise.all(Array.from({ length: 200 }, () => allowed("d", MINUTE)));
    expect(verdicts.filter((passed) => passed)).toHaveLength(3);
  });

  test("a key may hold any text", async () => {
    for (const key of ["", "login:2001:db8:0:0::/64", "ü\r\nDEL x", "x".repeat(500)]) {
      expect([key, await allowed(key, { requests: 1, windowMs: 60_000 })]).toEqual([key, true]);
      expect([key, await allowed(key, { requests: 1, windowMs: 60_000 })]).toEqual([key, false]);
    }
  });
}

describe("limits in the process", () => {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms };
  const store = new MemoryRateLimitStore(clock);
  suite(
    () => store,
    (ms) => void (clock.ms += ms),
  );
});

if (hasRedisServer()) {
  describe("limits in Redis", () => {
    let server: RedisServer;
    let redis: Bun.RedisClient;
    const opened: RedisRateLimitStore[] = [];

    /** Its process's own clock stands still, unless it is moved: windows are Redis' time. */
    async function openStore(ownClock = { nowMs: () => 0 }): Promise<RedisRateLimitStore> {
      const store = new RedisRateLimitStore({
        url: server.url,
        own: new MemoryRateLimitStore(ownClock),
        log: silentLog,
        prefix: "test:",
      });
      opened.push(store);
      await store.start();
      await store.ping();
      return store;
    }

    let store: RedisRateLimitStore;
    beforeAll(async () => {
      server = await redisServer();
      await server.start();
      redis = new Bun.RedisClient(server.url);
      store = await openStore();
    });

    afterAll(async () => {
      for (const each of opened) each.close();
      redis.close();
      await server.destroy();
    });

    suite(() => store, Bun.sleep);

    test("a budget is one for all instances, whatever their clocks say", async () => {
      const rule: RateLimitRule = { requests: 4, windowMs: 60_000 };
      const ahead = { ms: 0, nowMs: () => ahead.ms };
      const other = await openStore(ahead);
      const hits = [];
      for (let i = 0; i < 3; i += 1) {
        hits.push((await store.hit("shared", rule)).allowed, (await other.hit("shared", rule)).allowed);
        ahead.ms += 3_600_000;
      }
      expect(hits).toEqual([true, true, true, true, false, false]);
    });

    test("every key has its prefix and goes when its window ends", async () => {
      await store.hit("brief", { requests: 1, windowMs: 50 });
      const keys = await redis.keys("*");
      expect(keys.filter((key) => !key.startsWith("test:"))).toEqual([]);
      expect(keys).toContain("test:60000:shared");
      for (const key of keys) expect([key, await redis.pttl(key)]).not.toEqual([key, -1]);
      await Bun.sleep(60);
      expect(await redis.exists("test:50:brief")).toBe(false);
    });

    test("a window that Redis' clock, set back since, has left longer than one ends like one", async () => {
      const rule: RateLimitRule = { requests: 2, windowMs: 60_000 };
      await redis.set("test:60000:ahead", "1", "PX", 3_600_000);
      expect(await store.hit("ahead", rule)).toEqual({ allowed: true });
      expect(await store.hit("ahead", rule)).toEqual({ allowed: false, retryAfterSeconds: 60 });
      expect(await redis.pttl("test:60000:ahead")).toBeWithin(1, 60_001);
    });

    test("a count that somebody left without an end begins anew", async () => {
      await redis.set("test:60000:endless", "99");
      expect(await store.hit("endless", { requests: 1, windowMs: 60_000 })).toEqual({ allowed: true });
      expect(await redis.pttl("test:60000:endless")).toBeGreaterThan(0);
    });
  });
}
