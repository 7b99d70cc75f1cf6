import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sayOnce } from "../support/needed.ts";
import { isRequired } from "../support/postgres.ts";
import { findPostgresPrograms, startPostgresCluster } from "../support/postgres-cluster.ts";
import type { PostgresCluster } from "../support/postgres-cluster.ts";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { amount, report } from "../support/amount.ts";
import { get, signUp, UNLIMITED } from "./people.ts";
import type { Person } from "./people.ts";
import { Storm } from "./storm.ts";

const ROUNDS = amount("OUTAGES", { short: 1, long: 5 });
const OUTAGE_MS = amount("OUTAGE_MS", { short: 800, long: 5_000 });
const RECOVERY_LIMIT_MS = 8_000;
const POOL_SIZE = 4;
const REQUEST_TIMEOUT_SECONDS = 3;

/** The deadline of a request is looked at once a second. */
const SLOWEST_MS = (REQUEST_TIMEOUT_SECONDS + 1) * 1_000 + 500;

const SETTINGS = {
  ...UNLIMITED,
  LOG_LEVEL: "WARNING",
  REQUEST_TIMEOUT_SECONDS: String(REQUEST_TIMEOUT_SECONDS),
  DB_POOL_MAX_CONN: String(POOL_SIZE),
  DB_ACQUIRE_TIMEOUT_MS: "500",
  DB_STATEMENT_TIMEOUT_MS: "500",
};

const programs = findPostgresPrograms();
if (programs === null) {
  const line =
    "SKIPPED: PostgreSQL stopped under traffic, since initdb is not installed (apt-get install postgresql)";
  if (isRequired()) throw new Error(line);
  sayOnce(line);
}

describe.if(programs !== null)("PostgreSQL under traffic", () => {
  let cluster: PostgresCluster;
  let server: ServerProcess;
  let person: Person;
  beforeAll(async () => {
    cluster = await startPostgresCluster(programs ?? "");
  }, 60_000);
  afterAll(() => cluster.destroy(), 60_000);

  /** Traffic before, during and after: nothing but 200 and 503, none late, nothing acknowledged lost. */
  async function survives(name: string, harm: () => Promise<void>): Promise<void> {
    server = await serve(scratchFolder(), { ...SETTINGS, DATABASE_URL: cluster.url });
    person = await signUp(server);
    const storm = new Storm(person);
    for (let round = 1; round <= ROUNDS; round += 1) {
      // More clients than connections, so that some wait for one.
      storm.start(server, POOL_SIZE * 4);
      await Bun.sleep(300);
      await harm();
      const recoveryMs = await recovered();
      await storm.stop();
      report(
        `${name}: ready again after ${Math.round(recoveryMs)} ms; slowest answer ${Math.round(storm.slowestMs)} ms`,
      );
      expect(storm.acknowledged).toBeGreaterThan(10);
      expect([...storm.statuses.keys()].filter((status) => status !== 200 && status !== 503)).toEqual([]);
      expect(storm.slowestMs).toBeLessThan(SLOWEST_MS);
      expect(await storm.missing(server)).toEqual([]);
      await everyConnectionWorks();
    }
    report(`${name}: ${storm.acknowledged} acknowledged creations, statuses ${Bun.inspect(storm.statuses)}`);
  }

  async function recovered(): Promise<number> {
    const startedMs = performance.now();
    while ((await get(server, "/health/readiness")).status !== 200) {
      if (performance.now() - startedMs > RECOVERY_LIMIT_MS) throw new Error("it does not recover by itself");
      await Bun.sleep(20);
    }
    return performance.now() - startedMs;
  }

  async function everyConnectionWorks(): Promise<void> {
    const asked = Array.from({ length: POOL_SIZE * 8 }, () => get(server, "/api/v1/users/me", person.token));
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200));
  }

  /** While the database is away: not ready, but alive, and honest to whoever asks. */
  async function isUnavailable(): Promise<void> {
    const untilMs = performance.now() + OUTAGE_MS;
    do {
      const [readiness, liveness, read] = await Promise.all([
        timed(get(server, "/health/readiness")),
        timed(get(server, "/health/liveness")),
        timed(get(server, "/api/v1/users/me", person.token)),
      ]);
      expect([readiness.status, liveness.status, read.status]).toEqual([503, 200, 503]);
      expect(liveness.ms).toBeLessThan(500);
      expect(Math.max(readiness.ms, read.ms)).toBeLessThan(SLOWEST_MS);
    } while (performance.now() < untilMs);
  }

  async function timed(asked: Promise<Response>): Promise<{ status: number; ms: number }> {
    const startedMs = performance.now();
    const { status } = await asked;
    return { status, ms: performance.now() - startedMs };
  }

  const LIMIT_MS = 30_000 + ROUNDS * (OUTAGE_MS + 20_000);

  test(
    "S32 restarted, it is unavailable for a moment and back by itself",
    () => survives("restart", () => cluster.restart()),
    LIMIT_MS,
  );

  test(
    "S32 stopped, readiness says no, liveness yes, requests get 503, until it is started again",
    () =>
      survives("stop", async () => {
        await cluster.stop();
        await isUnavailable();
        await cluster.start();
      }),
    LIMIT_MS,
  );

  test(
    "S32 frozen, all that is asked is answered within the deadline, and no pool is deadlocked",
    () =>
      survives("freeze", async () => {
        cluster.freeze("everything");
        await isUnavailable();
        cluster.thaw();
      }),
    LIMIT_MS,
  );

  test(
    "S32 with its connections alone frozen, new ones take their place",
    () =>
      survives("frozen connections", async () => {
        cluster.freeze("connections");
        await recovered();
        cluster.thaw();
      }),
    LIMIT_MS,
  );

  test(
    "S29 S32 where the database may take longer than a request, the request's own deadline counts",
    async () => {
      const patient = { DB_STATEMENT_TIMEOUT_MS: "60000", DB_ACQUIRE_TIMEOUT_MS: "60000" };
      server = await serve(scratchFolder(), { ...SETTINGS, ...patient, DATABASE_URL: cluster.url });
      person = await signUp(server);
      cluster.freeze("everything");
      const asked = Array.from({ length: POOL_SIZE * 2 }, () =>
        timed(get(server, "/api/v1/users/me", person.token)),
      );
      for (const { status, ms } of await Promise.all(asked)) {
        expect(status).toBe(503);
        expect(ms).toBeLessThan(SLOWEST_MS);
      }
      cluster.thaw();
      await recovered();
      await everyConnectionWorks();
    },
    LIMIT_MS,
  );

  test(
    "S32 a program that starts while it is away says so and ends, and starts once it is back",
    async () => {
      await cluster.stop();
      const early = serve(scratchFolder(), { ...SETTINGS, DATABASE_URL: cluster.url });
      await expect(early).rejects.toThrow("ended with 69");
      await cluster.start();
      const late = await serve(scratchFolder(), { ...SETTINGS, DATABASE_URL: cluster.url });
      expect((await get(late, "/health/readiness")).status).toBe(200);
    },
    LIMIT_MS,
  );
});
