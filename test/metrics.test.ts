import { describe, expect, test } from "bun:test";
import { Fault } from "../src/core/fault.ts";
import type { Log } from "../src/core/log.ts";
import { Meters } from "../src/metrics.ts";
import type { Watched } from "../src/metrics.ts";
import { eventually } from "./support/eventually.ts";
import { MovableClock } from "./support/program.ts";

/** Of the series named, the values in the text; null for one that is not there. */
async function valuesOf(meters: Meters, ...series: readonly string[]): Promise<readonly (number | null)[]> {
  const lines = (await meters.render()).split("\n");
  return series.map((each) => {
    const line = lines.find((other) => other.startsWith(`${each} `));
    return line === undefined ? null : Number(line.slice(each.length + 1));
  });
}

const WATCHED: Watched = {
  engine: "sqlite",
  hasher: { running: () => 2, queued: () => 3 },
  connections: () => ({ max: 4, busy: 5, idle: 6, waiting: 7 }),
  inFlight: () => 8,
  sessionsOpen: async () => 9,
  rateLimitWindows: () => 10,
  spans: () => ({ sent: 11, dropped: 12 }),
};

describe("a log that is listened to", () => {
  test("is told everything as before", () => {
    const told: unknown[] = [];
    const log: Log = {
      debug: (event, fields) => void told.push(["debug", event, fields]),
      info: (event, fields) => void told.push(["info", event, fields]),
      warning: (event, fields) => void told.push(["warning", event, fields]),
      error: (event, fields, cause) => void told.push(["error", event, fields, cause]),
    };
    const listening = new Meters(new MovableClock()).listeningTo(log);
    const cause = new Error("no");
    listening.debug("a", { n: 1 });
    listening.info("b", { n: 2 });
    listening.warning("c", { n: 3 });
    listening.error("d", { n: 4 }, cause);
    expect(told).toEqual([
      ["debug", "a", { n: 1 }],
      ["info", "b", { n: 2 }],
      ["warning", "c", { n: 3 }],
      ["error", "d", { n: 4 }, cause],
    ]);
  });

  test("has its events counted, those of errors by their names", async () => {
    const clock = new MovableClock();
    const meters = new Meters(clock);
    const silent = () => {};
    const log = meters.listeningTo({ debug: silent, info: silent, warning: silent, error: silent });
    log.error("backup.failed", {}, new Error("no"));
    log.error("backup.failed", {}, new Error("no"));
    log.error("keys.refused");
    log.info("account.registered", { realm: "admin" });
    log.warning("token.refused", {});
    log.info("backup.done", {});
    log.info("request", { method: "GET", route: "/health", status: 200, ms: 1_500 });
    expect(
      await valuesOf(
        meters,
        'latchkey_errors_total{event="backup.failed"}',
        'latchkey_errors_total{event="keys.refused"}',
        'latchkey_registrations_total{realm="admin"}',
        "latchkey_tokens_refused_total",
        'latchkey_http_request_duration_seconds_sum{method="GET",route="/health"}',
      ),
    ).toEqual([2, 1, 1, 1, 1.5]);
    meters.watch(WATCHED);
    expect(await valuesOf(meters, "latchkey_backup_last_success_timestamp_seconds")).toEqual([
      clock.nowMs() / 1_000,
    ]);
  });
});

test("what is known beforehand is counted from nought on, so that an alert sees the first of it", async () => {
  const meters = new Meters(new MovableClock());
  const series = ["user", "admin"].flatMap((realm) => [
    `latchkey_lockouts_total{realm="${realm}"}`,
    `latchkey_registrations_total{realm="${realm}"}`,
    `latchkey_logins_total{realm="${realm}",outcome="succeeded"}`,
    `latchkey_logins_total{realm="${realm}",outcome="login_failed"}`,
    `latchkey_logins_total{realm="${realm}",outcome="locked"}`,
    `latchkey_logins_total{realm="${realm}",outcome="deactivated"}`,
  ]);
  expect(await valuesOf(meters, ...series, "latchkey_refresh_reuse_total")).toEqual(Array(13).fill(0));
});

test("durations are told in seconds", async () => {
  const meters = new Meters(new MovableClock());
  meters.onStatement("SELECT 1", 1_500);
  meters.onWrite(2_500);
  meters.onHash(3_500);
  expect(
    await valuesOf(
      meters,
      "latchkey_database_statement_duration_seconds_sum",
      "latchkey_database_write_duration_seconds_sum",
      "latchkey_password_hash_duration_seconds_sum",
    ),
  ).toEqual([1.5, 2.5, 3.5]);
});

test("what is watched is told under its own name", async () => {
  const meters = new Meters(new MovableClock());
  meters.watch(WATCHED);
  expect(
    await valuesOf(
      meters,
      "latchkey_password_hashes_running",
      "latchkey_password_hashes_queued",
      "latchkey_database_connections_max",
      'latchkey_database_connections{state="busy"}',
      'latchkey_database_connections{state="idle"}',
      "latchkey_database_waiting",
      "latchkey_http_requests_in_flight",
      "latchkey_sessions_open",
      "latchkey_rate_limit_windows",
      "latchkey_trace_spans_sent_total",
      "latchkey_trace_spans_dropped_total",
      "latchkey_backup_last_success_timestamp_seconds",
      "latchkey_housekeeping_last_run_timestamp_seconds",
    ),
  ).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0]);
  const [heap, startedAt, cpuSeconds] = await valuesOf(
    meters,
    "latchkey_heap_used_bytes",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
  );
  expect(heap).toBeGreaterThan(100_000);
  expect(startedAt).toBeWithin(Date.now() / 1_000 - 86_400, Date.now() / 1_000);
  expect(cpuSeconds).toBeLessThan(86_400);
});

test("sessions that could not be counted are left out, and counted when asked again", async () => {
  const meters = new Meters(new MovableClock());
  let isThere = false;
  const sessionsOpen = async () => {
    if (!isThere) throw Fault.of({ kind: "unavailable" });
    return 9;
  };
  meters.watch({ ...WATCHED, sessionsOpen });
  expect(await valuesOf(meters, "latchkey_sessions_open")).toEqual([null]);
  isThere = true;
  expect(await valuesOf(meters, "latchkey_sessions_open")).toEqual([9]);
});

test("the delay of the event loop is what it is late, and nothing where it is not", async () => {
  const meters = new Meters(new MovableClock());
  const measured = () =>
    valuesOf(meters, "latchkey_event_loop_delay_seconds_count", "latchkey_event_loop_delay_seconds_sum");
  meters.start();
  await eventually(async () => expect((await measured())[0]).toBeGreaterThan(2));
  const [, before = 0] = await measured();
  expect(before).toBeLessThan(0.5);
  Bun.sleepSync(500);
  await eventually(async () => expect((await measured())[1]).toBeGreaterThan((before ?? 0) + 0.25));
  meters.stop();
});
