import { describe, expect, test } from "bun:test";
import { BoundedQueue } from "../../src/core/bounded-queue.ts";
import { Fault } from "../../src/core/fault.ts";
import { silentLog, type Log } from "../../src/core/log.ts";
import {
  ALPHANUMERIC_8_TO_30,
  AT_LEAST_6,
  AT_LEAST_8,
  createHasher,
  passwordProblem,
  passwordTextProblem,
  raised,
} from "../../src/core/passwords.ts";

const hasher = createHasher({ concurrency: 2, maxQueued: 100, log: silentLog });
const E_ACUTE = "\u00e9";
const E_ACUTE_IN_TWO = "e\u0301";
const FACE = "\u{1f600}";
const LONE_SURROGATE = "abcdef\ud800gh";

describe("rules", () => {
  const SEED_WORDS = "Password must be between 8 and 30 characters and contain only alphanumeric characters";
  test.each([
    [ALPHANUMERIC_8_TO_30, "Abcdefg1", null],
    [ALPHANUMERIC_8_TO_30, "a".repeat(30), null],
    [ALPHANUMERIC_8_TO_30, "Abcdef1", SEED_WORDS],
    [ALPHANUMERIC_8_TO_30, "a".repeat(31), SEED_WORDS],
    [ALPHANUMERIC_8_TO_30, "Abcdefg1!", SEED_WORDS],
    [ALPHANUMERIC_8_TO_30, "Abcdefg1\n", SEED_WORDS],
    [ALPHANUMERIC_8_TO_30, "", SEED_WORDS],
    [AT_LEAST_6, "abc de", null],
    [AT_LEAST_6, "abcde", "Password must be at least 6 characters long"],
    [AT_LEAST_8, "abcdefgh", null],
    [AT_LEAST_8, "abcdefg", "Password must be at least 8 characters long"],
    [raised(AT_LEAST_6, 12), "a".repeat(11), "Password must be at least 12 characters long"],
    [raised(AT_LEAST_6, 12), "a".repeat(12), null],
    [raised(AT_LEAST_8, 4), "abcdefg", "Password must be at least 8 characters long"],
    [raised(ALPHANUMERIC_8_TO_30, 12), "Abcdefg1", SEED_WORDS.replace("8", "12")],
  ])("%o on %p: %p", (rule, password, problem) => {
    expect(passwordProblem(rule, password)).toBe(problem);
  });

  test("S1 a 64-character passphrase with spaces and other scripts will do", () => {
    const passphrase = "правильная лошадь батарея скрепка 正しい馬 バッテリー ".padEnd(64, "x");
    expect([...passphrase]).toHaveLength(64);
    expect(passwordProblem(AT_LEAST_8, passphrase)).toBeNull();
  });

  test("S2 length counts code points, after normalisation", () => {
    expect(passwordProblem(AT_LEAST_6, FACE.repeat(6))).toBeNull();
    expect(passwordProblem(AT_LEAST_6, FACE.repeat(5))).not.toBeNull();
    expect(passwordProblem(AT_LEAST_6, E_ACUTE_IN_TWO.repeat(5))).not.toBeNull();
    expect(passwordProblem(AT_LEAST_6, E_ACUTE_IN_TWO.repeat(6))).toBeNull();
  });

  test.each([
    ["1,024 bytes", "a".repeat(1_024), null],
    ["1,025 bytes", "a".repeat(1_025), "Password must be at most 1024 bytes long"],
    ["1,026 bytes in fewer characters", E_ACUTE.repeat(513), "Password must be at most 1024 bytes long"],
    ["1,024 bytes once normalised", E_ACUTE_IN_TWO.repeat(512), null],
    ["a megabyte", "a".repeat(1_000_000), "Password must be at most 1024 bytes long"],
    ["a lone surrogate", LONE_SURROGATE, "Password must be valid Unicode text"],
  ])("S2 %s", (_, password, problem) => {
    expect(passwordTextProblem(password)).toBe(problem);
    expect(passwordProblem(AT_LEAST_6, password)).toBe(problem);
  });

  test("S2 the most that NFC can make of a text still fits, and a heap of accents holds nobody up", () => {
    const mostUnitsForItsBytes = "u\u0308\u0304";
    expect(passwordTextProblem(mostUnitsForItsBytes.repeat(512))).toBeNull();
    expect(passwordTextProblem(mostUnitsForItsBytes.repeat(513))).not.toBeNull();

    const startedNs = Bun.nanoseconds();
    expect(passwordTextProblem(`a${"\u0301\u0316".repeat(20_000)}`)).not.toBeNull();
    expect(Bun.nanoseconds() - startedNs).toBeLessThan(500e6);
  });

  test("S2 a password that is no text is never hashed", async () => {
    const refused = await hasher.hash(LONE_SURROGATE).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Fault);
    expect(refused).toHaveProperty("what.kind", "invalid");
  });
});

