import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import { OPERATOR } from "../../src/core/actor.ts";
import { Audit } from "../../src/core/audit.ts";
import { AuditSealer } from "../../src/core/audit-chain.ts";
import type { Clock } from "../../src/core/clock.ts";
import { Fault } from "../../src/core/fault.ts";
import { COPIED_TABLES } from "../../src/storage/copied-tables.ts";
import { copyDatabase } from "../../src/storage/copy.ts";
import type { CopyReport, CopyTask } from "../../src/storage/copy.ts";
import type { Database, Row, SqlValue } from "../../src/storage/database.ts";
import { migrateDown, migrateUp, migrationStatus, parseMigrations } from "../../src/storage/migrations.ts";
import { integer, text } from "../../src/storage/rows.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { openStore } from "../../src/storage/store.ts";
import { failureOf } from "../support/failure.ts";
import { empty, forEachEngine, forEachPair } from "./engines.ts";

// Whole schemas are made and dropped, and each step of that waits for the disk.
setDefaultTimeout(30_000);

const migrations = parseMigrations(migrationFiles);
const sealer = new AuditSealer("a secret of the tests");
const NOW_MS = 1_800_000_000_000;
const MOST = Number.MAX_SAFE_INTEGER;
const TODOS = 1_500;
const ODD_TEXT = "Zoë 😀 שלום\u0001\n\"'\\ \u{10FFFF}\uFFFD%_";

/** No two schemas are made in the same millisecond. */
let nowMs = NOW_MS;
const clock: Clock = { nowMs: () => (nowMs += 1) };

const copy = (source: Database, target: Database, change: Partial<CopyTask> = {}): Promise<CopyReport> =>
  copyDatabase({
    source,
    target,
    migrations,
    clock,
    signal: new AbortController().signal,
    onCopied: () => {},
    onChecked: () => {},
    ...change,
  });

/** Goes on until so many rows are copied. */
async function cutOff(source: Database, target: Database, rows: number): Promise<void> {
  const stop = new AbortController();
  const reason = new Error("the power fails");
  const onCopied = (copied: number) => copied >= rows && stop.abort(reason);
  expect(await failureOf(copy(source, target, { signal: stop.signal, onCopied }))).toBe(reason);
}

const run = (database: Database, sql: string, values: readonly SqlValue[] = []) =>
  database.write((connection) => connection.run(sql, values));

/** Something in every table, of every kind and at its limits. */
async function fill(database: Database): Promise<void> {
  await migrateUp(database, migrations, clock);
  if (database.engine === "postgres") {
    // As a server sorts that was not set up to sort byte by byte.
    await run(database, 'ALTER TABLE login_attempts ALTER COLUMN subject TYPE TEXT COLLATE "en-x-icu"');
    await run(database, 'ALTER TABLE idempotency_keys ALTER COLUMN key TYPE TEXT COLLATE "en-x-icu"');
  }
  for (const table of ["users", "admins"]) {
    await run(
      database,
      `INSERT INTO ${table} (email, username, username_key, name, name_key, phone, password_hash, is_active,
         credentials_version, created_at_ms, updated_at_ms, deleted_at_ms) VALUES
       ('a@example.com', 'Ada', 'ada', $1, $1, '+491', 'hash', TRUE, $2, 0, NULL, NULL),
       ('b@example.com', NULL, NULL, NULL, NULL, NULL, '', FALSE, 1, $3, -1, 5),
       ('c@example.com', NULL, NULL, '', '', NULL, 'hash', TRUE, 1, 1, 2, NULL)`,
      [ODD_TEXT, MOST, -MOST],
    );
  }
  await run(
    database,
    `INSERT INTO sessions (user_id, kind, created_at_ms, last_used_at_ms, ends_at_ms, user_agent)
     VALUES (1, 'cookie', 1, 1, NULL, $1), (2, 'rotating', 1, 1, 9, NULL)`,
    [ODD_TEXT],
  );
  const hashes = [new Uint8Array(0), Uint8Array.from({ length: 256 }, (_, byte) => byte)];
  await run(
    database,
    `INSERT INTO refresh_tokens (session_id, token_hash, created_at_ms, expires_at_ms)
     VALUES (1, $1, 1, 2), (2, $2, 1, 2)`,
    hashes,
  );
  await run(
    database,
    `INSERT INTO personal_tokens (user_id, admin_id, prefix, token_hash, scopes, created_at_ms)
     VALUES (1, NULL, 'a', $1, NULL, 1), (NULL, 2, 'b', $2, 'todos:read', 1)`,
    hashes,
  );
  await run(database, "INSERT INTO items (user_id, name, created_at_ms) VALUES (1, 'a', 1), (1, 'b', 2)");
  // In a language's order a comes before B.
  await run(
    database,
    `INSERT INTO login_attempts (realm, subject, failures, pending, pending_since_ms, updated_at_ms)
     VALUES ('user', 'B', 1, 0, 0, 1), ('user', 'a', 2, 1, 3, 1), ('admin', '😀', 1, 0, 0, 1), ('admin', '\uFFFD', 1, 0, 0, 1)`,
  );
  await run(
    database,
    `INSERT INTO idempotency_keys (key, owner, fingerprint, status, headers, body, created_at_ms, expires_at_ms)
     VALUES ('k', 'user:1', $1, 201, '{}', '{"a":1}', 1, 2), ('K', 'user:1', $1, 204, '{}', NULL, 1, 2)`,
    [new Uint8Array([0, 255])],
  );
  await run(
    database,
    `INSERT INTO imports (source, source_table, ids_above, ids_up_to, started_at_ms)
     VALUES ('sqlite:////srv/old.db', 'users', 0, 3, 1)`,
  );
  await run(
    database,
    "INSERT INTO imported_rows (import_id, source_key, target_id) VALUES (1, '1', 1), (1, '😀', 2)",
  );
  const store = openStore(database, sealer);
  await store.write((tx) =>
    tx.todos.insertMany(
      Array.from({ length: TODOS }, (_, nth) => ({
        accountId: 1 + (nth % 3),
        title: `${ODD_TEXT}${nth}`,
        description: nth % 2 === 0 ? null : "",
        completed: nth % 3 === 0,
        priority: "high",
        createdAtMs: nth,
      })),
    ),
  );
  await note(database);
  await note(database);
}

