import { afterAll, beforeAll, describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HashCost } from "../../src/core/passwords.ts";
import { loadConfig } from "../../src/config.ts";
import type { Clock } from "../../src/core/clock.ts";
import { createLog } from "../../src/log.ts";
import { assemble } from "../../src/program.ts";
import type { Program } from "../../src/program.ts";
import { TestClient } from "./client.ts";
import { sharedKeys } from "./keys.ts";
import { hasPostgres, temporaryPostgres } from "./postgres.ts";
import { SHARED_UPLOADS } from "./uploads.ts";

export const TEST_SECRET = "a-secret-for-tests-alone-Zk3v9Qm-7Yt1RwXc5Hs8";

export type Settings = Readonly<Record<string, string>>;

/** The whole program on a database of the suite's own; a second one on it is another instance. */
export interface TestProgram extends Program {
  readonly clock: MovableClock;
  /** Every line that was logged, as JSON. */
  readonly log: readonly string[];
  /** A client with an address of its own, so that tests do not spend each other's budgets. */
  client(address?: string): TestClient;
}

export type Start = (settings?: Settings) => Promise<TestProgram>;

/** The time of day; beside it the time that only passes. */
export class MovableClock implements Clock {
  #nowMs = Date.parse("2026-01-04T10:00:00Z");
  #passedMs = 0;
  readonly steady: Clock = { nowMs: () => this.#passedMs };

  nowMs(): number {
    return this.#nowMs;
  }

  forwardMs(ms: number): void {
    this.#nowMs += ms;
    this.#passedMs += ms;
  }

  /** Somebody sets the clock: no time passes. */
  setByMs(ms: number): void {
    this.#nowMs += ms;
  }
}

const isPostgresThere = await hasPostgres();

/** Declares a suite once for each engine, each on a migrated database of its own that is gone afterwards. */
export function forEachEngine(
  title: string,
  suite: (start: Start, engine: "sqlite" | "postgres") => void,
): void {
  describe(`${title} on SQLite`, () => suite(starter(temporarySqlite()), "sqlite"));
  if (!isPostgresThere) return;
  describe(`${title} on PostgreSQL`, () => {
    const running = new Running();
    suite(starter(temporaryPostgres(), running), "postgres");
  });
}

/** Bun runs `afterAll` in the order of declaration: programs close before their database goes. */
export class Running {
  readonly #programs: Program[] = [];

  constructor() {
    afterAll(async () => {
      await Promise.all(this.#programs.map((program) => program.close()));
    });
  }

  add(program: Program): void {
    this.#programs.push(program);
  }
}

function temporarySqlite(): string {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return `sqlite:///${join(folder, "test.db")}`;
}

/** A hash of full cost takes 20 to 50 ms, and the tests make thousands: what they test is not its strength. */
export const TEST_HASH_COST: HashCost = { memoryKib: 256, passes: 1 };

/** Starts instances on a database that the suite brings along. */
export function starter(databaseUrl: string, running: Running = new Running()): Start {
  let clients = 0;
  return async (settings = {}) => {
    const loaded = loadConfig({
      environment: {
        ENVIRONMENT: "test",
        DATABASE_URL: databaseUrl,
        KEYS_DIR: settings["KEYS_DIR"] ?? sharedKeys(),
        UPLOAD_DIR: SHARED_UPLOADS,
        ...settings,
      },
      dotEnv: undefined,
      readFile: (path) => {
        throw new Error(`no file ${path}`);
      },
      cores: 2,
    });
    if (!loaded.ok) throw new Error(loaded.mistakes.join("; "));
    const clock = new MovableClock();
    const lines: string[] = [];
    const log = createLog({
      level: "debug",
      json: true,
      colors: false,
      clock,
      write: (line) => lines.push(line),
    });
    const program = await assemble(loaded.config, {
      clock,
      steadyClock: clock.steady,
      log,
      secret: TEST_SECRET,
      hashCost: TEST_HASH_COST,
    });
    running.add(program);
    await program.start();
    return {
      ...program,
      clock,
      log: lines,
      client(address) {
        clients += 1;
        return new TestClient(program.app, address ?? `198.51.${clients >> 8}.${clients & 255}`);
      },
    };
  };
}

/** The program that most tests of a suite share. */
export function shared(start: Start, settings?: Settings): () => TestProgram {
  let program: TestProgram | null = null;
  beforeAll(async () => {
    program = await start(settings);
  });
  return () => {
    if (program === null) throw new Error("the program starts before the first test, not before");
    return program;
  };
}
