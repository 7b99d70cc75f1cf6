import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type Log, silentLog } from "../../src/core/log.ts";
import { UniqueViolation } from "../../src/storage/database.ts";
import type { Connection, Database, WriteConnection } from "../../src/storage/database.ts";
import { openPostgres, type PostgresOptions } from "../../src/storage/postgres.ts";
import { integer } from "../../src/storage/rows.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failure.ts";
import { sayOnce } from "../support/needed.ts";
import { isRequired } from "../support/postgres.ts";
import {
  findPostgresPrograms,
  type PostgresCluster,
  startPostgresCluster,
  startPostgresStandby,
} from "../support/postgres-cluster.ts";

const STATEMENT_MS = 300;
const ACQUIRE_MS = 400;
/** The longest that a request may take: a connection, a statement, the grace, and a slow machine. */
const DEADLINE_MS = ACQUIRE_MS + STATEMENT_MS + 250 + 400;
const UNAVAILABLE = { what: { kind: "unavailable" } };

const programs = findPostgresPrograms();
if (programs === null) {
  if (isRequired())
    throw new Error("PostgreSQL's server programs are not installed, and their tests must run here");
  sayOnce(
    "SKIPPED: test/storage/postgres.test.ts, since initdb and pg_ctl are not installed (Debian: postgresql)",
  );
} else {
  describe("PostgreSQL", () => suite(programs));
}

