import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Source, SourceRow } from "../../src/core/import/source.ts";
import { SourceRefused } from "../../src/core/import/source.ts";
import { openSource } from "../../src/storage/source.ts";
import type { SourceAddress } from "../../src/storage/source.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failure.ts";
import { temporarySource } from "../support/import.ts";
import type { TestSource } from "../support/import.ts";
import { hasPostgres } from "../support/postgres.ts";
import { scratchFolder } from "../support/process.ts";

const ENGINES: readonly SourceAddress["engine"][] = (await hasPostgres())
  ? ["sqlite", "postgres"]
  : ["sqlite"];

async function reading<T>(
  { address }: Pick<TestSource, "address">,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const source = await openSource(address);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

async function allRows(source: Source, table: string, columns: readonly string[], order: readonly string[]) {
  const rows: SourceRow[] = [];
  for await (const some of source.rows(table, columns, order)) rows.push(...some);
  return rows;
}

describe.each(ENGINES)("a source on %s", (engine) => {
  const source = temporarySource(
    engine,
    `CREATE TABLE users (id BIGINT, name VARCHAR, code VARCHAR);
     INSERT INTO users VALUES (10, 'ten', 'x'), (9, 'nine', '1'), (NULL, 'none', '2'), (9007199254740993, 'far', '3');
     CREATE TABLE "a ""b"" C" ("select" INTEGER, "x""y" VARCHAR);
     INSERT INTO "a ""b"" C" VALUES (7, 'odd');
     CREATE TABLE empty (id INTEGER PRIMARY KEY);
     CREATE TABLE small (id INTEGER PRIMARY KEY);
     INSERT INTO small VALUES (3), (41), (5);
     CREATE TABLE many (id INTEGER, place INTEGER);
     INSERT INTO many WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2999)
       SELECT i, (i * 7) % 3000 FROM n;
     CREATE VIEW a_view AS SELECT * FROM users;`,
  );

  test("has its tables and their columns, by name, and no views", async () => {
    expect(await reading(source, (each) => each.tables())).toEqual([
      { name: 'a "b" C', columns: ["select", 'x"y'] },
      { name: "empty", columns: ["id"] },
      { name: "many", columns: ["id", "place"] },
      { name: "small", columns: ["id"] },
      { name: "users", columns: ["id", "name", "code"] },
    ]);
  });

  test("is read whatever a table and its columns are called", async () => {
    await reading(source, async (each) => {
      expect(await each.count('a "b" C')).toBe(1);
      expect(await each.highest('a "b" C', "select")).toBe(7);
      expect(await allRows(each, 'a "b" C', ["select", 'x"y'], ['x"y'])).toEqual([
        { select: "7", 'x"y': "odd" },
      ]);
    });
  });

  test("has its rows in the order of numbers as numbers, without one first", async () => {
    const rows = await reading(source, (each) => allRows(each, "users", ["name", "id"], ["id"]));
    expect(rows.map(({ name }) => name)).toEqual(["none", "nine", "ten", "far"]);
    expect(rows.at(0)).toEqual({ name: "none", id: null });
  });

  test("has all of its rows in order, some at a time", async () => {
    await reading(source, async (each) => {
      const places: number[] = [];
      for await (const rows of each.rows("many", ["id", "place"], ["place"])) {
        expect(rows.length).toBeLessThanOrEqual(1_000);
        places.push(...rows.map(({ place }) => Number(place)));
      }
      expect(places).toEqual(Array.from({ length: 3_000 }, (_, place) => place));
    });
  });

  test("tells the highest of whole numbers alone, and no number that cannot be counted up to", async () => {
    await reading(source, async (each) => {
      expect(await each.highest("small", "id")).toBe(41);
      expect(await each.highest("empty", "id")).toBeNull();
      expect(await each.highest("users", "code")).toBeNull();
      expect(await each.highest("many", "place")).toBe(2_999);
    });
  });

  test("fails in words for the operator where a table is gone", async () => {
    const failure = await failureOf(reading(source, (each) => each.count("gone")));
    expect(failure).toBeInstanceOf(SourceRefused);
    expect(String(failure)).toContain("it cannot be read: ");
  });
});

describe("a source on SQLite alone", () => {
  const folder = scratchFolder();
  const source = temporarySource(
    "sqlite",
    `CREATE TABLE users (id, made);
     INSERT INTO users VALUES (x'C0FFEE', TRUE), (x'C0FFEF', 1.5);
     CREATE TABLE numbered (id INTEGER PRIMARY KEY AUTOINCREMENT);
     INSERT INTO numbered VALUES (9007199254740993);
     CREATE TABLE mixed (id);
     INSERT INTO mixed VALUES (1), ('2');`,
  );

  test("has bytes as their digits, and no table that the engine keeps for itself", async () => {
    await reading(source, async (each) => {
      expect(await allRows(each, "users", ["id", "made"], ["id"])).toEqual([
        { id: "c0ffee", made: "1" },
        { id: "c0ffef", made: "1.5" },
      ]);
      expect((await each.tables()).map(({ name }) => name)).toEqual(["mixed", "numbered", "users"]);
    });
  });

  test("has no highest id where one is no whole number, and the highest that can be told", async () => {
    await reading(source, async (each) => {
      expect(await each.highest("mixed", "id")).toBeNull();
      expect(await each.highest("numbered", "id")).toBe(Number.MAX_SAFE_INTEGER);
    });
  });

  test("is not changed in a single byte, even where its log was left behind", async () => {
    const [served, left] = [join(folder, "served.db"), join(folder, "left.db")];
    using database = new Database(served);
    database.run("PRAGMA journal_mode = WAL");
    database.run("CREATE TABLE users (id INTEGER)");
    database.run("INSERT INTO users VALUES (1)");
    for (const file of ["", "-wal"]) copyFileSync(`${served}${file}`, `${left}${file}`);
    const before = ["", "-wal"].map((file) => readFileSync(`${left}${file}`));
    const address = { engine: "sqlite", path: left } as const;
    expect(await reading({ address }, (each) => each.count("users"))).toBe(1);
    expect(["", "-wal"].map((file) => readFileSync(`${left}${file}`))).toEqual(before);
  });
});

describe.if(ENGINES.includes("postgres"))("a source on PostgreSQL alone", () => {
  const source = temporarySource(
    "postgres",
    `CREATE SCHEMA other;
     CREATE TABLE other.secrets (id INTEGER);
     CREATE TABLE users (id UUID, made TIMESTAMPTZ, born DATE, gone INTEGER, far BIGINT, near SMALLINT, paid NUMERIC);
     ALTER TABLE users DROP COLUMN gone;
     INSERT INTO users VALUES ('51964d99-bc18-4978-b958-2542fe462e70', '2026-01-04 10:00:00+00', '2026-12-31',
       9007199254740993, 7, 7);
     CREATE TABLE parted (id INTEGER) PARTITION BY RANGE (id);
     CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10);
     INSERT INTO parted VALUES (5);
     DO $$ BEGIN
       EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''', current_database());
       EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German''', current_database());
     END $$;`,
  );

  test("has the tables of its own schema, partitions as the one that they are of", async () => {
    expect(await reading(source, (each) => each.tables())).toEqual([
      { name: "parted", columns: ["id"] },
      { name: "users", columns: ["id", "made", "born", "far", "near", "paid"] },
    ]);
    expect(await reading(source, (each) => each.count("parted"))).toBe(1);
  });

  test("has times in UTC, however the database shows them to others", async () => {
    expect(await reading(source, (each) => allRows(each, "users", ["made", "born"], ["id"]))).toEqual([
      { made: "2026-01-04 10:00:00+00", born: "2026-12-31" },
    ]);
  });

  test("has highest ids by the type of the column", async () => {
    await reading(source, async (each) => {
      expect(await each.highest("users", "id")).toBeNull();
      expect(await each.highest("users", "paid")).toBeNull();
      expect(await each.highest("users", "near")).toBe(7);
      expect(await each.highest("users", "far")).toBe(Number.MAX_SAFE_INTEGER);
    });
  });

  test("is of one moment, whatever the old backend writes meanwhile, and is let go of at the end", async () => {
    await reading(source, async (each) => {
      expect(await each.count("parted")).toBe(1);
      await source.run("INSERT INTO parted VALUES (6)");
      expect(await each.count("parted")).toBe(1);
    });
    // Locks out whoever still reads.
    await eventually(() => source.run("SET lock_timeout = 100; LOCK TABLE parted IN ACCESS EXCLUSIVE MODE"));
  });
});
