import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, constants, existsSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { scratchFolder } from "../support/process.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const START_LIMIT_MS = 15_000;

/** A server whose log goes to `stdout`, once it serves. */
async function serveInto(stdout: "pipe" | Bun.BunFile | number) {
  const port = await freePort();
  const child = Bun.spawn([process.execPath, "--no-env-file", MAIN, "serve"], {
    cwd: scratchFolder(),
    env: { PATH: process.env["PATH"] ?? "", HOST: "127.0.0.1", PORT: String(port) },
    stdin: "ignore",
    stdout,
    stderr: "pipe",
  });
  afterAll(() => child.kill("SIGKILL"));
  const readiness = async () => (await fetch(`http://127.0.0.1:${port}/health/readiness`)).status;
  await eventually(async () => expect(await readiness()).toBe(200), START_LIMIT_MS);
  return {
    readiness,
    loseReader: async () => (child.stdout instanceof ReadableStream ? child.stdout.cancel() : undefined),
    /** What became of it, told to stop. */
    async stopped() {
      child.kill("SIGTERM");
      const [exitCode, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
      return { exitCode, stderr };
    },
  };
}

/** Writes into a pipe until nothing more goes in. */
function fill(path: string): void {
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  for (const bytes of [4096, 1]) {
    try {
      for (;;) writeSync(writer, Buffer.alloc(bytes, "\n"));
    } catch {
      // EAGAIN
    }
  }
  closeSync(writer);
}

// A line that fails is itself something thrown in the background, and that is logged: it must not go round.
describe("S36 a log that cannot be written harms nothing else", () => {
  test("where its reader is gone", async () => {
    const server = await serveInto("pipe");
    await server.loseReader();
    for (let i = 0; i < 20; i += 1) expect(await server.readiness()).toBe(200);
    expect(await server.stopped()).toEqual({ exitCode: 0, stderr: "" });
  }, 30_000);

  test("where its reader has stopped reading", async () => {
    const path = join(scratchFolder(), "log");
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const server = await serveInto(writer);
    fill(path);
    for (let i = 0; i < 20; i += 1) expect(await server.readiness()).toBe(200);
    expect(await server.stopped()).toEqual({ exitCode: 0, stderr: "" });
    for (const file of [reader, writer]) closeSync(file);
  }, 30_000);

  test.if(existsSync("/dev/full"))(
    "where its disk is full, from the start",
    async () => {
      const server = await serveInto(Bun.file("/dev/full"));
      for (let i = 0; i < 20; i += 1) expect(await server.readiness()).toBe(200);
      expect(await server.stopped()).toEqual({ exitCode: 0, stderr: "" });
    },
    30_000,
  );
});
