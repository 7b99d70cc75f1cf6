import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { amount, report } from "../support/amount.ts";
import { newEmail, PASSWORD, post, signUp, UNLIMITED } from "./people.ts";
import type { Person } from "./people.ts";

const READER = join(import.meta.dir, "reader.ts");
const LOGIN = "/api/v1/users/login";
const FLOOD_SECONDS = amount("FLOOD_SECONDS", { short: 2, long: 20 });
const TIMES_CAPACITY = amount("FLOOD_FACTOR", { short: 10, long: 10 });
const QUEUE = 16;
const HASHES = amount("HASHES", { short: availableParallelism(), long: availableParallelism() });
/** In steps so small that the flood is even, and no burst of them is what the readers wait for. */
const TICK_MS = 2;

const MEMORY_LIMIT_MB = 400;
const READ_LIMIT_MS = 1_000;

interface Refusals {
  readonly statuses: Map<number, number>;
  withoutRetryAfter: number;
}

/** How many passwords a second the server can judge, with enough of them asked at once to keep it busy. */
async function measureCapacity(server: ServerProcess): Promise<number> {
  const startedMs = performance.now();
  let judged = 0;
  const ask = async () => {
    while (performance.now() - startedMs < 1_000) {
      const { status } = await post(server, LOGIN, { email: newEmail(), password: "wrong" });
      if (status === 401) judged += 1;
    }
  };
  await Promise.all(Array.from({ length: 6 }, ask));
  return (judged * 1_000) / (performance.now() - startedMs);
}

/** Begins so many logins a second, whether those before are answered or not: a flood does not wait its turn. */
async function flood(server: ServerProcess, perSecond: number): Promise<Refusals> {
  const refusals: Refusals = { statuses: new Map(), withoutRetryAfter: 0 };
  const asked: Promise<void>[] = [];
  const startedMs = performance.now();
  while (performance.now() - startedMs < FLOOD_SECONDS * 1_000) {
    const due = ((performance.now() - startedMs) / 1_000) * perSecond;
    while (asked.length < due) asked.push(guess(server, refusals));
    await Bun.sleep(TICK_MS);
  }
  await Promise.all(asked);
  return refusals;
}

async function guess(server: ServerProcess, refusals: Refusals): Promise<void> {
  const answer = await post(server, LOGIN, { email: newEmail(), password: "wrong" });
  await answer.text();
  refusals.statuses.set(answer.status, (refusals.statuses.get(answer.status) ?? 0) + 1);
  const isTold = Number(answer.headers.get("retry-after")) >= 1;
  if (answer.status === 503 && !isTold) refusals.withoutRetryAfter += 1;
}

/** How long each of the reads with a token took, one after the other, in order of length. */
async function reads(server: ServerProcess, { token }: Person, seconds: number): Promise<readonly number[]> {
  const command = [process.execPath, READER, `${server.url}/api/v1/todos`, token, String(seconds)];
  const reader = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const durationsMs: readonly number[] = JSON.parse(await reader.stdout.text());
  return durationsMs.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function memoryMb({ pid }: ServerProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024;
}

describe("a flood of logins", () => {
  test(
    "S8 beyond the queue it is 503 with Retry-After, memory is bounded, and reads go on",
    async () => {
      const server = await serve(scratchFolder(), {
        ...UNLIMITED,
        HASH_QUEUE: String(QUEUE),
        HASH_CONCURRENCY: String(HASHES),
      });
      const person = await signUp(server);
      const capacity = await measureCapacity(server);

      const quiet = await reads(server, person, Math.min(5, FLOOD_SECONDS));

      let mostMb = 0;
      const watch = setInterval(() => (mostMb = Math.max(mostMb, memoryMb(server))), 50);
      const [{ statuses, withoutRetryAfter }, flooded] = await Promise.all([
        flood(server, capacity * TIMES_CAPACITY),
        reads(server, person, FLOOD_SECONDS),
      ]);
      clearInterval(watch);

      report(
        `${Math.round(capacity)} hashes a second, a flood of ${TIMES_CAPACITY} times as many: ${Bun.inspect(statuses)}`,
      );
      for (const [name, share] of [
        ["p50", 0.5],
        ["p99", 0.99],
      ] as const) {
        const [before, after] = [quantile(quiet, share), quantile(flooded, share)];
        report(
          `reads ${name}: ${before.toFixed(2)} ms quiet, ${after.toFixed(2)} ms flooded, ${(after / before).toFixed(1)} times`,
        );
      }
      report(`memory: ${Math.round(mostMb)} MB at most`);

      expect([...statuses.keys()].toSorted()).toEqual([401, 503]);
      expect(withoutRetryAfter).toBe(0);
      // Those refused cost no more than a refusal: as much is judged as in quiet times, or nearly.
      expect(statuses.get(401) ?? 0).toBeGreaterThan(QUEUE);
      expect(flooded.length).toBeGreaterThan(20);
      expect(quantile(flooded, 1)).toBeLessThan(READ_LIMIT_MS);
      expect(mostMb).toBeLessThan(MEMORY_LIMIT_MB);
      expect((await post(server, LOGIN, { email: person.email, password: PASSWORD })).status).toBe(200);
    },
    FLOOD_SECONDS * 1_000 + 30_000,
  );
});