const note = (database: Database) =>
  openStore(database, sealer).write(async (tx) =>
    tx.audit.record({ event: "account.registered", atMs: NOW_MS, by: OPERATOR, subject: null }),
  );

const verified = (database: Database) =>
  new Audit({ store: openStore(database, sealer), clock }).verify([sealer], null);

/** Every value of every copied table, read otherwise than `copyDatabase` does. */
async function dump({ reader }: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = COPIED_TABLES.map(async ({ name }) => {
    const rows = await reader.all(`SELECT * FROM ${name}`);
    return [name, rows.map(lineOf).toSorted()] as const;
  });
  return Object.fromEntries(await Promise.all(tables));
}

function lineOf(row: Row): string {
  const columns = Object.entries(row).map(([column, value]) => [column, plain(value)] as const);
  return JSON.stringify(columns.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** PostgreSQL has its whole numbers as text, SQLite its booleans as numbers. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "boolean") return value ? "1" : "0";
  return typeof value === "number" ? String(value) : value;
}

forEachPair("a copy", (openFrom, openTo, isAcross) => {
  let from: Database;
  let to: Database;
  let isFilled = false;

  beforeEach(async () => {
    from ??= openFrom();
    to ??= openTo();
    await empty(to);
    if (isFilled) return;
    await empty(from);
    await fill(from);
    isFilled = true;
  });

  /** The next test finds the source filled anew. */
  const source = () => {
    isFilled = false;
    return from;
  };

  test("holds everything, whatever it is, and says so", async () => {
    const before = await dump(from);
    const steps: number[] = [];
    const onChecked = (rows: number, total: number) => steps.push(total - rows);
    const report = await copy(from, to, { onChecked });
    expect(await dump(to)).toEqual(before);
    expect(await dump(from)).toEqual(before);
    expect(report.rowsBefore).toBe(0);
    expect(report.tables.map(({ name, rows }) => [name, rows])).toEqual(
      COPIED_TABLES.map(({ name }) => [name, before[name]?.length ?? 0]),
    );
    expect(report.tables.every(({ rows }) => rows > 0)).toBe(true);
    expect(new Set(report.tables.map(({ checksum }) => checksum)).size).toBe(COPIED_TABLES.length);
    expect(steps.at(-1)).toBe(0);
    expect((await migrationStatus(to, migrations)).every(({ appliedAtMs }) => appliedAtMs !== null)).toBe(
      true,
    );
  });

  test("comes back the same, with the same checksums", async () => {
    const before = await dump(from);
    const there = await copy(from, to);
    await empty(from);
    const back = await copy(to, from);
    expect(back.tables).toEqual(there.tables);
    expect(await dump(from)).toEqual(before);
  });

  // From engine to engine each is both once.
  if (!isAcross) return;

  test("goes on giving ids where the source was, also after rows that are gone", async () => {
    await run(source(), "DELETE FROM items WHERE id = 2");
    await run(source(), "DELETE FROM refresh_tokens");
    await copy(from, to);
    const insertions = [
      "INSERT INTO items (user_id, name, created_at_ms) VALUES (1, 'c', 1) RETURNING id",
      "INSERT INTO refresh_tokens (session_id, token_hash, created_at_ms, expires_at_ms) VALUES (1, $1, 1, 2) RETURNING id",
    ];
    const ids = insertions.map((sql) =>
      to.write((connection) => connection.first(sql, sql.includes("$1") ? [new Uint8Array(1)] : [])),
    );
    expect((await Promise.all(ids)).map((row) => integer(row ?? {}, "id"))).toEqual([3, 3]);
  });

  test("has a sound audit trail, which goes on and is guarded", async () => {
    await copy(from, to);
    const verdict = await verified(from);
    expect(verdict).toMatchObject({ sound: true, rows: 2 });
    expect(await verified(to)).toEqual(verdict);
    await note(to);
    expect(await verified(to)).toMatchObject({ sound: true, rows: 3 });
    expect(await failureOf(run(to, "DELETE FROM audit_log"))).toBeInstanceOf(Error);
  });

  test("finds and counts users as the source does", async () => {
    await copy(from, to);
    const { directory } = openStore(to, sealer).read;
    const found = (search: string | null) => directory.count({ search, isActive: null, deleted: false });
    expect([await found(null), await found("שלום"), await found("nobody")]).toEqual([2, 1, 0]);
    const counts = await to.reader.first("SELECT SUM(users) AS users FROM user_counts");
    expect(Number(counts?.["users"])).toBe(3);
  });

  test("is of one moment, whatever is written to the source meanwhile", async () => {
    const before = await dump(from);
    let writing: Promise<unknown> | null = null;
    const onCopied = () => {
      writing ??= run(source(), "UPDATE todos SET title = 'later'").then(() => note(from));
    };
    await copy(from, to, { onCopied });
    await writing;
    expect(await dump(to)).toEqual(before);
    expect(await dump(from)).not.toEqual(before);
  });

  describe("that was cut off", () => {
    test.each([1, 20, TODOS])("after %d rows is no database yet, and goes on", async (rows) => {
      await cutOff(from, to, rows);
      expect(await failureOf(migrationStatus(to, migrations))).toMatchObject({ name: "MigrationRefused" });
      expect(await failureOf(migrateUp(to, migrations, clock))).toMatchObject({ name: "MigrationRefused" });
      const { rowsBefore } = await copy(from, to);
      expect(rowsBefore).toBeGreaterThanOrEqual(rows);
      expect(await dump(to)).toEqual(await dump(from));
      expect(await verified(to)).toMatchObject({ sound: true, rows: 2 });
    });

    test("after its last row goes on to be checked", async () => {
      const stop = new AbortController();
      const reason = new Error("the power fails");
      const onChecked = () => stop.abort(reason);
      expect(await failureOf(copy(from, to, { signal: stop.signal, onChecked }))).toBe(reason);
      await copy(from, to);
      expect(await dump(to)).toEqual(await dump(from));
    });

    test("takes along what the source got since", async () => {
      await cutOff(from, to, TODOS);
      await run(source(), "INSERT INTO items (user_id, name, created_at_ms) VALUES (1, 'c', 1)");
      await note(from);
      await copy(from, to);
      expect(await dump(to)).toEqual(await dump(from));
    });

    test.each([
      [
        "changed",
        "UPDATE users SET name = 'other' WHERE id = 2",
        "row 2 of users is another in the target: name",
      ],
      [
        "deleted",
        "DELETE FROM refresh_tokens WHERE id = 1",
        "row 2 of refresh_tokens is not there, where the target has row 1 of refresh_tokens",
      ],
      [
        "deleted as the last",
        "DELETE FROM personal_tokens WHERE id = 2",
        "row 2 of personal_tokens is in the target alone",
      ],
    ])("does not go on where a row of the source was %s since", async (_, sql, words) => {
      await cutOff(from, to, TODOS);
      await run(source(), sql);
      const failure = await failureOf(copy(from, to));
      expect(failure).toMatchObject({ name: "CopyRefused", message: expect.stringContaining(words) });
    });

    test("is not gone on with from another source", async () => {
      await cutOff(from, to, 1);
      await empty(source());
      await fill(from);
      const failure = await failureOf(copy(from, to));
      expect(failure).toMatchObject({
        message: expect.stringContaining("part of a copy of another database"),
      });
    });
  });

  test("by another version is not gone on with", async () => {
    await cutOff(from, to, 1);
    await run(to, "UPDATE unfinished_copy SET version = version - 1");
    const failure = await failureOf(copy(from, to));
    expect(failure).toMatchObject({ message: expect.stringContaining("another version of latchkey began") });
  });

  test("fails as the target does where that does not answer, and goes on later", async () => {
    const fault = Fault.of({ kind: "unavailable" });
    let isReached = true;
    const lost: Database = {
      ...beforeSnapshots(to, () => Promise.resolve()),
      write: (work) => (isReached ? to.write(work) : Promise.reject(fault)),
    };
    const onCopied = () => {
      isReached = false;
    };
    expect(await failureOf(copy(from, lost, { onCopied }))).toBe(fault);
    const { rowsBefore } = await copy(from, to);
    expect(rowsBefore).toBeGreaterThan(0);
    expect(await dump(to)).toEqual(await dump(from));
  });

  describe("finds at its end", () => {
    test.each([
      [
        "another value",
        "UPDATE todos SET title = 'other' WHERE id = 1234",
        "row 1234 of todos is another in the target: title",
      ],
      [
        "another value long before the end",
        "UPDATE todos SET title = 'other' WHERE id = 7",
        "row 7 of todos is another in the target: title",
      ],
      ["a row too few", "DELETE FROM todos WHERE id = 1500", "row 1500 of todos is missing in the target"],
      [
        "a row too many",
        "INSERT INTO items (user_id, name, created_at_ms) VALUES (1, 'c', 1)",
        "go on after 3, in the source after 2",
      ],
      [
        "another lock",
        "UPDATE login_attempts SET failures = 0 WHERE subject = 'a'",
        "of login_attempts is another in the target: failures",
      ],
      [
        "other bytes, as many",
        "UPDATE refresh_tokens SET token_hash = $1 WHERE id = 2",
        "row 2 of refresh_tokens is another in the target: token_hash",
      ],
    ])("%s", async (_, sql, words) => {
      let isCopied = false;
      const spoilt = beforeSnapshots(to, async () => {
        if (isCopied) await run(to, sql, sql.includes("$1") ? [new Uint8Array(256)] : []);
      });
      const onCopied = (rows: number, total: number) => {
        isCopied = rows === total;
      };
      const failure = await failureOf(copy(from, spoilt, { onCopied }));
      expect(failure).toMatchObject({ name: "CopyRefused", message: expect.stringContaining(words) });
      expect(await failureOf(migrationStatus(to, migrations))).toBeInstanceOf(Error);
    });
  });

  describe("is refused", () => {
    const refusal = async (words: string) => {
      const before = await dump(to).catch(() => null);
      const failure = await failureOf(copy(from, to));
      expect(failure).toMatchObject({ name: "CopyRefused", message: expect.stringContaining(words) });
      expect(await dump(to).catch(() => null)).toEqual(before);
    };

    test("where the target has rows", async () => {
      await migrateUp(to, migrations, clock);
      await run(
        to,
        "INSERT INTO admins (email, password_hash, created_at_ms) VALUES ('a@example.com', '', 1)",
      );
      await refusal("the target is not empty: it has rows in admins");
    });

    test("where the target has a table of somebody else's", async () => {
      await run(to, "CREATE TABLE todos (id BIGINT)");
      await refusal("the target has a table todos that is not Latchkey's");
    });

    test("where the target was made by other migrations", async () => {
      await migrateUp(to, migrations, clock);
      await run(to, "UPDATE schema_migrations SET checksum = 'x' WHERE version = 2");
      await refusal("the target: migration 0002_sessions was edited");
    });

    test("where the target is the source", async () => {
      const failure = await failureOf(copy(from, from));
      expect(failure).toMatchObject({ message: expect.stringContaining("are the same database") });
    });

    test("where the source has an older schema", async () => {
      await migrateDown(source(), migrations, { steps: 1 });
      const [has, needs] = migrations.slice(-2);
      await refusal(
        `the schema of 00${has?.version}_${has?.name}, and this program copies that of 00${needs?.version}_`,
      );
    });

    test("where the source is no database of Latchkey's, or part of one", async () => {
      await empty(source());
      await refusal("the source is no database of Latchkey's");
      await fill(from);
      await cutOff(from, to, 1);
      expect(await failureOf(copy(to, from))).toMatchObject({
        message: expect.stringMatching(/^the source: .* is not whole/),
      });
    });
  });
});

