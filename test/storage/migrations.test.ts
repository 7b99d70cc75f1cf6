import { beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { migrationFiles } from "../../migrations/index.ts";
import { migrationIndex } from "../../src/cli/migrate.ts";
import type { Database } from "../../src/storage/database.ts";
import {
  type Migration,
  type MigrationFiles,
  migrateDown,
  MigrationRefused,
  migrateUp,
  migrationStatus,
  parseMigrations,
} from "../../src/storage/migrations.ts";
import { text } from "../../src/storage/rows.ts";
import { failureOf } from "../support/failure.ts";
import { empty, forEachEngine } from "./engines.ts";

const FOLDER = join(import.meta.dir, "../../migrations");
const clock = { nowMs: () => 1_700_000_000_000 };

const SMALL: MigrationFiles = {
  "0001_first.up.sql": "CREATE TABLE firsts (id @id, at_ms BIGINT NOT NULL);\n",
  "0001_first.down.sql": "DROP TABLE firsts;\n",
  "0002_second.up.sql": "ALTER TABLE firsts ADD COLUMN name TEXT;\n",
  "0002_second.down.sql": "ALTER TABLE firsts DROP COLUMN name;\n",
};
const small = parseMigrations(SMALL);

forEachEngine("migrations", (engine, open) => {
  let database: Database;

  beforeEach(async () => {
    database ??= open();
    await empty(database);
  });

  test("all go up, down and up again, to the same schema", async () => {
    const migrations = parseMigrations(migrationFiles);
    const before = await schema(database);
    expect(versions(await migrateUp(database, migrations, clock))).toEqual(versions(migrations));
    const once = await schema(database);
    const revoked = await migrateDown(database, migrations, { steps: migrations.length + 1 });
    expect(versions(revoked)).toEqual(versions(migrations).toReversed());
    await database.writeAlone((connection) => connection.script("DROP TABLE schema_migrations"));
    expect(await schema(database)).toEqual(before);
    await migrateUp(database, migrations, clock);
    expect(await schema(database)).toEqual(once);
    expect(once.length).toBeGreaterThan(20);
  });

  test("each one goes down to exactly what was before it", async () => {
    const migrations = parseMigrations(migrationFiles);
    await migrateUp(database, migrations, clock, { steps: 1 });
    for (const _ of migrations.slice(1)) {
      const before = await schema(database);
      await migrateUp(database, migrations, clock, { steps: 1 });
      expect(await schema(database)).not.toEqual(before);
      await migrateDown(database, migrations, { steps: 1 });
      expect(await schema(database)).toEqual(before);
      await migrateUp(database, migrations, clock, { steps: 1 });
    }
  });

  test("the status tells what is applied and when, and writes nothing", async () => {
    const before = await schema(database);
    expect((await migrationStatus(database, small)).map(({ appliedAtMs }) => appliedAtMs)).toEqual([
      null,
      null,
    ]);
    expect(await schema(database)).toEqual(before);
    await migrateUp(database, small, clock, { steps: 1 });
    expect(await migrationStatus(database, small)).toEqual([
      { version: 1, name: "first", appliedAtMs: clock.nowMs() },
      { version: 2, name: "second", appliedAtMs: null },
    ]);
  });

  test("one that fails leaves nothing of itself, and those before it stand", async () => {
    const broken = parseMigrations({
      ...SMALL,
      "0002_second.up.sql": "CREATE TABLE seconds (id @id); SELECT nonsense;",
    });
    expect(await failureOf(migrateUp(database, broken, clock))).toBeInstanceOf(Error);
    const states = await migrationStatus(database, broken);
    expect(states.map(({ appliedAtMs }) => appliedAtMs === null)).toEqual([false, true]);
    expect(JSON.stringify(await schema(database))).not.toContain("seconds");
  });

  test("one that the database refuses is refused by name, whichever way it goes", async () => {
    await migrateUp(database, small, clock, { steps: 1 });
    await database.writeAlone((connection) => connection.script("ALTER TABLE firsts ADD COLUMN name TEXT"));
    expect(await refusal(() => migrateUp(database, small, clock))).toMatch(
      /^migration 0002_second cannot be applied, and nothing of it was: .*name/,
    );
    await database.writeAlone((connection) => connection.script("DROP TABLE firsts"));
    expect(await refusal(() => migrateDown(database, small, { steps: 1 }))).toMatch(
      /^migration 0001_first cannot be taken back, and nothing of it was: .*firsts/,
    );
  });

  test("rows that a new constraint does not allow refuse it by name", async () => {
    const unique = parseMigrations({
      ...SMALL,
      "0002_second.up.sql": "CREATE UNIQUE INDEX by_time ON firsts (at_ms);",
      "0002_second.down.sql": "DROP INDEX by_time;",
    });
    await migrateUp(database, unique, clock, { steps: 1 });
    await database.write((connection) => connection.run("INSERT INTO firsts (at_ms) VALUES (1), (1)"));
    expect(await refusal(() => migrateUp(database, unique, clock))).toMatch(
      /^migration 0002_second cannot be applied, and nothing of it was: unique constraint on /,
    );
  });

  test("an edited one is refused by name, but not for its line endings", async () => {
    await migrateUp(database, small, clock);
    const sameText = Object.fromEntries(
      Object.entries(SMALL).map(([file, sql]) => [file, sql.replaceAll("\n", "  \r\n")]),
    );
    expect(await migrateUp(database, parseMigrations(sameText), clock)).toEqual([]);
    for (const file of ["0001_first.up.sql", "0001_first.down.sql"]) {
      const edited = parseMigrations({ ...SMALL, [file]: `${SMALL[file]} SELECT 1;` });
      for (const attempt of [
        () => migrateUp(database, edited, clock),
        () => migrationStatus(database, edited),
      ]) {
        expect(await refusal(attempt)).toStartWith("migration 0001_first was edited after it was applied");
      }
    }
  });

  test("S37 a schema newer than the program is refused", async () => {
    await migrateUp(database, small, clock);
    const older = small.slice(0, 1);
    const tasks = [() => migrateUp(database, older, clock), () => migrateDown(database, older, { steps: 1 })];
    for (const attempt of [...tasks, () => migrationStatus(database, older)]) {
      expect(await refusal(attempt)).toBe(
        "the database's schema is newer than this program: it has 0002_second, this program knows 0001; " +
          "use a newer version of latchkey",
      );
    }
    expect(versions(await migrateUp(database, small, clock))).toEqual([]);
  });

  test("a gap in what was applied is refused", async () => {
    await migrateUp(database, small, clock);
    await database.writeAlone((connection) =>
      connection.run("DELETE FROM schema_migrations WHERE version = 1"),
    );
    expect(await refusal(() => migrateUp(database, small, clock))).toBe(
      "migration 0001 is missing from the database, which has 0002_second",
    );
  });

  test("S37 two instances starting together migrate once", async () => {
    const migrations = parseMigrations(migrationFiles);
    const instances = [database, open(), open()];
    const applied = await Promise.all(instances.map((instance) => migrateUp(instance, migrations, clock)));
    expect(applied.flat().toSorted((a, b) => a.version - b.version)).toEqual([...migrations]);
  });

  test("one engine's twin stands in for the common text", async () => {
    const twins = parseMigrations({
      ...SMALL,
      [`0001_first.up.${engine}.sql`]: "CREATE TABLE twins (id @id, firsts TEXT);",
    });
    await migrateUp(database, twins, clock, { steps: 1 });
    expect(await database.reader.all("SELECT id FROM twins")).toEqual([]);
  });

  test("a table's own key numbers itself, and never gives a number twice", async () => {
    await migrateUp(database, small, clock);
    const insert = () =>
      database.write((connection) => connection.first("INSERT INTO firsts (at_ms) VALUES (1) RETURNING id"));
    const first = await insert();
    await database.write((connection) => connection.run("DELETE FROM firsts"));
    expect([Number(first?.["id"]), Number((await insert())?.["id"])]).toEqual([1, 2]);
  });
});

test("a set of files that makes no sense is refused", () => {
  const sets: readonly (readonly [MigrationFiles, string])[] = [
    [{ "1_first.up.sql": "" }, "1_first.up.sql is no name of a migration"],
    [{ "0001_first.up.sql": "" }, "0001_first.down.sql is missing"],
    [{ ...SMALL, "0002_other.up.sql": "" }, "migration 0002_second shares its number with other"],
    [
      { "0002_b.up.sql": "", "0002_b.down.sql": "" },
      "migration 0001 is missing from the program: the next is 0002",
    ],
  ];
  for (const [files, message] of sets)
    expect(() => parseMigrations(files)).toThrow(new MigrationRefused(message));
});

test("the index carries every file of the folder, as it stands", async () => {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".sql"));
  expect(await Bun.file(join(FOLDER, "index.ts")).text()).toBe(migrationIndex(files));
  expect(Object.keys(migrationFiles).toSorted()).toEqual(files.toSorted());
  for (const file of files) expect(migrationFiles[file]).toBe(await Bun.file(join(FOLDER, file)).text());
});

function versions(migrations: readonly Migration[]): readonly number[] {
  return migrations.map(({ version }) => version);
}

async function refusal(attempt: () => Promise<unknown>): Promise<string> {
  const failure = await failureOf(attempt());
  if (failure instanceof MigrationRefused) return failure.message;
  throw failure;
}

/** One line for each column, index, constraint, trigger and function. */
async function schema({ engine, reader }: Database): Promise<readonly string[]> {
  const sql =
    engine === "sqlite"
      ? `SELECT m.type || ' ' || m.name || ' ' || COALESCE(m.sql, '') AS line FROM sqlite_schema m WHERE m.name NOT LIKE 'sqlite%'
         UNION ALL SELECT m.name || '.' || c.name || ' ' || c.type || c."notnull" || COALESCE(c.dflt_value, '')
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1`
      : `SELECT table_name || '.' || column_name || ' ' || data_type || is_nullable || COALESCE(column_default, '') AS line
           FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
           WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
         UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
           AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql') ORDER BY 1`;
  return (await reader.all(sql)).map((row) => text(row, "line"));
}
