import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import type { LogFields } from "../../src/core/log.ts";
import { Recurring } from "../../src/core/recurring.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Lets what was started by a timer run on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

async function advance(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await settle();
}

test("a task runs first after its first wait, and then at its interval, until it is stopped", async () => {
  const recurring = new Recurring(silentLog);
  let runs = 0;
  recurring.every("count", 1_000, 10, async () => {
    runs += 1;
  });
  await advance(9);
  expect(runs).toBe(0);
  await advance(1);
  expect(runs).toBe(1);
  await advance(1_000);
  await advance(1_000);
  expect(runs).toBe(3);
  await recurring.stop();
  await advance(10_000);
  expect(runs).toBe(3);
});

test("S36 a throw in a task is logged and harms neither the next run nor another task", async () => {
  const told: LogFields[] = [];
  const recurring = new Recurring({
    ...silentLog,
    error: (event, fields, cause) => told.push({ event, ...fields, cause: String(cause) }),
  });
  let runs = 0;
  recurring.every("rejects", 100, 100, () => Promise.reject(new Error("later")));
  recurring.every("throws", 100, 100, () => {
    throw new Error("at once");
  });
  recurring.every("works", 100, 100, async () => {
    runs += 1;
  });
  await advance(100);
  await advance(100);
  expect(runs).toBe(2);
  expect(told).toHaveLength(4);
  expect(told).toContainEqual({ event: "task.failed", task: "rejects", cause: "Error: later" });
  expect(told).toContainEqual({ event: "task.failed", task: "throws", cause: "Error: at once" });
  await recurring.stop();
});

test("S35 a task of many steps is told to stop, and does no step more than the one that it is at", async () => {
  const recurring = new Recurring(silentLog);
  const step = Promise.withResolvers<void>();
  let steps = 0;
  recurring.every("steps", 100, 100, async (stopping) => {
    while (!stopping.aborted) {
      steps += 1;
      await step.promise;
    }
  });
  await advance(100);
  const stopped = recurring.stop();
  step.resolve();
  await stopped;
  expect(steps).toBe(1);
});

test("a task that takes long is not started twice, and stopping waits for it", async () => {
  const recurring = new Recurring(silentLog);
  const gate = Promise.withResolvers<void>();
  let started = 0;
  recurring.every("slow", 100, 100, () => {
    started += 1;
    return gate.promise;
  });
  for (let round = 0; round < 5; round += 1) await advance(100);
  expect(started).toBe(1);
  let stopped = false;
  const stopping = recurring.stop().then(() => {
    stopped = true;
  });
  await settle();
  expect(stopped).toBe(false);
  gate.resolve();
  await stopping;
});
