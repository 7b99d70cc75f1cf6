import { describe, expect, test } from "bun:test";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { amount } from "./length.ts";
import { openWire, statuses } from "./wire.ts";
import type { Wire } from "./wire.ts";

const LOGIN = "POST /api/v1/users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/** What the server gives the headers of a request, and what its timers may come late by. */
const HEADERS_LIMIT_MS = 15_000;
const DEADLINE_SECONDS = 2;
const LATE_MS = 3_000;

/** Sends one byte after the other until the connection is cut off; answers after how many milliseconds it was. */
async function drip(wire: Wire | undefined, byte: string): Promise<number> {
  const startedMs = performance.now();
  while (wire?.isOpen() === true) {
    wire.send(byte);
    await Promise.race([wire.closed, Bun.sleep(200)]);
  }
  return performance.now() - startedMs;
}

describe("slow clients", () => {
  test("S29 a body or headers a byte at a time, or nothing at all, are cut off at a deadline", async () => {
    const settings = { REQUEST_TIMEOUT_SECONDS: String(DEADLINE_SECONDS), LOG_JSON: "true" };
    const server = await serve(scratchFolder(), settings);
    const wires = (...starts: readonly string[]) => Promise.all(starts.map((start) => begun(server, start)));
    const [byLength, silentBody, byChunks] = await wires(
      `${LOGIN}Content-Length: 1000\r\n\r\n{`,
      `${LOGIN}Content-Length: 1000\r\n\r\n{`,
      `${LOGIN}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    );
    const [halfway, silent] = await wires("GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ", "");

    const headers = Promise.all([drip(halfway, "y"), drip(silent, "")]);
    const bodies = await Promise.all([
      drip(byLength, " "),
      drip(silentBody, ""),
      drip(byChunks, "1\r\n \r\n"),
    ]);
    for (const durationMs of bodies) expect(durationMs).toBeLessThan(DEADLINE_SECONDS * 1_000 + LATE_MS);
    for (const wire of [byLength, silentBody, byChunks]) {
      expect(statuses(wire?.received() ?? "")).toEqual([400]);
      expect(wire?.received()).toContain('{"detail":"The body did not arrive in time"}');
    }
    for (const durationMs of await headers) expect(durationMs).toBeLessThan(HEADERS_LIMIT_MS);
    expect(halfway?.received()).toBe("");
    // It is the client that failed: nobody is to be woken for it.
    expect(server.output()).not.toContain('"level":"error"');
  }, 30_000);

  test("S29 thousands of idle connections do not stop others", async () => {
    const server = await serve(scratchFolder(), { LOG_LEVEL: "ERROR" });
    const wires = await openMany(server, amount("IDLE_CONNECTIONS", { short: 5_000, long: 10_000 }));
    for (let asked = 0; asked < 20; asked += 1) {
      const startedMs = performance.now();
      expect((await fetch(`${server.url}/health/readiness`)).status).toBe(200);
      expect(performance.now() - startedMs).toBeLessThan(1_000);
    }
    expect(wires.filter((wire) => wire.isOpen()).length).toBeGreaterThan(wires.length / 2);
    for (const wire of wires) wire.end();
  }, 30_000);
});

async function begun(server: ServerProcess, start: string): Promise<Wire> {
  const wire = await openWire(server.url);
  wire.send(start);
  return wire;
}

/** Half of them silent, half of them in the middle of their headers. */
async function openMany(server: ServerProcess, count: number): Promise<readonly Wire[]> {
  const wires: Wire[] = [];
  while (wires.length < count) {
    wires.push(...(await Promise.all(Array.from({ length: 250 }, () => openWire(server.url)))));
  }
  wires.forEach((wire, index) => index % 2 === 0 && wire.send("GET /health HTTP/1.1\r\nHost: x\r\n"));
  return wires;
}
