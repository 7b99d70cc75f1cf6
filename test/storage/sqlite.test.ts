import { Database as BunDatabase } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, silentLog } from "../../src/core/log.ts";
import type { Connection, Database, Row } from "../../src/storage/database.ts";
import { integer } from "../../src/storage/rows.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { failureOf } from "../support/failure.ts";

const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));
const path = join(folder, "sqlite.db");
const statements: string[] = [];
const told: string[] = [];
const log: Log = { ...silentLog, error: (event) => void told.push(event) };
let database: Database;

beforeAll(async () => {
  database = openSqlite({
    path,
    busyTimeoutMs: 150,
    watchdogMs: 60,
    onStatement: (sql) => statements.push(sql),
    log,
  });
  await database.writeAlone((connection) =>
    connection.script(`
      CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
      CREATE TABLE lines (note_id BIGINT NOT NULL REFERENCES notes (id) ON DELETE CASCADE);
    `),
  );
});

afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const insert = (name: string) => (connection: Connection) =>
  connection.run("INSERT INTO notes (name) VALUES ($1)", [name]);

async function names(): Promise<readonly unknown[]> {
  return (await database.reader.all("SELECT name FROM notes ORDER BY id")).map((row) => row["name"]);
}

async function clear(): Promise<void> {
  await database.write((connection) => connection.run("DELETE FROM notes"));
}

test("writes of one turn share a commit, which every one of them waits for", async () => {
  await clear();
  statements.length = 0;
  await Promise.all(["a", "b", "c"].map((name) => database.write(insert(name))));
  expect(statements.filter((sql) => sql === "COMMIT")).toHaveLength(1);
  expect(statements.filter((sql) => sql === "SAVEPOINT job")).toHaveLength(3);

  statements.length = 0;
  await database.write(insert("d"));
  expect(statements.filter((sql) => sql.includes("job"))).toEqual([]);
});

test("the first of very many writes at once does not wait for the last", async () => {
  await clear();
  const [first, ...others] = Array.from({ length: 300 }, (_, index) => database.write(insert(`n${index}`)));
  await first;
  expect((await names()).length).toBeLessThan(300);
  await Promise.all(others);
  expect(await names()).toHaveLength(300);
});

test("what runs alone shares its commit with nobody, neither those before it nor those behind", async () => {
  await clear();
  await database.write(async (connection) => {
    await connection.run("INSERT INTO notes (id, name) VALUES (1, 'parent')");
    await connection.run("INSERT INTO lines VALUES (1)");
  });
  const outcomes = await Promise.allSettled([
    database.write(insert("before")),
    // With foreign keys on, as they are for writes, the lines would go along with what they refer to.
    database.writeAlone((connection) =>
      connection.script("DELETE FROM notes; INSERT INTO notes VALUES (1, 'rebuilt')"),
    ),
    database.write((connection) => connection.run("INSERT INTO lines VALUES (12345)")),
    database.write(insert("behind")),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
  expect(await names()).toEqual(["rebuilt", "behind"]);
  expect(await database.reader.all("SELECT note_id FROM lines")).toHaveLength(1);
});

test("a write that awaits something foreign is undone, and the writes behind it go on", async () => {
  await clear();
  const after = Promise.withResolvers<Connection>();
  const stuck = database.write(async (connection) => {
    await insert("stuck")(connection);
    await Bun.sleep(150);
    after.resolve(connection);
    await insert("late")(connection);
  });
  const others = [database.write(insert("beside")), database.write(insert("behind"))];
  expect(await failureOf(stuck)).toMatchObject({
    name: "Overdue",
    message: expect.stringContaining("its connection"),
  });
  expect(told.splice(0)).toEqual(["sqlite.write_overdue"]);
  await Promise.all(others);
  const connection = await after.promise;
  expect(await failureOf(insert("later still")(connection))).toBeInstanceOf(Error);
  expect(await names()).toEqual(["beside", "behind"]);
});

test("a lock held by another process is waited for beside the event loop, and not for ever", async () => {
  await clear();
  const other = new BunDatabase(path, { readwrite: true });
  other.run("BEGIN IMMEDIATE");
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 5);
  const failure = await failureOf(database.write(insert("never")));
  clearInterval(ticking);
  expect(failure).toMatchObject({
    what: { kind: "unavailable" },
    cause: { message: expect.stringContaining("lock") },
  });
  expect(turns).toBeGreaterThan(3);

  const waiting = database.write(insert("waited"));
  await Bun.sleep(40);
  other.run("COMMIT");
  other.close();
  await waiting;
  expect(await names()).toEqual(["waited"]);
});

test("what runs alone waits longer for a lock than a request would", async () => {
  await clear();
  const other = new BunDatabase(path, { readwrite: true });
  other.run("BEGIN IMMEDIATE");
  const patient = database.writeAlone((connection) => insert("patient")(connection));
  expect(await failureOf(database.write(insert("never")))).toMatchObject({ what: { kind: "unavailable" } });
  other.run("COMMIT");
  other.close();
  await patient;
  expect(await names()).toEqual(["patient"]);
});

test("S34 with the disk full every write of the batch is unavailable, reads go on, and nothing is half-written", async () => {
  const full = openSqlite({ path: join(folder, "full.db"), log });
  await full.writeAlone((connection) =>
    connection.script("CREATE TABLE blobs (data BYTEA NOT NULL); PRAGMA max_page_count = 40"),
  );
  const store = (size: number) =>
    full.write((connection) => connection.run("INSERT INTO blobs VALUES ($1)", [new Uint8Array(size)]));
  const outcomes = await Promise.allSettled([store(10), store(1_000_000), store(10)]);
  expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ reason: { what: { kind: "unavailable" } } });
    expect(Bun.inspect(outcome, { depth: 5 })).toContain("disk is full");
  }
  expect(told.splice(0)).toEqual(["sqlite.commit_failed"]);
  expect(await failureOf(store(1_000_000))).toMatchObject({
    what: { kind: "unavailable" },
    cause: { message: expect.stringContaining("full") },
  });
  expect(await full.reader.all("SELECT 1 AS one FROM blobs")).toEqual([]);
  await store(10);
  expect(await full.reader.all("SELECT 1 AS one FROM blobs")).toHaveLength(1);
  await full.close();
});

