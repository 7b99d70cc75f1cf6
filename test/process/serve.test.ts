import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWire } from "../faults/wire.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";

const PERSON = { email: "person@example.com", password: "password123" };

function post(url: string, body: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

/** A login that the server has begun to read; `finish` sends its last byte and answers the response. */
async function openRequest({ url }: ServerProcess, body: string): Promise<{ finish(): Promise<string> }> {
  const { hostname, port } = new URL(url);
  let received = "";
  let heard = Promise.withResolvers<void>();
  const until = async (text: string) => {
    while (!received.includes(text)) await heard.promise;
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, chunk) {
        received += chunk.toString();
        heard.resolve();
        heard = Promise.withResolvers();
      },
    },
  });
  // The first answer tells that the second request, which came in the same packet, has been taken up.
  socket.write(
    `GET /health HTTP/1.1\r\nHost: x\r\n\r\nPOST /api/v1/users/login HTTP/1.1\r\nHost: x\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, -1)}`,
  );
  await until('{"status":"ok"}');
  received = "";
  return {
    async finish() {
      socket.write(body.slice(-1));
      await until("detail");
      return received;
    },
  };
}

describe("latchkey serve", () => {
  test("says what a person needs, and finds its data and sessions again after a restart", async () => {
    const folder = scratchFolder();
    const first = await serve(folder);
    await first.printed("server.started");
    expect(first.output()).toContain("SQLite, ./app.db");
    expect(first.output()).toContain("Not fit for production:");
    expect((await post(`${first.url}/api/v1/users/register`, PERSON)).status).toBe(200);
    const login = await post(`${first.url}/api/v1/users/login`, PERSON);
    const { access_token: token }: { access_token: string } = Object(await login.json());
    const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    first.kill("SIGTERM");
    expect(await first.exited).toBe(0);

    const second = await serve(folder);
    const me = await fetch(`${second.url}/api/v1/users/me`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(me.status).toBe(200);
    const refreshed = await fetch(`${second.url}/api/v1/users/refresh`, {
      method: "POST",
      headers: { cookie },
    });
    expect(refreshed.status).toBe(200);
    second.kill("SIGTERM");
    expect(await second.exited).toBe(0);

    for (const file of ["app.db", "app.db.secret"]) {
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    }
    expect(existsSync(join(folder, "app.db-wal"))).toBe(false);
  }, 30_000);

  test("S3 stores passwords at full cost, which the tests within one process do not take the time for", async () => {
    const folder = scratchFolder();
    const server = await serve(folder);
    expect((await post(`${server.url}/api/v1/users/register`, PERSON)).status).toBe(200);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    using database = new Database(join(folder, "app.db"));
    const [stored] = database.query("SELECT password_hash FROM users").values();
    expect(String(stored)).toStartWith("$argon2id$v=19$m=19456,t=2,p=1$");
  }, 30_000);

  test("a start that has nothing to migrate waits for nobody who writes", async () => {
    const folder = scratchFolder();
    const first = await serve(folder);
    first.kill("SIGTERM");
    expect(await first.exited).toBe(0);

    const other = new Database(join(folder, "app.db"));
    other.run("BEGIN IMMEDIATE");
    const second = await serve(folder);
    expect((await fetch(`${second.url}/health/startup`)).status).toBe(200);
    other.run("ROLLBACK");
    other.close();
    second.kill("SIGTERM");
    expect(await second.exited).toBe(0);
  }, 30_000);

  test("S35 told to stop it finishes what is in flight, says that it is not ready, and exits 0", async () => {
    const server = await serve(scratchFolder());
    const login = await openRequest(server, JSON.stringify(PERSON));
    server.kill("SIGTERM");
    await server.printed("server.stopping");
    const readiness = await fetch(`${server.url}/health/readiness`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ status: "stopping" });
    expect(await login.finish()).toStartWith("HTTP/1.1 401 ");
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain("server.stopped");
  }, 30_000);

  test("S35 while others still ask, a connection that was kept is answered once more, and ended by that", async () => {
    const server = await serve(scratchFolder());
    const kept = await openWire(server.url);
    kept.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    await kept.heard('{"status":"ok"}');
    let isAsking = true;
    const ask = async () => {
      while (isAsking) await (await fetch(`${server.url}/health`)).text();
    };
    const asking = Promise.all([ask(), ask(), ask()]);
    server.kill("SIGTERM");
    await server.printed("server.stopping");
    const { length } = kept.received();
    kept.send("GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\n");
    await kept.heard('{"status":"alive"}');
    isAsking = false;
    await asking;
    expect(kept.received().slice(length).toLowerCase()).toContain("\r\nconnection: close\r\n");
    await kept.closed;
    expect(await server.exited).toBe(0);
  }, 30_000);

  test("S35 for as long as a balancer needs to take notice, it takes new connections, and says that it is not ready", async () => {
    const server = await serve(scratchFolder(), { SHUTDOWN_DELAY_SECONDS: "2" });
    server.kill("SIGTERM");
    const signalledAtMs = performance.now();
    await server.printed("server.stopping");
    // Nothing is in flight, and nobody has asked for a while: by itself it would be gone by then.
    await Bun.sleep(500);
    expect((await fetch(`${server.url}/health/readiness`)).status).toBe(503);
    expect((await post(`${server.url}/api/v1/users/register`, PERSON)).status).toBe(200);
    expect(await server.exited).toBe(0);
    expect(performance.now() - signalledAtMs).toBeGreaterThan(1_900);
  }, 30_000);

  test("S35 a second signal ends it at once", async () => {
    const server = await serve(scratchFolder(), { SHUTDOWN_TIMEOUT_SECONDS: "30" });
    await openRequest(server, JSON.stringify(PERSON));
    server.kill("SIGTERM");
    await server.printed("server.stopping");
    server.kill("SIGTERM");
    expect(await server.exited).toBe(1);
  }, 30_000);

  test("names every mistake in the settings at once and exits 78", async () => {
    const settings = { PORT: "eighty", LOG_LEVEL: "loud", CORS_ORIGINS: "*" };
    const { exitCode, stderr } = await latchkey(["serve"], { cwd: scratchFolder(), settings });
    expect(exitCode).toBe(78);
    const lines = stderr.trim().split("\n");
    for (const name of Object.keys(settings))
      expect(lines.some((line) => line.startsWith(`${name}: `))).toBe(true);
    expect(lines).toHaveLength(3);
  });

  test("says what to do where it cannot start", async () => {
    const folder = scratchFolder();
    const server = await serve(folder);
    const port = new URL(server.url).port;
    const taken = await latchkey(["serve"], {
      cwd: scratchFolder(),
      settings: { PORT: port, HOST: "127.0.0.1" },
    });
    expect(taken.exitCode).toBe(69);
    expect(taken.stderr).toContain("another program");
    expect(taken.stderr).toContain("PORT");

    // 192.0.2.0/24 is kept for examples: no machine has an address of it.
    for (const [HOST, reason] of [
      ["192.0.2.1", "this machine has no such address"],
      ["no.such.host.invalid", "cannot listen"],
    ] as const) {
      const elsewhere = await latchkey(["serve"], { cwd: scratchFolder(), settings: { PORT: "0", HOST } });
      expect(elsewhere.exitCode).toBe(69);
      expect(elsewhere.stderr).toContain("HOST");
      expect(elsewhere.stderr).toContain(reason);
      expect(elsewhere.stderr).not.toContain(" at ");
    }

    const unreachable = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none", DB_ACQUIRE_TIMEOUT_MS: "500" };
    const lost = await latchkey(["serve"], { cwd: folder, settings: unreachable });
    expect(lost.exitCode).toBe(69);
    expect(lost.stderr).toContain("DATABASE_URL");

    const nowhere = await latchkey(["serve"], {
      cwd: folder,
      settings: { DATABASE_URL: "sqlite:////no/such/folder/a.db" },
    });
    expect(nowhere.exitCode).toBe(69);
    expect(nowhere.stderr).toContain("/no/such/folder");
    expect(nowhere.stderr).toContain("see DATABASE_URL");
    expect(nowhere.stderr).not.toContain(" at ");

    writeFileSync(join(folder, "text.db"), "this is no database, whatever its name says ".repeat(100));
    const garbage = await latchkey(["serve"], {
      cwd: folder,
      settings: { DATABASE_URL: "sqlite:///text.db" },
    });
    expect(garbage.exitCode).toBe(69);
    expect(garbage.stderr).toContain("text.db");
  }, 30_000);

  test("a fault of the program itself is told, and never passes for success", async () => {
    const folder = scratchFolder();
    await latchkey(["migrate", "up"], { cwd: folder });
    const database = new Database(join(folder, "app.db"));
    database.run("ALTER TABLE admins RENAME TO administrators");
    database.close();
    const { exitCode, stderr } = await latchkey(["admin", "list"], { cwd: folder });
    expect(exitCode).toBe(70);
    expect(stderr).toContain("no such table: admins");
  }, 30_000);

  test("S37 refuses a schema that is newer than itself, with one line", async () => {
    const folder = scratchFolder();
    await latchkey(["migrate", "up"], { cwd: folder });
    const database = new Database(join(folder, "app.db"));
    database.run(
      "INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (9999, 'later', 'x', 1)",
    );
    database.close();
    const { exitCode, stderr } = await latchkey(["serve"], { cwd: folder });
    expect(exitCode).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("newer");
  }, 30_000);
});