/** Does something to the database before each look at the whole of it. */
function beforeSnapshots(database: Database, act: () => Promise<void>): Database {
  return {
    engine: database.engine,
    reader: database.reader,
    write: (work) => database.write(work),
    writeOne: (work) => database.writeOne(work),
    writeUnsynced: (work) => database.writeUnsynced(work),
    writeAlone: (work) => database.writeAlone(work),
    snapshot: async (work) => {
      await act();
      return database.snapshot(work);
    },
    connections: () => database.connections(),
    ping: () => database.ping(),
    currentTimeMs: () => database.currentTimeMs(),
    close: () => database.close(),
  };
}

forEachEngine("what is copied", (engine, open) => {
  /** Kept by triggers, or by the migrations themselves. */
  const MADE_ANEW = /^(schema_migrations|user_counts|users_search.*|sqlite_.*)$/;

  test("is every table of the schema, each after those that it refers to", async () => {
    const database = open();
    await migrateUp(database, migrations, clock);
    const lines = async (sql: string) => (await database.reader.all(sql)).map((row) => text(row, "line"));
    const tables = await lines(
      engine === "sqlite"
        ? "SELECT name AS line FROM sqlite_schema WHERE type = 'table'"
        : "SELECT tablename AS line FROM pg_tables WHERE schemaname = 'public'",
    );
    const names = COPIED_TABLES.map(({ name }) => name);
    expect(tables.filter((name) => !MADE_ANEW.test(name)).toSorted()).toEqual(names.toSorted());
    if (engine === "postgres") return;

    for (const { name, key, ids } of COPIED_TABLES) {
      const keys = `SELECT name AS line FROM pragma_table_info('${name}') WHERE pk > 0 ORDER BY pk`;
      expect(await lines(keys)).toEqual([...key]);
      const numbered = await lines(
        `SELECT name AS line FROM sqlite_schema WHERE name = '${name}' AND sql LIKE '%AUTOINCREMENT%'`,
      );
      expect(numbered).toEqual(ids === null ? [] : [name]);
      const parents = await lines(`SELECT "table" AS line FROM pragma_foreign_key_list('${name}')`);
      expect(names.slice(0, names.indexOf(name))).toEqual(expect.arrayContaining(parents));
    }
  });
});