test("where COMMIT itself fails nobody is told that a write was kept", async () => {
  await clear();
  await database.write((connection) =>
    connection.run("CREATE TABLE late (note_id BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)"),
  );
  const outcomes = await Promise.allSettled([
    database.write(insert("beside")),
    database.write((connection) => connection.run("INSERT INTO late VALUES (12345)")),
  ]);
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ reason: { what: { kind: "unavailable" } } });
  expect(await names()).toEqual([]);
  await database.write((connection) => connection.run("DROP TABLE late"));
});

test("a table can be rebuilt without its rows' children going, but no child may be left without parent", async () => {
  await clear();
  await database.write(async (connection) => {
    await connection.run("INSERT INTO notes (id, name) VALUES (1, 'parent')");
    await connection.run("INSERT INTO lines VALUES (1)");
  });
  const rebuild = `
    CREATE TABLE new_notes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n BIGINT);
    INSERT INTO new_notes (id, name) SELECT id, name FROM notes;
    DROP TABLE notes;
    ALTER TABLE new_notes RENAME TO notes;`;
  const broken = await failureOf(
    database.writeAlone((connection) => connection.script(`${rebuild} DELETE FROM notes;`)),
  );
  expect(broken).toMatchObject({ message: "a row of lines refers to no row of notes" });
  expect(await names()).toEqual(["parent"]);

  await database.writeAlone((connection) => connection.script(rebuild));
  const lines = await database.reader.first("SELECT COUNT(*) AS n FROM lines");
  expect(lines === null ? null : integer(lines, "n")).toBe(1);
  await clear();
  expect(await database.reader.all("SELECT 1 AS one FROM lines")).toEqual([]);
});

test("a statement is refused fewer values than it takes, and more", async () => {
  const keep = (values: readonly string[]) =>
    database.write((connection) => connection.run("UPDATE notes SET name = $1", values));
  await keep(["given before"]);
  for (const values of [[], ["one", "too many"]])
    expect(await failureOf(keep(values))).toBeInstanceOf(TypeError);
});

/** How the writer is set up, in the words of the pragmas. */
async function setUp(connection: Connection): Promise<Row> {
  const names = ["journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys", "temp_store"];
  const rows = await Promise.all(names.map((name) => connection.first(`PRAGMA ${name}`)));
  return Object.assign({}, ...rows);
}

test("the file is set up to keep what was acknowledged, and its log is synced and emptied by nobody but us", async () => {
  expect(await database.write(setUp)).toMatchObject({
    journal_mode: "wal",
    synchronous: 1,
    wal_autocheckpoint: 0,
  });
});

test("writes keep in memory what they may undo; a migration, alone, sorts in files and without foreign keys", async () => {
  const [FILE, MEMORY] = [1, 2];
  const shared = { foreign_keys: 1, temp_store: MEMORY };
  expect(await database.write(setUp)).toMatchObject(shared);
  expect(await database.writeAlone(setUp)).toMatchObject({ foreign_keys: 0, temp_store: FILE });
  expect(await database.write(setUp)).toMatchObject(shared);
});

