import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Database, UniqueViolation } from "../../src/storage/database.ts";
import { openPostgres } from "../../src/storage/postgres.ts";
import { integer, text } from "../../src/storage/rows.ts";
import { failureOf } from "../support/failure.ts";
import { hasPgBouncer, pgBouncer } from "../support/pgbouncer.ts";
import { freePort } from "../support/ports.ts";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { Running, shared, starter } from "../support/program.ts";
import { signUp } from "../surfaces/api-v1/people.ts";

/** Far fewer than its clients open, so that each statement may meet another connection. */
const SERVER_CONNECTIONS = 3;
const CLIENT_CONNECTIONS = 8;
const STATEMENT_MS = 400;
const UNAVAILABLE = { what: { kind: "unavailable" } };

const port = await freePort();

if ((await hasPostgres()) && hasPgBouncer()) {
  describe("PgBouncer in transaction mode", suite);
}

function suite(): void {
  // Bun runs `afterAll` in the order of declaration: clients end first, then PgBouncer, then the database goes.
  const running = new Running();
  const opened: Database[] = [];
  afterAll(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await bouncer.stop();
  });
  const databaseUrl = temporaryPostgres();
  const bouncer = pgBouncer(databaseUrl, port, SERVER_CONNECTIONS);

  function database(prepare = false, url = bouncer.url): Database {
    const made = openPostgres({
      url,
      poolMax: CLIENT_CONNECTIONS,
      acquireTimeoutMs: 5_000,
      statementTimeoutMs: STATEMENT_MS,
      prepare,
    });
    opened.push(made);
    return made;
  }

  let one: Database;
  let other: Database;

  beforeAll(async () => {
    await bouncer.start();
    one = database();
    other = database();
    await one.writeAlone((connection) =>
      connection.script(`
        CREATE TABLE notes (id BIGINT PRIMARY KEY, n BIGINT NOT NULL DEFAULT 0, name TEXT UNIQUE);
        INSERT INTO notes (id) VALUES (1), (2)`),
    );
  }, 20_000);

  test("DB_PREPARE makes the difference: with it nothing is let through", async () => {
    expect(await failureOf(database(true).ping())).toMatchObject(UNAVAILABLE);
    await one.ping();
  });

  test("clients share few connections, and each statement gets its own answer", async () => {
    const steps = Array.from({ length: 100 }, (_, index) => index);
    const sums = await Promise.all(
      steps.map(async (index) => {
        const client = index % 2 === 0 ? one : other;
        await client.write(async (connection) => {
          await connection.run("UPDATE notes SET n = n + $1 WHERE id = $2", [index, (index % 2) + 1]);
          await connection.run("INSERT INTO notes (id, name) VALUES ($1, $2)", [100 + index, `n${index}`]);
        });
        const row = await client.reader.first("SELECT name FROM notes WHERE id = $1", [100 + index]);
        return row === null ? null : text(row, "name");
      }),
    );
    expect(sums).toEqual(steps.map((index) => `n${index}`));
    const rows = await one.reader.all("SELECT n FROM notes WHERE id IN ($1, $2) ORDER BY id", [1, 2]);
    expect(rows.map((row) => integer(row, "n"))).toEqual([2450, 2500]);

    const server = await one.reader.first(
      "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database()",
    );
    expect(server === null ? -1 : integer(server, "n")).toBeWithin(1, SERVER_CONNECTIONS + 1);
  });

  test("a write that fails leaves nothing behind, for nobody", async () => {
    const insert = (name: string) =>
      one.write(async (connection) => {
        await connection.run("UPDATE notes SET n = -1 WHERE id = $1", [1]);
        await connection.run("INSERT INTO notes (id, name) VALUES ($1, $2)", [900, name]);
      });
    expect(await failureOf(insert("n1"))).toBeInstanceOf(UniqueViolation);
    const rows = await Promise.all(
      Array.from({ length: 12 }, () => other.reader.first("SELECT n FROM notes WHERE id = $1", [1])),
    );
    for (const row of rows) expect(row === null ? -1 : integer(row, "n")).toBe(2450);
  });

  test("a slow statement is given up by the server, and no deadline is left on a shared connection", async () => {
    const slow = one.write((connection) => connection.all("SELECT pg_sleep(5)"));
    expect(await failureOf(slow)).toMatchObject({ ...UNAVAILABLE, cause: { sqlState: "57014" } });
    const settings = await Promise.all(
      Array.from({ length: 12 }, () => other.reader.first("SHOW statement_timeout")),
    );
    for (const row of settings) expect(row === null ? null : text(row, "statement_timeout")).toBe("0");
  });

  test("a snapshot stays on one connection, while others write", async () => {
    await one.snapshot(async (snapshot) => {
      const seen: number[] = [];
      for await (const rows of snapshot.portions("SELECT n FROM notes WHERE id <= 2 ORDER BY id", 1)) {
        await Promise.all(
          [one, other].map((client) =>
            client.write((connection) => connection.run("UPDATE notes SET n = 0")),
          ),
        );
        seen.push(...rows.map((row) => integer(row, "n")));
      }
      expect(seen).toEqual([2450, 2500]);
    });
  });

  test("what runs alone has one holder among all clients", async () => {
    let inside = 0;
    const hold = (client: Database) =>
      client.writeAlone(async (connection) => {
        inside += 1;
        expect(inside).toBe(1);
        await connection.script("SELECT pg_sleep(0.1)");
        inside -= 1;
      });
    await Promise.all([hold(one), hold(other), hold(one)]);
  });

  describe("with the whole program on it", () => {
    const start = starter(bouncer.url, running);
    const settings = { DB_PREPARE: "false", DB_POOL_MAX_CONN: String(CLIENT_CONNECTIONS) };
    const here = shared(start, settings);
    const there = shared(start, settings);

    test("two instances migrate once, and each sees what the other was told", async () => {
      const ada = await signUp(here());
      const elsewhere = there().client();
      const titles = Array.from({ length: 40 }, (_, index) => `todo ${index}`);
      const made = await Promise.all(
        titles.map((title, index) =>
          (index % 2 === 0 ? ada.client : elsewhere).post("/api/v1/todos", { title }, { token: ada.token }),
        ),
      );
      expect(made.map(({ status }) => status)).toEqual(titles.map(() => 200));
      const { body } = await elsewhere.get("/api/v1/todos", { token: ada.token });
      expect(body).toBeArrayOfSize(titles.length);

      expect((await ada.client.post("/api/v1/users/refresh")).status).toBe(200);
      expect((await ada.client.post("/api/v1/users/logout")).status).toBe(200);
      expect((await ada.client.post("/api/v1/users/refresh")).status).toBe(401);
    });
  });
}