test.each([
  [
    "UPDATE todos SET completed = 'maybe' WHERE id = 7",
    "row 7 of todos cannot be read from the source: column completed is not a boolean",
  ],
  [
    "UPDATE todos SET version = 9007199254740993 WHERE id = 7",
    "row 7 of todos cannot be read from the source: column version is not a whole number",
  ],
  [
    "UPDATE todos SET title = 'a' || char(0) WHERE id = 7",
    "row 7 of todos cannot be written to the target: the value of $",
  ],
])("what an SQLite file may hold and no migration means is named: %s", async (sql, words) => {
  const from = openSqlite({ path: ":memory:" });
  const to = openSqlite({ path: ":memory:" });
  await fill(from);
  await from.writeAlone((connection) => connection.script(sql));
  expect(await failureOf(copy(from, to))).toMatchObject({ message: expect.stringContaining(words) });
  await Promise.all([from.close(), to.close()]);
});

test("a row without an id is named by its place in the order of the key, also where the copy goes on", async () => {
  const from = openSqlite({ path: ":memory:" });
  const to = openSqlite({ path: ":memory:" });
  await fill(from);
  await from.writeAlone((connection) =>
    connection.script(
      `INSERT INTO imported_rows (import_id, source_key, target_id)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT 1, 'key' || i, i FROM n;
       DELETE FROM imported_rows WHERE source_key = '😀';
       UPDATE imported_rows SET source_key = 'z' || char(0) WHERE source_key = 'key2000'`,
    ),
  );
  for (const attempt of ["the first", "the next"]) {
    const failure = String(await failureOf(copy(from, to)));
    expect([attempt, failure]).toEqual([
      attempt,
      expect.stringContaining("row number 4001 of imported_rows cannot be written to the target: "),
    ]);
  }
  await run(to, "UPDATE imported_rows SET target_id = 0 WHERE source_key = 'key999'");
  expect(await failureOf(copy(from, to))).toMatchObject({
    message: expect.stringContaining("row number 4000 of imported_rows is another in the target: target_id"),
  });
  await Promise.all([from.close(), to.close()]);
});
