import { afterAll, beforeAll } from "bun:test";
import type { Settings, Start, TestProgram } from "./program.ts";

/** A program that serves on a port of the loopback interface, for clients that are not ours. */
export interface Listening {
  readonly program: TestProgram;
  /** Without a slash at its end. */
  readonly origin: string;
}

/** One for all tests of a suite; it serves from before the first of them until after the last. */
export function listening(start: Start, settings: Settings = {}): () => Listening {
  let serving: Listening | null = null;
  beforeAll(async () => {
    const program = await start({ RATE_LIMIT_ENABLED: "false", ...settings });
    serving = { program, origin: program.app.listen({ host: "127.0.0.1", port: 0 }).url.origin };
  });
  afterAll(async () => {
    await serving?.program.app.stop(0);
  });
  return () => {
    if (serving === null) throw new Error("the server starts before the first test, not before");
    return serving;
  };
}