function suite(folder: string): void {
  let cluster: PostgresCluster;
  let open: Database[] = [];

  function database(options: Partial<PostgresOptions> = {}): Database {
    const opened = openPostgres({
      url: cluster.url,
      poolMax: 4,
      acquireTimeoutMs: ACQUIRE_MS,
      statementTimeoutMs: STATEMENT_MS,
      prepare: true,
      ...options,
    });
    open.push(opened);
    return opened;
  }

  beforeAll(async () => {
    cluster = await startPostgresCluster(folder);
    const setup = database();
    await setup.writeAlone((connection) =>
      connection.script(`
        CREATE TABLE notes (id BIGINT PRIMARY KEY, n BIGINT NOT NULL DEFAULT 0, name TEXT UNIQUE);
        INSERT INTO notes (id) VALUES (1), (2)`),
    );
    await setup.close();
  }, 30_000);

  afterEach(async () => {
    await Promise.all(open.map((opened) => opened.close()));
    open = [];
  });

  afterAll(() => cluster.destroy(), 30_000);

  test("S32 a restart under traffic loses nothing acknowledged, and is over by itself", async () => {
    const db = database();
    const acknowledged: number[] = [];
    const failures: unknown[] = [];
    let isOver = false;
    const traffic = Array.from({ length: 8 }, async (_, client) => {
      for (let id = 1000 * (client + 1); !isOver; id += 1) {
        try {
          await db.write((connection) => connection.run("INSERT INTO notes (id) VALUES ($1)", [id]));
          acknowledged.push(id);
          await db.reader.first("SELECT n FROM notes WHERE id = $1", [id]);
        } catch (error) {
          failures.push(error);
          await Bun.sleep(5);
        }
      }
    });
    await Bun.sleep(100);
    await cluster.restart();
    const before = acknowledged.length;
    await Bun.sleep(300);
    isOver = true;
    await Promise.all(traffic);

    expect(before).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(before);
    for (const failure of failures) expect(failure).toMatchObject(UNAVAILABLE);
    const rows = await db.reader.all("SELECT id FROM notes WHERE id >= 1000");
    const kept = new Set(rows.map((row) => integer(row, "id")));
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  }, 20_000);

  test("S32 connections that died while nobody looked cost nobody an error", async () => {
    const db = database();
    await Promise.all(Array.from({ length: 4 }, () => db.reader.all("SELECT pg_sleep(0.02)")));
    await cluster.restart();
    await eventually(() => expect(db.connections().idle).toBe(0));
    const attempts = Array.from({ length: 8 }, (_, index) =>
      index % 2 === 0
        ? db.reader.all("SELECT 1 AS one")
        : db.write((connection) => connection.all("SELECT 1 AS one")),
    );
    for (const answer of await Promise.all(attempts)) expect(answer).toHaveLength(1);
  }, 20_000);

  test("S32 a frozen server is unavailable within the deadline, and back by itself", async () => {
    const db = database();
    // What may take long leaves nobody behind it as much time.
    await db.writeAlone((connection) => connection.script("SELECT 1"));
    cluster.freeze("everything");
    try {
      const attempts = Array.from({ length: 20 }, async (_, index) => {
        const startedAt = performance.now();
        return { failure: await failureOf(attemptOf(db, index)), tookMs: performance.now() - startedAt };
      });
      for (const { failure, tookMs } of await Promise.all(attempts)) {
        expect(failure).toMatchObject(UNAVAILABLE);
        expect(tookMs).toBeLessThan(DEADLINE_MS);
      }
      expect(await failureOf(db.ping())).toMatchObject(UNAVAILABLE);
    } finally {
      cluster.thaw();
    }
    await eventually(() => db.ping());
    const answers = await Promise.all(Array.from({ length: 20 }, () => db.reader.all("SELECT 1 AS one")));
    expect(answers).toHaveLength(20);
    await db.write((connection) => increment(connection, 1));
  }, 20_000);

  test.each([
    ["a read", (db: Database) => db.ping()],
    ["a write", (db: Database) => db.write((connection) => increment(connection, 1))],
    ["a write of one statement", (db: Database) => db.writeOne((connection) => increment(connection, 1))],
  ])(
    "S32 after one connection fell silent in %s, those beside it are not tried in turn",
    async (_, attempt) => {
      const db = database();
      await Promise.all(Array.from({ length: 4 }, () => db.reader.all("SELECT pg_sleep(0.02)")));
      cluster.freeze("connections");
      try {
        expect(await failureOf(attempt(db))).toMatchObject(UNAVAILABLE);
        await db.ping();
      } finally {
        cluster.thaw();
      }
    },
  );

  test("S32 a server that freezes before a commit is unavailable within the deadline", async () => {
    const db = database();
    try {
      let frozenAt = 0;
      const write = db.write(async (connection) => {
        await increment(connection, 1);
        cluster.freeze("connections");
        frozenAt = performance.now();
      });
      expect(await failureOf(write)).toMatchObject(UNAVAILABLE);
      expect(performance.now() - frozenAt).toBeLessThan(DEADLINE_MS);
    } finally {
      cluster.thaw();
    }
  });

  test("S32 a connection that fell silent is overdue, however much more is asked of it", async () => {
    const db = database({ poolMax: 1 });
    const ask = () => failureOf(db.reader.first("SELECT n FROM notes WHERE id = 1"));
    await db.ping();
    cluster.freeze("connections");
    const more: Promise<unknown>[] = [];
    const asking = setInterval(() => more.push(ask()), 100);
    try {
      const startedAt = performance.now();
      expect(await ask()).toMatchObject(UNAVAILABLE);
      expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS);
    } finally {
      clearInterval(asking);
      cluster.thaw();
    }
    await Promise.allSettled(more);
  });

  test("what waits behind others is not overdue while their connection answers", async () => {
    const db = database({ poolMax: 1 });
    await db.ping();
    const rows = await Promise.all(
      Array.from({ length: 9 }, () => db.reader.first("SELECT pg_sleep(0.1), pg_backend_pid() AS pid")),
    );
    expect(new Set(rows.map((row) => row?.["pid"])).size).toBe(1);
  });

  test("a statement has its whole time, however shortly before the last look at its connection it is sent", async () => {
    const db = database({ poolMax: 1 });
    const pid = await backend(db);
    await Bun.sleep(STATEMENT_MS + 150);
    await db.reader.all("SELECT pg_sleep(0.2)");
    expect(await backend(db)).toBe(pid);
  });

  test("S32 a write begins anew on another connection where its own has died unseen", async () => {
    const db = database({ poolMax: 1 });
    const before = await total(db);
    process.kill(await backend(db), "SIGTERM");
    // Nothing that comes in is read meanwhile, the end of the connection neither.
    Bun.sleepSync(100);
    expect(await db.write((connection) => increment(connection, 1))).toBe(1);
    expect(await total(db)).toBe(before + 1);
  });

  test("S32 a read whose connection breaks under it is asked again", async () => {
    const db = database({ poolMax: 1, statementTimeoutMs: 2_000 });
    const pid = await backend(db);
    const read = db.reader.all("SELECT pg_sleep(0.2), 1 AS one");
    await Bun.sleep(50);
    await database().reader.all("SELECT pg_terminate_backend($1::int)", [pid]);
    expect((await read)[0]?.["one"]).toBe(1);
    expect(await backend(db)).not.toBe(pid);
  });

  test("S32 a server that is down, or a host that accepts and says nothing, is unavailable at once or in time", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const told: string[] = [];
    const log: Log = {
      ...silentLog,
      warning: (event, fields) => void told.push(`${event} ${String(fields?.["reason"])}`),
    };
    const db = database({ url: `postgres://postgres@127.0.0.1:${silent.port}/postgres`, log });
    const startedAt = performance.now();
    const attempts = await Promise.all(Array.from({ length: 10 }, () => failureOf(db.ping())));
    for (const failure of attempts) expect(failure).toMatchObject(UNAVAILABLE);
    expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS);
    silent.stop(true);
    expect(told[0]).toMatch(/^postgres\.connect_failed opening a connection took longer than \d+ ms$/);
    expect(await failureOf(db.ping())).toMatchObject(UNAVAILABLE);
  });

  test("more requests than connections wait their turn, and not longer than they may", async () => {
    const db = database({ poolMax: 2, statementTimeoutMs: 5_000 });
    const hold = (seconds: number) => db.reader.all(`SELECT pg_sleep(${seconds})`);
    const short = await Promise.allSettled([hold(0.1), hold(0.1), db.ping(), db.ping()]);
    expect(short.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "fulfilled"));

    const long = [hold(0.8), hold(0.8)];
    const startedAt = performance.now();
    const failure = await failureOf(db.ping());
    expect(failure).toMatchObject({
      ...UNAVAILABLE,
      cause: { message: expect.stringContaining("for a connection") },
    });
    expect(performance.now() - startedAt).toBeLessThan(ACQUIRE_MS + 200);
    await Promise.all(long);
    await db.ping();
    expect(await sessions(db)).toBeLessThanOrEqual(2);
  });

  test.each([
    ["will not speak TLS", "postgres", "?sslmode=require"],
    ["does not know the role", "stranger", ""],
  ])("a server that %s is unavailable", async (_, user, query) => {
    const url = new URL(cluster.url);
    url.username = user;
    expect(await failureOf(database({ url: url.href + query }).ping())).toMatchObject(UNAVAILABLE);
  });

  test("a conflict is named by its column also to a role that may not see the rows", async () => {
    await database().writeAlone((connection) =>
      connection.script(`
        CREATE ROLE writer LOGIN; GRANT INSERT ON notes TO writer;
        INSERT INTO notes (id, name) VALUES (90, 'taken')`),
    );
    const url = new URL(cluster.url);
    url.username = "writer";
    const insert = (id: number, name: string) =>
      database({ url: url.href }).write((connection) =>
        connection.run("INSERT INTO notes (id, name) VALUES ($1, $2)", [id, name]),
      );
    expect(await failureOf(insert(90, "other"))).toMatchObject({ table: "notes", column: "id" });
    expect(await failureOf(insert(91, "taken"))).toMatchObject({ table: "notes", column: "name" });
  });

  test("a write may take longer than each of its statements", async () => {
    const db = database();
    const slowly = db.write(async (connection) => {
      for (let n = 0; n < 3; n += 1) await connection.first("SELECT pg_sleep(0.15)");
      return "done";
    });
    expect(await slowly).toBe("done");
  });

  test("a slow statement is given up by the server too, and its connection stays", async () => {
    const db = database({ poolMax: 1 });
    const pid = await backend(db);
    const failure = await failureOf(db.reader.all("SELECT pg_sleep(3)"));
    expect(failure).toMatchObject({ ...UNAVAILABLE, cause: { sqlState: "57014" } });
    expect(await backend(db)).toBe(pid);
  });

  test.each([
    ["08006", "unavailable", "closed"],
    ["28000", "unavailable", "closed"],
    ["53100", "unavailable", "closed"],
    ["57P03", "unavailable", "closed"],
    ["58030", "unavailable", "closed"],
    ["XX001", "unavailable", "closed"],
    ["25P03", "unavailable", "closed"],
    ["55P03", "unavailable", "kept"],
    ["57014", "unavailable", "kept"],
    ["40001", "unavailable", "kept"],
    ["40P01", "unavailable", "kept"],
    ["25006", "unavailable", "kept"],
    ["42501", "a mistake", "kept"],
    ["23514", "a mistake", "kept"],
  ])("what fails with SQLSTATE %s is %s, and its connection is %s", async (state, kind, fate) => {
    const db = database({ poolMax: 1 });
    const pid = await backend(db);
    let runs = 0;
    const failure = await failureOf(
      db.write((connection) => {
        runs += 1;
        return connection.all(`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END $$`);
      }),
    );
    const told = { name: "PostgresFailure", message: `no (SQLSTATE ${state})` };
    expect(failure).toMatchObject(kind === "unavailable" ? { ...UNAVAILABLE, cause: told } : told);
    expect(runs).toBe(state.startsWith("40") ? 3 : 1);
    expect((await backend(db)) === pid ? "kept" : "closed").toBe(fate);
  });

  const READ_ONLY = { ...UNAVAILABLE, cause: { sqlState: "25006" } };
  const note = (connection: WriteConnection) => connection.run("INSERT INTO notes (id) VALUES (4000)");
  const writes: readonly (readonly [string, (db: Database) => Promise<unknown>])[] = [
    ["a write", (db) => db.write(note)],
    ["one of one statement", (db) => db.writeOne(note)],
    ["several of one statement", (db) => Promise.all(Array.from({ length: 8 }, () => db.writeOne(note)))],
    ["one that waits for no disk", (db) => db.writeUnsynced(note)],
    ["one alone", (db) => db.writeAlone((connection) => connection.script("CREATE TABLE others (n BIGINT)"))],
  ];

  test.each([true, false])(
    "S32 a standby takes no writes, and they pass once it is promoted (prepared statements: %p)",
    async (prepare) => {
      const standby = await startPostgresStandby(folder, cluster);
      try {
        const db = database({ url: standby.url, poolMax: 1, prepare });
        const pid = await backend(db);
        for (const [name, attempt] of writes) {
          expect({ name, failure: await failureOf(attempt(db)) }).toMatchObject({ name, failure: READ_ONLY });
        }
        expect(await backend(db)).toBe(pid);
        await standby.promote();
        expect(await db.write((connection) => increment(connection, 1))).toBe(1);
        expect(await backend(db)).toBe(pid);
      } finally {
        await standby.destroy();
      }
    },
    20_000,
  );

  test("S32 what is set read-only takes no writes, and they pass once it no longer is", async () => {
    const operator = database();
    const operate = (sql: string) => operator.writeAlone((connection) => connection.script(sql));
    await operate(`CREATE ROLE writer_no_more LOGIN; GRANT ALL ON notes TO writer_no_more;
      ALTER ROLE writer_no_more SET default_transaction_read_only = on`);
    const url = new URL(cluster.url);
    url.username = "writer_no_more";
    const db = database({ url: url.href, poolMax: 1, pace: { readOnlyMs: 0 } });
    for (const [name, attempt] of writes) {
      expect({ name, failure: await failureOf(attempt(db)) }).toMatchObject({ name, failure: READ_ONLY });
    }
    await operate("ALTER ROLE writer_no_more RESET default_transaction_read_only");
    // A connection has the setting of when it was opened: that of before would be refused for ever.
    expect(await db.write((connection) => increment(connection, 1))).toBe(1);
  });

  test("a write whose connection breaks is undone, and none of it goes on outside a transaction", async () => {
    const db = database({ poolMax: 1 });
    const other = database();
    const failure = await failureOf(
      db.write(async (connection) => {
        await connection.run("INSERT INTO notes (id) VALUES (50)");
        const row = await connection.first("SELECT pg_backend_pid() AS pid");
        await other.reader.all("SELECT pg_terminate_backend($1::int)", [
          row === null ? 0 : integer(row, "pid"),
        ]);
        await failureOf(connection.run("INSERT INTO notes (id) VALUES (51)"));
        await failureOf(connection.run("INSERT INTO notes (id) VALUES (52)"));
      }),
    );
    expect(failure).toMatchObject(UNAVAILABLE);
    expect(await db.reader.all("SELECT id FROM notes WHERE id BETWEEN 50 AND 59")).toEqual([]);
  });

  test("of two writes that stop each other, the one that gives way runs again", async () => {
    const db = database({ statementTimeoutMs: 2_000 });
    let runs = 0;
    let held = 0;
    const bothHoldOne = Promise.withResolvers<void>();
    const both = (first: number, second: number) =>
      db.write(async (connection) => {
        runs += 1;
        await increment(connection, first);
        held += 1;
        if (held === 2) bothHoldOne.resolve();
        await bothHoldOne.promise;
        await increment(connection, second);
      });
    const before = await total(db);
    await Promise.all([both(1, 2), both(2, 1)]);
    expect(await total(db)).toBe(before + 4);
    expect(runs).toBeGreaterThan(2);
  });

  test("a write that awaits something foreign is over in time, and its connection is free again", async () => {
    const db = database({ poolMax: 1 });
    const never = new Promise<never>(() => {});
    const failure = await failureOf(
      db.write(async (connection) => {
        await increment(connection, 1);
        await never;
      }),
    );
    expect(failure).toMatchObject(UNAVAILABLE);
    await db.write((connection) => increment(connection, 1));
  });

  test("a statement that nobody awaits makes its write fail", async () => {
    const db = database({ poolMax: 1 });
    const failure = await failureOf(
      db.write(async (connection) => {
        connection.run("INSERT INTO notes (id) VALUES (60)").catch(() => {});
      }),
    );
    expect(failure).toMatchObject({ message: expect.stringContaining("nobody awaited") });
    expect(await db.reader.all("SELECT id FROM notes WHERE id = 60")).toEqual([]);
  });

  test("a plan from before the schema changed is made anew", async () => {
    const db = database({ poolMax: 1 });
    const read = () => db.reader.all("SELECT * FROM notes WHERE id = $1", [1]);
    await read();
    const other = database();
    await other.writeAlone((connection) => connection.script("ALTER TABLE notes ADD COLUMN extra TEXT"));
    expect((await read())[0]).toHaveProperty("extra");
    await other.writeAlone((connection) => connection.script("ALTER TABLE notes DROP COLUMN extra"));
    const written = await db.write((connection) =>
      connection.first("SELECT * FROM notes WHERE id = $1", [1]),
    );
    expect(written).not.toHaveProperty("extra");
  });

  test("what runs alone is not bound by the statement deadline, and has one holder", async () => {
    const [one, other] = [database(), database()];
    let inside = 0;
    const hold = (db: Database) =>
      db.writeAlone(async (connection) => {
        inside += 1;
        expect(inside).toBe(1);
        await connection.script(`SELECT pg_sleep(${(STATEMENT_MS * 2.5) / 1000})`);
        inside -= 1;
      });
    await Promise.all([hold(one), hold(other)]);
  });

  test("a snapshot is not bound by the statement deadline either", async () => {
    const slowly = database().snapshot((snapshot) =>
      snapshot.first(`SELECT pg_sleep(${(STATEMENT_MS * 2.5) / 1000}), 1 AS one`),
    );
    expect((await slowly)?.["one"]).toBe(1);
  });

  test("the server itself ends a statement, and a transaction that nobody goes on with", async () => {
    const { reader } = database();
    const unprepared = database({ prepare: false });
    for (const limit of ["statement_timeout", "idle_in_transaction_session_timeout"]) {
      const show = (connection: Connection) => connection.first(`SHOW ${limit}`);
      const limited = { [limit]: `${STATEMENT_MS}ms` };
      expect(await show(reader)).toEqual(limited);
      expect([await unprepared.write(show), await unprepared.writeOne(show)]).toEqual([limited, limited]);
    }
  });

  test("quick reads that meet share a connection, each with its own answer or error; slow ones have one each", async () => {
    const db = database();
    await db.ping();
    const ask = (n: number) =>
      db.reader.first("SELECT pg_backend_pid() AS pid, 12 / (3 - $1::int) AS n", [n]).catch(() => null);
    const rows = await Promise.all([0, 1, 2, 3, -1, -3, -9, 3].map(ask));
    expect(rows.map((row) => (row === null ? null : integer(row, "n")))).toEqual([
      4,
      6,
      12,
      null,
      3,
      2,
      1,
      null,
    ]);
    const shared = new Set(rows.map((row) => row?.["pid"]).filter((pid) => pid !== undefined));
    expect(shared.size).toBe(1);
    await Promise.all([1, 2, 3].map(() => db.reader.all("SELECT pg_sleep(0.05)")));
    expect(await sessions(db)).toBe(3);
  });

  test("S32 of reads that share a connection which breaks, each is asked again", async () => {
    const db = database({ statementTimeoutMs: 2_000 });
    const other = database();
    await other.ping();
    const pid = await backend(db);
    const reads = [1, 2, 3, 4].map((n) =>
      db.reader.first("SELECT pg_sleep(0.1), pg_backend_pid() AS pid, $1::int AS n", [n]),
    );
    await other.reader.all("SELECT pg_terminate_backend($1::int)", [pid]);
    const rows = await Promise.all(reads);
    expect(rows.map((row) => row?.["n"])).toEqual([1, 2, 3, 4]);
    expect(rows.map((row) => row?.["pid"])).not.toContain(pid);
  });

  test.each([
    ["reads", (db: Database) => db.reader.first("SELECT pg_sleep(0.001), n FROM notes WHERE id = $1", [1])],
    [
      "writes of one statement",
      (db: Database) =>
        db.writeOne((connection) =>
          connection.first("UPDATE notes SET n = n WHERE id = $1 RETURNING pg_sleep(0.001)", [1]),
        ),
    ],
  ])("%s that never stop keep nobody from a connection alone", async (_, ask) => {
    const db = database({ poolMax: 1 });
    let isOver = false;
    let answers = 0;
    const traffic = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await ask(db);
        answers += 1;
      }
    });
    await eventually(() => expect(answers).toBeGreaterThan(100));
    for (let n = 0; n < 20; n += 1) {
      await db.write((connection) => increment(connection, 2));
      await db.writeOne((connection) => increment(connection, 2));
    }
    isOver = true;
    await Promise.all(traffic);
    expect(db.connections()).toEqual({ max: 1, busy: 0, idle: 1, waiting: 0 });
  });

  test("at most 16 reads share a connection; those beyond take another, and wait where there is none", async () => {
    const db = database({ poolMax: 2, acquireTimeoutMs: 5_000 });
    await db.ping();
    let answers = 0;
    const reads = Array.from({ length: 36 }, async () => {
      const row = await db.reader.first("SELECT pg_sleep(0.02), pg_backend_pid() AS pid");
      answers += 1;
      return row?.["pid"];
    });
    await eventually(() =>
      expect({ ...db.connections(), isEarly: answers < 16 }).toEqual({
        max: 2,
        busy: 2,
        idle: 0,
        waiting: 4,
        isEarly: true,
      }),
    );
    expect(new Set(await Promise.all(reads)).size).toBe(2);
  });

  test("a write of one statement is all that is sent", async () => {
    const sent: string[] = [];
    const db = database({ onStatement: (sql) => void sent.push(sql) });
    await db.writeOne((connection) => increment(connection, 1));
    expect(sent).toEqual([INCREMENT]);
  });

  test("writes of one statement that meet share a transaction; fewer than four go each by itself", async () => {
    const db = database();
    const transactions = async (ids: readonly number[]) => {
      const rows = await Promise.all(
        ids.map((id) =>
          db.writeOne((connection) =>
            connection.first("INSERT INTO notes (id) VALUES ($1) RETURNING pg_current_xact_id() AS tx", [id]),
          ),
        ),
      );
      return new Set(rows.map((row) => row?.["tx"])).size;
    };
    expect(await transactions([80, 81, 82])).toBe(3);
    expect(await transactions([83, 84, 85, 86])).toBe(1);
  });

  describe("of writes of one statement that share a transaction", () => {
    const insert = (id: number) => (connection: WriteConnection) =>
      connection.first(
        "INSERT INTO notes (id) VALUES ($1) RETURNING id, pg_sleep(0.01), pg_backend_pid() AS pid",
        [id],
      );
    const kept = async (db: Database, from: number, to: number) => {
      const rows = await db.reader.all("SELECT id FROM notes WHERE id BETWEEN $1 AND $2 ORDER BY id", [
        from,
        to,
      ]);
      return rows.map((row) => integer(row, "id"));
    };

    test("one that fails takes none with it: each is done anew, evenly over two thirds of the connections", async () => {
      const db = database({ poolMax: 6 });
      await Promise.all(Array.from({ length: 6 }, () => db.reader.all("SELECT pg_sleep(0.02)")));
      const ids = [101, 102, 103, 104, 105, 106, 107, 108];
      const taken = failureOf(
        db.writeOne((connection) => connection.run("INSERT INTO notes (id) VALUES (1)")),
      );
      const rows = await Promise.all(ids.map((id) => db.writeOne(insert(id))));
      expect(await taken).toBeInstanceOf(UniqueViolation);
      expect(rows.map((row) => integer(row ?? {}, "id"))).toEqual(ids);
      expect(await kept(db, 101, 108)).toEqual(ids);
      const shares = Object.values(Object.groupBy(rows, (row) => String(row?.["pid"])));
      expect(shares.map((share) => share?.length).toSorted()).toEqual([2, 2, 2, 2]);
    });

    test("one whose work fails after its statement takes none with it, and is kept as it is alone", async () => {
      const db = database();
      const failing = failureOf(
        db.writeOne(async (connection) => {
          await insert(111)(connection);
          throw new Error("no");
        }),
      );
      await Promise.all([112, 113, 114].map((id) => db.writeOne(insert(id))));
      expect(await failing).toMatchObject({ message: "no" });
      expect(await kept(db, 111, 114)).toEqual([111, 112, 113, 114]);
    });

    test("one that waits for a lock keeps the others waiting no longer than a moment", async () => {
      const db = database({ poolMax: 12, statementTimeoutMs: 5_000 });
      const done: number[] = [];
      let writes: Promise<unknown> = Promise.resolve();
      await failureOf(
        db.write(async (connection) => {
          await insert(121)(connection);
          writes = Promise.all(
            [121, 122, 123, 124, 125].map(async (id) => {
              await db.writeOne(insert(id));
              done.push(id);
            }),
          );
          await eventually(() => expect(done.toSorted()).toEqual([122, 123, 124, 125]));
          throw new Error("no");
        }),
      );
      await writes;
      expect(done.at(-1)).toBe(121);
      expect(await kept(db, 121, 125)).toEqual([121, 122, 123, 124, 125]);
    });

    test("S32 a connection that breaks before the commit costs none of them anything", async () => {
      const db = database({ poolMax: 12 });
      const end = "UPDATE notes SET n = n WHERE id = 1 AND pg_terminate_backend(pg_backend_pid())";
      const before = await total(db);
      const broken = failureOf(db.writeOne((connection) => connection.run(end)));
      await Promise.all([1, 2, 3, 4, 5].map(() => db.writeOne((connection) => increment(connection, 2))));
      expect(await broken).toMatchObject(UNAVAILABLE);
      expect(await total(db)).toBe(before + 5);
    });

    test("S32 where the commit was not answered none is done anew: all may have been kept", async () => {
      const db = database();
      let runs = 0;
      await db.writeAlone((connection) =>
        connection.script(`
          CREATE TABLE fragile (id BIGINT);
          CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
          CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON fragile
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break_off()`),
      );
      const writes = Array.from({ length: 5 }, () =>
        failureOf(
          db.writeOne((connection) => {
            runs += 1;
            return connection.run("INSERT INTO fragile (id) VALUES (1)");
          }),
        ),
      );
      for (const failure of await Promise.all(writes)) expect(failure).toMatchObject(UNAVAILABLE);
      expect(runs).toBe(5);
    });

    test("those that wait as the database is closed end, and are kept where they say so", async () => {
      const db = database();
      await db.ping();
      const writes = [131, 132, 133, 134, 135].map((id) => db.writeOne(insert(id)).then(() => id));
      const [ended] = await Promise.all([Promise.allSettled(writes), db.close()]);
      const said = ended.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
      for (const end of ended) if (end.status === "rejected") expect(end.reason).toMatchObject(UNAVAILABLE);
      expect(await kept(database(), 131, 135)).toEqual(said);
      expect(await failureOf(db.writeOne(insert(136)))).toMatchObject(UNAVAILABLE);
    });
  });

  test("a write of one statement never becomes a part of somebody else's", async () => {
    const db = database({ poolMax: 1 });
    const one = () => db.writeOne((connection) => increment(connection, 2));
    await one();
    const before = await total(db);
    let beside = Promise.resolve(0);
    const undone = db.write(async (connection) => {
      beside = one();
      await increment(connection, 1);
      throw new Error("no");
    });
    expect(await failureOf(undone)).toMatchObject({ message: "no" });
    expect(await beside).toBe(1);
    expect(await total(db)).toBe(before + 1);
  });

  test("traffic leaves as many connections as there may be, and nobody waiting", async () => {
    const db = database({ poolMax: 2, acquireTimeoutMs: 5_000 });
    const clients = Array.from({ length: 8 }, async (_, index) => {
      for (let n = 0; n < 20; n += 1) await (index % 2 === 0 ? db.reader.all("SELECT 1") : attemptOf(db, n));
    });
    await Promise.all(clients);
    expect(db.connections()).toEqual({ max: 2, busy: 0, idle: 2, waiting: 0 });
  });

  test("a request's wait for its turn and for a new connection is one", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const url = `postgres://postgres@127.0.0.1:${silent.port}/postgres`;
    const db = database({ url, poolMax: 1, acquireTimeoutMs: 600 });
    const first = failureOf(db.ping());
    await Bun.sleep(300);
    const startedAt = performance.now();
    expect(await failureOf(db.ping())).toMatchObject(UNAVAILABLE);
    expect(performance.now() - startedAt).toBeWithin(550, 880);
    expect(await first).toMatchObject(UNAVAILABLE);
    silent.stop(true);
  });

  test("connections that nobody needs are closed, but for as many as are to be kept", async () => {
    const db = database({ poolMin: 1, pace: { idleMs: 300, sweepMs: 20 } });
    await Promise.all([1, 2, 3].map(() => db.reader.all("SELECT pg_sleep(0.05)")));
    expect(db.connections().idle).toBe(3);
    await eventually(() => expect(db.connections().idle).toBe(1));
    await db.ping();
  });

  test("a connection that is needed now and then stays, however old it is", async () => {
    const db = database({ pace: { idleMs: 1_000, sweepMs: 20 } });
    const pid = await backend(db);
    for (let n = 0; n < 12; n += 1) {
      await Bun.sleep(100);
      expect(await backend(db)).toBe(pid);
    }
  });

  test("the end leaves no connection behind, also of what was under way", async () => {
    const other = database();
    const db = database();
    const begun = Promise.withResolvers<void>();
    const last = db.write(async (connection) => {
      begun.resolve();
      return increment(connection, 1);
    });
    await begun.promise;
    await db.close();
    expect(await last).toBe(1);
    await eventually(async () => expect(await sessions(other)).toBe(1));
  });

  test("the end waits for no work that takes too long", async () => {
    const db = database({ statementTimeoutMs: 5_000, pace: { closeWaitMs: 50 } });
    await db.ping();
    const slow = failureOf(db.reader.all("SELECT pg_sleep(1)"));
    await db.close();
    expect(await slow).toMatchObject(UNAVAILABLE);
  });

  test("more writes of one statement than connections share them, and one that waits for a lock ends in time", async () => {
    const db = database({ poolMax: 2 });
    const before = await total(db);
    await Promise.all(
      Array.from({ length: 40 }, () => db.writeOne((connection) => increment(connection, 1))),
    );
    expect(await total(db)).toBe(before + 40);

    const holder = database({ statementTimeoutMs: 5_000 });
    const startedAt = performance.now();
    const failures = await holder.write(async (connection) => {
      await increment(connection, 2);
      return Promise.all([1, 2, 3].map(() => failureOf(db.writeOne((other) => increment(other, 2)))));
    });
    for (const failure of failures) expect(failure).toMatchObject(UNAVAILABLE);
    expect(performance.now() - startedAt).toBeLessThan(5 * STATEMENT_MS);
  });

  test("S31 a commit waits for the disk, unless its write said that it need not", async () => {
    const mode = async (connection: Connection) => {
      const row = await connection.first("SELECT current_setting('synchronous_commit') AS mode");
      return row?.["mode"];
    };
    for (const prepare of [true, false]) {
      const db = database({ poolMax: 1, prepare });
      expect(await db.writeUnsynced(mode)).toBe("off");
      expect(await db.write(mode)).toBe("on");
      expect(await db.writeOne(mode)).toBe("on");
    }
  });

  test("S32 a write of one statement whose connection breaks is not run again: it may have been kept", async () => {
    const db = database({ poolMax: 1, statementTimeoutMs: 2_000 });
    const pid = await backend(db);
    const write = failureOf(
      db.writeOne((connection) =>
        connection.run("UPDATE notes SET n = n + 1 WHERE id = 1 AND pg_sleep(0.3) IS NOT NULL"),
      ),
    );
    const before = await total(database());
    await database().reader.all("SELECT pg_terminate_backend($1::int)", [pid]);
    expect(await write).toMatchObject(UNAVAILABLE);
    expect(await total(db)).toBe(before);
  });

  test("plans from before the schema changed are made anew for all who share a connection", async () => {
    const db = database({ poolMax: 1 });
    const read = () => db.reader.first("SELECT * FROM notes WHERE id = $1", [1]);
    await read();
    const other = database();
    await other.writeAlone((connection) => connection.script("ALTER TABLE notes ADD COLUMN extra TEXT"));
    for (const row of await Promise.all([read(), read(), read(), read()]))
      expect(row).toHaveProperty("extra");
    await other.writeAlone((connection) => connection.script("ALTER TABLE notes DROP COLUMN extra"));
    for (const row of await Promise.all([read(), read(), read()])) expect(row).not.toHaveProperty("extra");
  });

  test("without prepared statements (PgBouncer) everything is the same", async () => {
    const db = database({ prepare: false });
    const insert = () =>
      db.write((connection) => connection.run("INSERT INTO notes (id, name) VALUES (70, $1)", ["x"]));
    expect(await insert()).toBe(1);
    expect(await failureOf(insert())).toBeInstanceOf(UniqueViolation);
    expect(await failureOf(db.reader.all("SELECT pg_sleep(3)"))).toMatchObject(UNAVAILABLE);
    expect(await failureOf(db.write((connection) => connection.all("SELECT pg_sleep(3)")))).toMatchObject({
      ...UNAVAILABLE,
      cause: { sqlState: "57014" },
    });
    expect(await db.reader.all("SELECT name FROM notes WHERE id = $1", [70])).toEqual([{ name: "x" }]);
    expect(await db.writeOne((connection) => increment(connection, 70))).toBe(1);
    expect(await failureOf(db.reader.run("DELETE FROM notes WHERE id = 70"))).toBeInstanceOf(Error);
    expect(await db.reader.first("SELECT n FROM notes WHERE id = 70")).toEqual({ n: "1" });
  });
}

/** One after the other of all the ways to ask. */
function attemptOf(db: Database, index: number): Promise<unknown> {
  switch (index % 4) {
    case 0:
      return db.ping();
    case 1:
      return db.write((connection) => increment(connection, 1));
    case 2:
      return db.reader.first("SELECT n FROM notes WHERE id = $1", [1]);
    default:
      return db.writeOne((connection) => increment(connection, 1));
  }
}

const INCREMENT = "UPDATE notes SET n = n + 1 WHERE id = $1";

function increment(connection: Connection, id: number): Promise<number> {
  return connection.run(INCREMENT, [id]);
}

async function total(db: Database): Promise<number> {
  const row = await db.reader.first("SELECT SUM(n)::bigint AS n FROM notes");
  return row === null ? 0 : integer(row, "n");
}

async function backend(db: Database): Promise<number> {
  const row = await db.reader.first("SELECT pg_backend_pid() AS pid");
  return row === null ? 0 : integer(row, "pid");
}

async function sessions(db: Database): Promise<number> {
  const row = await db.reader.first(
    "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'",
  );
  return row === null ? 0 : integer(row, "n");
}
