/**
 * How long an import takes, and what it costs a server on the same database meanwhile.
 *
 *   bun bench/import.ts [users] [postgres://…/an-empty-database]
 *
 * SQLite in a temporary folder; where an address is given, PostgreSQL in its place, and what is in it stays there. Each
 * user has five todos. The server writes a todo every 50 ms, before the import and beside it.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../test/support/ports.ts";

const USERS = Number(process.argv[2] ?? 20_000);
const TODOS_EACH = 5;
const EVERY_MS = 50;
const QUIET_WRITES = 100;
const MAIN = join(import.meta.dir, "../src/main.ts");

const folder = mkdtempSync(join(tmpdir(), "latchkey-bench-"));
const port = await freePort();
const settings = {
  DATABASE_URL: process.argv[3] ?? "sqlite:///app.db",
  LOG_LEVEL: "ERROR",
  PORT: String(port),
  HOST: "127.0.0.1",
};

function latchkey(...args: readonly string[]) {
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, ...settings };
  return Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: folder,
    env,
    stdout: "ignore",
    stderr: "inherit",
  });
}

/** As the backend 000 has them: todos in the order of their making, whoever makes them. */
function makeSource(): void {
  using source = new Database(join(folder, "old.db"));
  const numbers = (count: number) =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})`;
  source.run(`
    CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR, password VARCHAR NOT NULL, role VARCHAR);
    CREATE TABLE todos (id INTEGER PRIMARY KEY, title VARCHAR(255) NOT NULL, description VARCHAR(1000),
      completed BOOLEAN, user_id INTEGER, created_at DATETIME, updated_at DATETIME);
    INSERT INTO users ${numbers(USERS)} SELECT i, 'person' || i || '@example.com',
      '$2b$10$ynvpiVO1NYf8wSh9aJBlXO9FRwFxkJOXY1c2WQy7BbofQXf.4j5km', 'user' FROM n;
    INSERT INTO todos ${numbers(USERS * TODOS_EACH)} SELECT i, 'Todo number ' || i, 'Not before Monday.', i % 3 = 0,
      1 + (i * 7919) % ${USERS}, '2026-01-04 10:00:00.000000', NULL FROM n;`);
}

async function ready(): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/readiness`).catch(() => null);
    if (answer?.ok === true) return;
    await Bun.sleep(50);
  }
}

async function post(path: string, body: object, token = ""): Promise<Response> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  return fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function timedWrite(token: string): Promise<{ readonly ms: number; readonly ok: boolean }> {
  const startedMs = performance.now();
  const { ok } = await post("/api/v1/todos", { title: "Beside it" }, token);
  const ms = performance.now() - startedMs;
  await Bun.sleep(Math.max(0, EVERY_MS - ms));
  return { ms, ok };
}

function tell(title: string, writes: readonly { readonly ms: number; readonly ok: boolean }[]): void {
  const sorted = writes.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1);
  const refused = writes.filter(({ ok }) => !ok).length;
  console.log(
    `${title}: ${writes.length} writes, median ${at(0.5)} ms, 99% ${at(0.99)} ms, longest ${at(1)} ms`,
  );
  if (refused > 0) console.log(`  ${refused} of them were refused`);
}

makeSource();
const server = latchkey("serve");
try {
  await ready();
  const someone = { email: "someone@elsewhere.example", username: "someone", password: "password123" };
  await post("/api/v1/auth/register", someone);
  const login = await post("/api/v1/auth/login-json", someone);
  const token = String(Object(await login.json())["access_token"]);

  const quiet = [];
  for (let write = 0; write < QUIET_WRITES; write += 1) quiet.push(await timedWrite(token));
  const startedMs = performance.now();
  const importing = latchkey("import", "sqlite:///old.db", "--apply");
  const beside = [];
  while (importing.exitCode === null) beside.push(await timedWrite(token));
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  console.log(
    `${USERS} users and ${USERS * TODOS_EACH} todos in ${seconds} s, exit code ${importing.exitCode}`,
  );
  tell("before it ", quiet);
  tell("beside it ", beside);
} finally {
  server.kill("SIGTERM");
  await server.exited;
  rmSync(folder, { recursive: true, force: true });
}