test("S34 a damaged file is unavailable, and says so", async () => {
  const file = join(folder, "damaged.db");
  const whole = openSqlite({ path: file });
  await whole.write((connection) => connection.run("CREATE TABLE t (a TEXT)"));
  await whole.write((connection) => connection.run("INSERT INTO t VALUES ('a')"));
  await whole.close();
  const content = readFileSync(file);
  writeFileSync(file, content.fill(0xff, content.byteLength / 2));
  const damaged = openSqlite({ path: file });
  const failures = [
    await failureOf(damaged.reader.all("SELECT a FROM t")),
    await failureOf(damaged.write((connection) => connection.run("INSERT INTO t VALUES ('b')"))),
    await failureOf(
      damaged.snapshot((snapshot) => Array.fromAsync(snapshot.portions("SELECT a FROM t", 10))),
    ),
  ];
  for (const failure of failures) {
    expect(failure).toMatchObject({
      what: { kind: "unavailable" },
      cause: { message: expect.stringContaining("malformed") },
    });
  }
  await damaged.close();
});

test("close keeps what was asked before it, and leaves the whole database in one file", async () => {
  const file = join(folder, "closed.db");
  const closing = openSqlite({ path: file });
  await closing.write((connection) => connection.run("CREATE TABLE t (a TEXT)"));
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  const last = closing.write((connection) => connection.run("INSERT INTO t VALUES ('last')"));
  await closing.close();
  expect(await last).toBe(1);
  expect(existsSync(`${file}-wal`)).toBe(false);
  const again = openSqlite({ path: file });
  expect(await again.reader.all("SELECT a FROM t")).toEqual([{ a: "last" }]);
  await again.close();
});

test("a folder that is missing is named", () => {
  expect(() => openSqlite({ path: join(folder, "missing", "app.db") })).toThrow(
    `the folder of the SQLite database does not exist: ${join(folder, "missing")}`,
  );
});

test("what is no database is named", () => {
  const file = join(folder, "text.db");
  writeFileSync(file, "this is a text, and a long one".repeat(100));
  expect(() => openSqlite({ path: file })).toThrow(
    `${file} cannot be opened as a SQLite database: file is not a database`,
  );
});

test("its one writer is busy while a write is open, and those behind it are counted", async () => {
  const idle = { max: 1, busy: 0, idle: 1, waiting: 0 };
  const behind: Promise<unknown>[] = [];
  await database.write(async () => {
    behind.push(
      database.write(async () => {}),
      database.write(async () => {}),
    );
    expect(database.connections()).toEqual({ max: 1, busy: 1, idle: 0, waiting: 2 });
  });
  await Promise.all(behind);
  expect(database.connections()).toEqual(idle);

  const asked = database.write(async () => {});
  expect(database.connections()).toEqual({ max: 1, busy: 1, idle: 0, waiting: 1 });
  await asked;
  expect(database.connections()).toEqual(idle);
});

test("a write is seen by whoever learns of it, also where others read while it was open", async () => {
  const path = join(folder, "snapshot.db");
  const database = openSqlite({ path });
  await database.write((connection) => connection.run("CREATE TABLE lines (n)"));
  const count = async () => (await database.reader.first("SELECT COUNT(*) AS n FROM lines"))?.["n"];
  for (let written = 1; written <= 3; written += 1) {
    let meanwhile: Promise<unknown> = Promise.resolve();
    await database.write(async (connection) => {
      await connection.run("INSERT INTO lines VALUES (1)");
      // A read of another request opens the turn's snapshot before the commit.
      meanwhile = count();
    });
    expect(await count()).toBe(written);
    expect(await meanwhile).toBe(written - 1);
  }
  await database.close();
});

test("what another process writes is seen a turn later", async () => {
  const path = join(folder, "others.db");
  const ours = openSqlite({ path });
  const theirs = openSqlite({ path });
  await ours.write((connection) => connection.run("CREATE TABLE lines (n)"));
  const count = async () => (await ours.reader.first("SELECT COUNT(*) AS n FROM lines"))?.["n"];
  expect(await count()).toBe(0);
  await theirs.write((connection) => connection.run("INSERT INTO lines VALUES (1)"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(await count()).toBe(1);
  await Promise.all([ours.close(), theirs.close()]);
});

test("a database in memory has readers of its own too, and leaves nothing on the disk", async () => {
  const before = process.env["TMPDIR"];
  const scratch = join(folder, "scratch");
  mkdirSync(scratch);
  process.env["TMPDIR"] = scratch;
  const memory = openSqlite({ path: ":memory:" });
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  expect(readdirSync(scratch)).toHaveLength(1);
  await memory.write((connection) => connection.run("CREATE TABLE t (a TEXT)"));
  expect(await memory.reader.all("SELECT * FROM t")).toEqual([]);
  await memory.close();
  expect(readdirSync(scratch)).toEqual([]);
});
