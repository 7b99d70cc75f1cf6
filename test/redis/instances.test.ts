import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { field } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { forEachEngine, type TestProgram } from "../support/program.ts";
import { hasRedisServer, type RedisServer, redisServer } from "../support/redis-server.ts";

if (hasRedisServer()) {
  forEachEngine("two instances with one Redis", (start) => {
    let server: RedisServer;
    let one: TestProgram;
    let other: TestProgram;

    beforeAll(async () => {
      server = await redisServer();
      await server.start();
      const settings = { REDIS_URL: server.url, RATE_LIMIT_REFRESH: "4/minute" };
      one = await start(settings);
      other = await start(settings);
    });

    afterAll(async () => {
      await Promise.all([one.close(), other.close()]);
      await server.destroy();
    });

    const refresh = (program: TestProgram, address: string) =>
      program.client(address).post("/api/v1/users/refresh");

    async function statuses(address: string, times: number): Promise<readonly number[]> {
      const answers = [];
      for (let i = 0; i < times; i += 1) {
        answers.push(await refresh(one, address), await refresh(other, address));
      }
      return answers.map(({ status }) => status);
    }

    test("a client's budget is one, whichever instance it meets", async () => {
      expect(await statuses("203.0.113.1", 3)).toEqual([401, 401, 401, 401, 429, 429]);
      const refused = await refresh(other, "203.0.113.1");
      const seconds = Number(refused.headers.get("retry-after"));
      expect(seconds).toBeWithin(50, 61);
      expect((await refresh(other, "203.0.113.2")).status).toBe(401);
    });

    describe("S33 while Redis is gone", () => {
      test("S33 requests go on, each instance counts by itself, and readiness tells", async () => {
        expect((await one.client().get("/health/readiness")).body).toEqual({
          status: "ready",
          checks: { database: "ok", redis: "ok" },
        });
        await server.kill();
        expect(await statuses("203.0.113.3", 5)).toEqual([...Array.from({ length: 8 }, () => 401), 429, 429]);

        const readiness = await one.client().get("/health/readiness");
        expect(readiness.status).toBe(503);
        expect(field(readiness, "checks")).toEqual({ database: "ok", redis: "unavailable" });
        expect((await one.client().get("/health/liveness")).status).toBe(200);

        await server.start();
        for (const program of [one, other]) {
          await eventually(async () => {
            expect((await program.client().get("/health/readiness")).status).toBe(200);
          });
        }
        expect(await statuses("203.0.113.3", 3)).toEqual([401, 401, 401, 401, 429, 429]);
        for (const program of [one, other]) {
          const events = program.log.filter((line) => line.includes("redis."));
          expect(events).toHaveLength(2);
        }
      });
    });
  });

  forEachEngine("Redis missing at start", (start) => {
    test("does not stop the start", async () => {
      const server = await redisServer();
      const program = await start({ REDIS_URL: server.url });
      expect((await program.client().get("/health/startup")).status).toBe(200);
      expect((await program.client().get("/health/readiness")).status).toBe(503);
      expect((await refreshed(program)).status).toBe(401);
      await program.close();
      await server.destroy();
    });

    test("matters to nobody where limits are turned off", async () => {
      const server = await redisServer();
      const program = await start({ REDIS_URL: server.url, RATE_LIMIT_ENABLED: "false" });
      expect((await program.client().get("/health/readiness")).body).toEqual({
        status: "ready",
        checks: { database: "ok" },
      });
      await server.destroy();
    });

    const refreshed = (program: TestProgram) => program.client().post("/api/v1/users/refresh");
  });
}
