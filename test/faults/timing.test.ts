import { expect, test } from "bun:test";
import { amount, isLong, report } from "../support/amount.ts";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { newEmail, post, signUp, UNLIMITED } from "./people.ts";

const TIMINGS = amount("TIMINGS", { short: 20, long: 200 });
const PERMUTATIONS = 5_000;

/** So unlikely a difference is none of chance. */
const SIGNIFICANT = 0.001;

type Kind = "known" | "unknown";

async function timeLogin(server: ServerProcess, email: string): Promise<number> {
  const startedMs = performance.now();
  const answer = await post(server, "/api/v1/users/login", { email, password: "wrongpassword" });
  const durationMs = performance.now() - startedMs;
  expect([answer.status, await answer.text()]).toEqual([401, '{"detail":"Incorrect email or password"}']);
  return durationMs;
}

/** In random order, so that whatever else the machine does falls on both alike. */
async function timings(server: ServerProcess): Promise<Readonly<Record<Kind, readonly number[]>>> {
  const { email } = await signUp(server);
  const taken: Record<Kind, number[]> = { known: [], unknown: [] };
  const order: readonly Kind[] = shuffled(
    Array.from({ length: TIMINGS * 2 }, (_, n) => (n % 2 === 0 ? "known" : "unknown")),
  );
  for (const kind of order) taken[kind].push(await timeLogin(server, kind === "known" ? email : newEmail()));
  return taken;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** The share of random divisions of all timings whose medians differ at least as much: a permutation test. */
function chanceOf(difference: number, all: readonly number[]): number {
  let asFarApart = 0;
  for (let count = 0; count < PERMUTATIONS; count += 1) {
    const mixed = shuffled(all);
    const half = mixed.length >> 1;
    if (Math.abs(median(mixed.slice(0, half)) - median(mixed.slice(half))) >= difference) asFarApart += 1;
  }
  return asFarApart / PERMUTATIONS;
}

test(
  "S4 a login takes as long for a name that nobody has as for a wrong password",
  async () => {
    const server = await serve(scratchFolder(), { ...UNLIMITED, MAX_LOGIN_ATTEMPTS: "1000" });
    const { known, unknown } = await timings(server);
    const [knownMs, unknownMs] = [median(known), median(unknown)];
    report(
      `medians of ${TIMINGS} logins: known name ${knownMs.toFixed(2)} ms, unknown ${unknownMs.toFixed(2)} ms`,
    );
    expect(unknownMs / knownMs).toBeGreaterThan(0.6);
    expect(unknownMs / knownMs).toBeLessThan(1.6);
    if (!isLong) return;
    const chance = chanceOf(Math.abs(knownMs - unknownMs), [...known, ...unknown]);
    report(
      `so far apart by chance alone: ${(chance * 100).toFixed(1)} % (permutation test, ${PERMUTATIONS} times)`,
    );
    expect(chance).toBeGreaterThan(SIGNIFICANT);
  },
  30_000 + TIMINGS * 1_000,
);