describe("hashing", () => {
  test("S1 S3 what is stored is argon2id of current strength, and only the very same password fits it", async () => {
    const password = `${"ж".repeat(40)} a passphrase`;
    const stored = await hasher.hash(password);
    expect(stored).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
    expect(await hasher.verify(password, stored)).toEqual({ ok: true, rehash: false });
    for (const other of [password.replace("a pass", "A pass"), `${password} `, password.slice(0, -1)]) {
      expect(await hasher.verify(other, stored), other).toEqual({ ok: false, rehash: false });
    }
  });

  test("S2 both spellings of one text are one password, a lone surrogate is none", async () => {
    const stored = await hasher.hash(`caf${E_ACUTE_IN_TWO}\ufffd`);
    expect(await hasher.verify(`caf${E_ACUTE}\ufffd`, stored)).toEqual({ ok: true, rehash: false });
    expect(await hasher.verify(`caf${E_ACUTE}\ud800`, stored)).toEqual({ ok: false, rehash: false });
  });

  test("S4 an account that does not exist costs what one costs that does", async () => {
    const stored = await hasher.hash("the right one");
    const alone = createHasher({ concurrency: 1, maxQueued: 0, log: silentLog });
    const times = async (hash: string | null): Promise<number> => {
      const startedNs = Bun.nanoseconds();
      expect((await alone.verify("a wrong one", hash)).ok).toBe(false);
      return Bun.nanoseconds() - startedNs;
    };
    // The first of all belongs to the one that does not exist: nothing is left to be prepared at that moment.
    const [nobody, somebody]: [number[], number[]] = [[], []];
    for (let i = 0; i < 7; i++) {
      nobody.push(await times(null));
      somebody.push(await times(stored));
    }
    const median = (values: number[]): number => values.sort((a, b) => a - b)[3] ?? NaN;
    const ratio = median(nobody) / median(somebody);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(2);
  });
});

