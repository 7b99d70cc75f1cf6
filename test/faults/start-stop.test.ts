import { describe, expect, test } from "bun:test";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { scratchFolder, serve } from "../support/process.ts";
import { get, signUp, UNLIMITED } from "./people.ts";
import { openWire } from "./wire.ts";

const isPostgresThere = await hasPostgres();
const INSTANCES = 3;

describe("starting and stopping", () => {
  test("S35 what does not finish in time is cut off, and it exits 0 all the same", async () => {
    const server = await serve(scratchFolder(), { SHUTDOWN_TIMEOUT_SECONDS: "1" });
    const wires = await Promise.all([
      // In the middle of its body, in the middle of its headers, and silent.
      openWire(server.url),
      openWire(server.url),
      openWire(server.url),
    ]);
    wires[0].send(
      "POST /api/v1/users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    wires[1].send("GET /health HTTP/1.1\r\nHost: x\r\n");
    await get(server, "/health");
    const startedMs = performance.now();
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    for (const wire of wires) wire.end();
  }, 20_000);

  describe.if(isPostgresThere)("on PostgreSQL", () => {
    const url = temporaryPostgres();
    test("S37 instances that start together migrate once, and share what they keep", async () => {
      const settings = {
        ...UNLIMITED,
        LOG_LEVEL: "INFO",
        DATABASE_URL: url,
        SECRET_KEY: "one-key-for-all-of-them-Xk29fQw81Lm4Zt7",
      };
      const servers = await Promise.all(
        Array.from({ length: INSTANCES }, () => serve(scratchFolder(), settings)),
      );
      for (const server of servers) await server.printed("server.started");
      const applied = servers.flatMap((server) =>
        [...server.output().matchAll(/migration\.applied version=(\d+)/g)].map(([, version]) =>
          Number(version),
        ),
      );
      expect(applied.length).toBeGreaterThan(0);
      expect(new Set(applied).size).toBe(applied.length);

      for (const { token } of await Promise.all(servers.map(signUp))) {
        for (const server of servers) expect((await get(server, "/api/v1/users/me", token)).status).toBe(200);
      }
    }, 30_000);
  });
});
