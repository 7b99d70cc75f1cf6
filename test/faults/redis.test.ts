import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Log } from "../../src/core/log.ts";
import { silentLog } from "../../src/core/log.ts";
import { MemoryRateLimitStore, type RateLimitRule } from "../../src/core/rate-limit.ts";
import { RedisRateLimitStore } from "../../src/redis/rate-limits.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failure.ts";
import { hasRedisServer, type RedisServer, redisServer } from "../support/redis-server.ts";

const RULE: RateLimitRule = { requests: 3, windowMs: 60_000 };
const RETRY_MS = 100;
/** What S33 allows, and what a busy machine may add to a timer. */
const LONGEST_WAIT_MS = 100 + 50;
/** What is asked of nobody costs nothing; a busy machine may hold it up all the same. */
const NO_WAIT_MS = 40;

if (hasRedisServer()) describe("Redis that fails", suite);

function suite(): void {
  let server: RedisServer;
  let store: RedisRateLimitStore;
  let told: string[];

  beforeEach(async () => {
    server = await redisServer();
    told = [];
    const log: Log = {
      ...silentLog,
      info: (event) => void told.push(event),
      warning: (event) => void told.push(event),
    };
    store = new RedisRateLimitStore({
      url: server.url,
      own: new MemoryRateLimitStore({ nowMs: () => 0 }),
      log,
      retryMs: RETRY_MS,
    });
  });

  afterEach(async () => {
    store.close();
    await server.destroy();
  });

  const started = async () => {
    await server.start();
    await store.start();
    await store.ping();
  };

  async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
    const startedAt = performance.now();
    const value = await work();
    return { value, ms: performance.now() - startedAt };
  }

  const hit = (key: string) => timed(async () => (await store.hit(key, RULE)).allowed);

  async function expectOwnLimits(key: string): Promise<void> {
    const hits = [await hit(key), await hit(key), await hit(key), await hit(key)];
    expect(hits.map(({ value }) => value)).toEqual([true, true, true, false]);
    for (const { ms } of hits) expect(ms).toBeLessThan(NO_WAIT_MS);
  }

  test("S33 Redis missing at start stops nothing, and is used once it is there", async () => {
    await store.start();
    expect(await failureOf(store.ping())).toMatchObject({ what: { kind: "unavailable" } });
    await expectOwnLimits("a");
    await Bun.sleep(4 * RETRY_MS);
    expect(told).toEqual(["redis.lost"]);

    await server.start();
    await eventually(() => store.ping());
    expect(told).toEqual(["redis.lost", "redis.back"]);
    // A budget of its own: the process's is spent, and Redis has not seen this client yet.
    expect((await hit("a")).value).toBe(true);
  });

  test("S33 Redis hung at start holds the start up for a second, not for ever", async () => {
    await server.start();
    server.freeze();
    const { ms } = await timed(() => store.start());
    expect(ms).toBeWithin(900, 1_500);
    await expectOwnLimits("a");
    server.thaw();
    await eventually(() => store.ping());
    expect(told).toEqual(["redis.lost", "redis.back"]);
  });

  test("S33 killed: requests go on with the process's own limits, and with Redis' when it is back", async () => {
    await started();
    await server.kill();
    await expectOwnLimits("a");
    expect(await failureOf(store.ping())).toMatchObject({ what: { kind: "unavailable" } });

    await server.start();
    await eventually(() => store.ping());
    expect((await hit("a")).value).toBe(true);
    expect(told).toEqual(["redis.lost", "redis.back"]);
  });

  test("S33 hung: those under way wait a tenth of a second at most, and those after them not at all", async () => {
    await started();
    server.freeze();
    const underWay = await Promise.all(Array.from({ length: 30 }, (_, index) => hit(`client ${index % 10}`)));
    expect(underWay.filter(({ value }) => value)).toHaveLength(30);
    for (const { ms } of underWay) expect(ms).toBeLessThan(LONGEST_WAIT_MS);

    // New connections are taken by the system and never answered: looking for Redis costs no request anything.
    for (let i = 0; i < 20; i += 1) {
      const { value, ms } = await hit("client 0");
      expect(value).toBe(false);
      expect(ms).toBeLessThan(NO_WAIT_MS);
      await Bun.sleep(RETRY_MS / 4);
    }
    expect(told).toEqual(["redis.lost"]);

    server.thaw();
    await eventually(() => store.ping());
    expect(told).toEqual(["redis.lost", "redis.back"]);
  });

  test("S33 a budget that was spent before Redis went stays spent", async () => {
    await started();
    for (let i = 0; i < 4; i += 1) await hit("spent");
    await server.kill();
    expect((await hit("spent")).value).toBe(false);
  });

  test("S33 a server that answers, but cannot count, is not used and fills no log", async () => {
    await started();
    const admin = new Bun.RedisClient(server.url);
    await admin.send("REPLICAOF", ["127.0.0.1", "1"]);
    await expectOwnLimits("a");
    await Bun.sleep(5 * RETRY_MS);
    expect(told).toEqual(["redis.lost"]);

    await admin.send("REPLICAOF", ["NO", "ONE"]);
    admin.close();
    await eventually(() => store.ping());
    expect(told).toEqual(["redis.lost", "redis.back"]);
  });

  test("after it was closed it counts by itself, and connects no more", async () => {
    await started();
    store.close();
    await expectOwnLimits("a");
    await Bun.sleep(2 * RETRY_MS);
    expect(await failureOf(store.ping())).toMatchObject({ what: { kind: "unavailable" } });
    expect(told).toEqual([]);
  });

  test("closed while it connects, it connects no more", async () => {
    await server.start();
    server.freeze();
    const opening = store.start();
    store.close();
    await opening;
    server.thaw();
    await Bun.sleep(2 * RETRY_MS);
    expect(await failureOf(store.ping())).toMatchObject({ what: { kind: "unavailable" } });
    expect(told).toEqual([]);
  });
}