/** Made with passlib 1.7.4 and bcrypt, cheap on purpose. The password is "correct horse battery", unless told. */
const FOREIGN = {
  bcrypt2a: "$2a$04$zxDtsxDeJ1ez3Vy7ageD.OUrGPSUnXkSBQpeEz/gTCZIhv.Y.M9Am",
  bcrypt2b: "$2b$04$6QmEo86flXaY2nw3zm/zgOBx/OMgeLr1NiAba4CnZOYULGwWOwNai",
  bcrypt2y: "$2y$04$VVY4idD7KNnTTzSjl1rkXOqemo4OFtfJH8FuEw3ETYR1eQ2.pA.8W",
  argon2i: "$argon2i$v=19$m=64,t=2,p=1$P+d8j9Ga0zonRIjRmtP6Hw$ARFWADmgvAGjxPsoMJ7pMR1fZ4jiy6vXX9IIfZAua/E",
  argon2d: "$argon2d$v=19$m=64,t=2,p=1$mfOe07oXQsi5F0IIQQhBqA$uBtxCEj6+m+q8dE7bUmI798tWOhIUFtYxHAMvwbipkY",
  argon2id: "$argon2id$v=19$m=64,t=2,p=1$ci5FKEVojZFyrvV+713LGQ$HqS8mCM2Hoz66TOjrin4MyaLXmqHOSTFhzz3t18t8aY",
  argon2idLanes:
    "$argon2id$v=19$m=64,t=3,p=4$4hxjLIUwJuQ857xXaq1VKg$04k1s9hHAAY6UzMheDErTPUcSBeLaHJrLOlqgomm01Q",
  /** Of 80 times "a". */
  bcryptLong: "$2b$04$nCNXjsYHNBuV1D4V8nLb9.nQPUFZKVYCWrL3.tm7ZayvfZKCTkd/W",
  /** Of 71 times "x", an é that the cut goes through, and a tail. */
  bcryptCutCharacter: "$2b$04$OMcjT1ULZxeRS5LNy1I8UeVYfWlwbLEES5CX3rInZDWs0nd53ZL1K",
  argon2idV16:
    "$argon2id$v=16$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$BdC+Z3/suygentpQAw2yKvv0zd5DAfCEKxfMKYYjZdg",
} as const;

describe("hashes of other systems", () => {
  const RIGHT = "correct horse battery";
  test.each([
    ["bcrypt 2a", FOREIGN.bcrypt2a],
    ["bcrypt 2b", FOREIGN.bcrypt2b],
    ["bcrypt 2y", FOREIGN.bcrypt2y],
    ["argon2i", FOREIGN.argon2i],
    ["argon2d", FOREIGN.argon2d],
    ["argon2id, weaker", FOREIGN.argon2id],
    ["argon2id, in four lanes", FOREIGN.argon2idLanes],
  ])("%s verifies and asks to be replaced", async (_, stored) => {
    expect(await hasher.verify(RIGHT, stored)).toEqual({ ok: true, rehash: true });
    expect(await hasher.verify("correct horse batterz", stored)).toEqual({ ok: false, rehash: false });
  });

  test("argon2id of greater strength verifies and stays", async () => {
    const stored = await Bun.password.hash(RIGHT, { algorithm: "argon2id", memoryCost: 20_000, timeCost: 3 });
    expect(await hasher.verify(RIGHT, stored)).toEqual({ ok: true, rehash: false });
  });

  test.each([
    ["too little memory", { algorithm: "argon2id", memoryCost: 19_455, timeCost: 2 }],
    ["too few passes", { algorithm: "argon2id", memoryCost: 19_456, timeCost: 1 }],
    ["one pass over twice the memory", { algorithm: "argon2id", memoryCost: 38_912, timeCost: 1 }],
    ["argon2i of full strength", { algorithm: "argon2i", memoryCost: 19_456, timeCost: 2 }],
  ] as const)("S3 %s asks to be replaced", async (_, parameters) => {
    const stored = await Bun.password.hash(RIGHT, parameters);
    expect(await hasher.verify(RIGHT, stored)).toEqual({ ok: true, rehash: true });
  });

  test("bcrypt cuts after 72 bytes, as it did where the hash was made, even within a character", async () => {
    expect((await hasher.verify("a".repeat(80), FOREIGN.bcryptLong)).ok).toBe(true);
    expect((await hasher.verify("a".repeat(72), FOREIGN.bcryptLong)).ok).toBe(true);
    expect((await hasher.verify("a".repeat(71), FOREIGN.bcryptLong)).ok).toBe(false);
    expect((await hasher.verify(`${"x".repeat(71)}${E_ACUTE}tail`, FOREIGN.bcryptCutCharacter)).ok).toBe(
      true,
    );
    expect((await hasher.verify(`${"x".repeat(71)}e`, FOREIGN.bcryptCutCharacter)).ok).toBe(false);
  });

  test("a NUL does not begin the password anew", async () => {
    expect(await Bun.password.verify(`${RIGHT}\0${RIGHT}`, FOREIGN.bcrypt2b)).toBe(true);
    expect((await hasher.verify(`${RIGHT}\0${RIGHT}`, FOREIGN.bcrypt2b)).ok).toBe(false);
  });

  test("a hash of a password that was not normalised still fits as it is typed", async () => {
    const typed = `caf${E_ACUTE_IN_TWO} au lait`;
    const stored = await Bun.password.hash(typed, { algorithm: "bcrypt", cost: 4 });
    expect(await hasher.verify(typed, stored)).toEqual({ ok: true, rehash: true });
  });

  test.each([
    ["nothing", ""],
    ["a password in the clear", "hunter2"],
    ["an unknown scheme", "$pbkdf2-sha256$29000$abc$def"],
    ["md5", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"],
    ["a cut argon2 hash", FOREIGN.argon2id.slice(0, 40)],
    ["an argon2 hash without its digest", "$argon2id$v=19$m=19456,t=2,p=1$xxxx"],
    ["an argon2 hash with a digest too short", "$argon2id$v=19$m=64,t=2,p=1$MTIzNDU2Nzg$4qq6"],
    ["no passes", FOREIGN.argon2id.replace("t=2", "t=0")],
    ["memory without end", FOREIGN.argon2id.replace("m=64", "m=4294967295")],
    ["passes without end", FOREIGN.argon2id.replace("t=2", "t=4294967295")],
    ["more than a gigabyte", FOREIGN.argon2id.replace("m=64,t=2", "m=1048577,t=1")],
    ["passes for seconds", FOREIGN.argon2id.replace("m=64,t=2", "m=65536,t=65")],
    ["an endless bcrypt", FOREIGN.bcrypt2b.replace("$04$", "$31$")],
    ["a bcrypt for seconds", FOREIGN.bcrypt2b.replace("$04$", "$17$")],
    ["a bcrypt too cheap", FOREIGN.bcrypt2b.replace("$04$", "$03$")],
    ["a cut bcrypt", FOREIGN.bcrypt2b.slice(0, -1)],
    ["the broken bcrypt 2x", FOREIGN.bcrypt2b.replace("$2b$", "$2x$")],
    ["argon2id of the first version", FOREIGN.argon2idV16],
    ["argon2id without a version", FOREIGN.argon2id.replace("v=19$", "")],
    ["a padded hash", `${FOREIGN.argon2id}=`],
    ["a line break behind it", `${FOREIGN.argon2id}\n`],
  ])("S3 %s is a wrong password and a logged error, never a throw", async (_, stored) => {
    const events: string[] = [];
    const log: Log = { ...silentLog, error: (event) => void events.push(event) };
    const logging = createHasher({ concurrency: 1, maxQueued: 0, log });
    expect(await logging.verify(RIGHT, stored)).toEqual({ ok: false, rehash: false });
    expect(events).toEqual(["password.stored_hash_malformed"]);
  });
});

describe("S8 the queue before the hashes", () => {
  /** Jobs that end when told to. */
  function manualJobs(): { start: () => Promise<void>; started: () => number; endOne: () => Promise<void> } {
    const ends: (() => void)[] = [];
    let started = 0;
    return {
      start: () => {
        started++;
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      started: () => started,
      endOne: async () => {
        ends.shift()?.();
        await Bun.sleep(0);
      },
    };
  }
  const clock = { ms: 0, nowMs: () => clock.ms };

  test("S8 so many run, so many wait in order, and one more is refused at once", async () => {
    const queue = new BoundedQueue({ concurrency: 2, maxQueued: 3 }, clock);
    const jobs = manualJobs();
    const all = Array.from({ length: 5 }, () => queue.run(jobs.start));
    await Bun.sleep(0);
    expect([jobs.started(), queue.running, queue.queued]).toEqual([2, 2, 3]);
    expect(() => queue.refuseIfFull()).toThrow(Fault);

    const refused = await queue.run(jobs.start).catch((error: unknown) => error);
    expect(refused).toHaveProperty("what", { kind: "overloaded", retryAfterSeconds: 1 });

    await jobs.endOne();
    expect([jobs.started(), queue.running, queue.queued]).toEqual([3, 2, 2]);
    queue.refuseIfFull();
    for (let i = 0; i < 4; i++) await jobs.endOne();
    await Promise.all(all);
    expect([jobs.started(), queue.running, queue.queued]).toEqual([5, 0, 0]);
  });

  test("S8 nobody who comes as a place falls free overtakes the first in line", async () => {
    const queue = new BoundedQueue({ concurrency: 1, maxQueued: 9 }, clock);
    const order: string[] = [];
    const job = (name: string) => queue.run(async () => void order.push(name));
    const first = job("first").then(() => job("late"));
    await Promise.all([first, job("second"), job("third")]);
    expect(order).toEqual(["first", "second", "third", "late"]);
  });

  test("S8 a job that fails gives its place back", async () => {
    const queue = new BoundedQueue({ concurrency: 1, maxQueued: 0 }, clock);
    await expect(queue.run(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await Bun.sleep(0);
    expect(queue.running).toBe(0);
    // Where nobody may wait, a free place is taken all the same.
    queue.refuseIfFull();
    expect(await queue.run(async () => "done")).toBe("done");
  });

  test("S8 the advice when to come back is as long as the work there is", async () => {
    const queue = new BoundedQueue({ concurrency: 2, maxQueued: 2 }, clock);
    const jobs = manualJobs();
    const slow = queue.run(jobs.start);
    await Bun.sleep(0);
    clock.ms += 4_000;
    await jobs.endOne();
    await slow;
    // One that was over at once changes the estimate by a tenth: 3.6 seconds each, 7.2 for two rounds of two.
    await queue.run(async () => {});

    const all = Array.from({ length: 4 }, () => queue.run(jobs.start));
    const refused = await queue.run(jobs.start).catch((error: unknown) => error);
    expect(refused).toHaveProperty("what.retryAfterSeconds", 8);
    for (let i = 0; i < 4; i++) await jobs.endOne();
    await Promise.all(all);
  });

  test("S8 whoever watches is told of each job whose turn comes, and how long it then took", async () => {
    const told: string[] = [];
    const queue = new BoundedQueue({ concurrency: 1, maxQueued: 1 }, clock, {
      began: () => void told.push("began"),
      ended: (durationMs) => void told.push(`took ${durationMs} ms`),
    });
    const jobs = manualJobs();
    const failing = queue.run(() => jobs.start().then(() => Promise.reject(new Error("broken"))));
    const both = Promise.allSettled([failing, queue.run(jobs.start)]);
    await Bun.sleep(0);
    expect(told).toEqual(["began"]);
    clock.ms += 30;
    await jobs.endOne();
    expect(told).toEqual(["began", "took 30 ms", "began"]);
    clock.ms += 20;
    await jobs.endOne();
    await both;
    expect(told).toEqual(["began", "took 30 ms", "began", "took 20 ms"]);
  });

  test("S8 the hasher stands behind it, and counts", async () => {
    const small = createHasher({ concurrency: 1, maxQueued: 1, log: silentLog });
    const [one, two] = [small.hash("first one"), small.verify("second one", null)];
    expect([small.running(), small.queued()]).toEqual([1, 1]);
    await expect(small.verify("third one", null)).rejects.toBeInstanceOf(Fault);
    await expect(small.hash("fourth one")).rejects.toBeInstanceOf(Fault);
    await Promise.all([one, two]);
    expect([small.running(), small.queued()]).toEqual([0, 0]);
  });
});
