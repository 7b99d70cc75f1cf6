import { afterAll, beforeEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrationFiles } from "../../migrations/index.ts";
import { type MigrateDependencies, migrationIndex, runMigrate } from "../../src/cli/migrate.ts";
import { Fault } from "../../src/core/fault.ts";
import { parseMigrations } from "../../src/storage/migrations.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";

const home = mkdtempSync(join(tmpdir(), "latchkey-test-"));
const folder = join(home, "migrations");
const path = join(home, "app.db");
let printed: string[] = [];
let complained: string[] = [];

const dependencies: MigrateDependencies = {
  isThere: () => existsSync(path),
  openDatabase: () => openSqlite({ path }),
  migrations: parseMigrations(migrationFiles),
  clock: { nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5) },
  folder,
  terminal: { out: (line) => printed.push(line), err: (line) => complained.push(line) },
};

async function migrate(...args: readonly string[]): Promise<{ code: number; out: string[]; err: string[] }> {
  printed = [];
  complained = [];
  return { code: await runMigrate(args, dependencies), out: printed, err: complained };
}

beforeEach(() => {
  for (const file of readdirSync(home)) if (file.startsWith("app.db")) rmSync(join(home, file));
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

test("up, status and down say what they did", async () => {
  const names = ["0001_users", "0002_sessions", "0003_todos", "0004_login_attempts"];
  const applied = await migrate("up");
  expect(applied.code).toBe(0);
  expect(applied.out.slice(0, 4)).toEqual(names.map((name) => `applied ${name}`));
  expect(await migrate("up")).toEqual({ code: 0, out: ["nothing to apply"], err: [] });

  const all = applied.out.length;
  expect((await migrate("down")).out).toEqual([applied.out[all - 1]?.replace("applied", "took back") ?? ""]);
  expect((await migrate("down", String(all - 2))).out).toHaveLength(all - 2);
  const { out } = await migrate("status");
  expect(out.slice(0, 2)).toEqual([
    "2026-01-02T03:04:05.000Z  0001_users",
    "pending                   0002_sessions",
  ]);
  expect((await migrate("down", "99")).out).toEqual(["took back 0001_users"]);
  expect(await migrate("down")).toEqual({ code: 0, out: ["nothing to take back"], err: [] });
});

test("status of a database that is not there makes none", async () => {
  const { code, out } = await migrate("status");
  expect(code).toBe(0);
  expect(out.map((line) => line.slice(0, 12))).toEqual(dependencies.migrations.map(() => "pending     "));
  expect(existsSync(path)).toBe(false);
});

test("a misfit is one line and exit code 1", async () => {
  await migrate("up");
  const database = openSqlite({ path });
  await database.write((connection) =>
    connection.run("UPDATE schema_migrations SET checksum = 'x' WHERE version = 2"),
  );
  await database.close();
  const refused = await migrate("up");
  expect(refused).toMatchObject({ code: 1, out: [] });
  expect(refused.err).toEqual([expect.stringContaining("0002_sessions was edited")]);
});

test("a database that does not answer is one line and exit code 69", async () => {
  const database = openSqlite({ path });
  const absent = {
    ...database,
    engine: database.engine,
    writeAlone: () => Promise.reject(Fault.of({ kind: "unavailable" })),
    reader: database.reader,
    write: () => Promise.reject(Fault.of({ kind: "unavailable" })),
    ping: () => database.ping(),
    close: () => database.close(),
  };
  complained = [];
  expect(await runMigrate(["up"], { ...dependencies, openDatabase: () => absent })).toBe(69);
  expect(complained).toEqual([expect.stringContaining("the database cannot be reached")]);
});

test("new makes the next pair and the index", async () => {
  cpSync(join(import.meta.dir, "../../migrations"), folder, { recursive: true });
  const next = String(dependencies.migrations.length + 1).padStart(4, "0");
  const made = await migrate("new", "add_locale");
  expect(made.code).toBe(0);
  expect(made.out).toEqual(
    [`${next}_add_locale.up.sql`, `${next}_add_locale.down.sql`, "index.ts"].map((file) =>
      join(folder, file),
    ),
  );
  const index = readFileSync(join(folder, "index.ts"), "utf8");
  expect(index).toBe(migrationIndex(readdirSync(folder)));
  expect(index).toContain(`./${next}_add_locale.up.sql`);

  const carried: { migrationFiles: Record<string, string> } = await import(join(folder, "index.ts"));
  expect(parseMigrations(carried.migrationFiles).at(-1)).toMatchObject({ name: "add_locale" });
  rmSync(folder, { recursive: true });
});

test("the index has the files in their order, however the folder lists them, and no others", () => {
  const index = migrationIndex(["0002_b.up.sql", "README.md", "0001_a.up.sql"]);
  expect([...index.matchAll(/"\.\/(.*?)"/g)].map(([, file]) => file)).toEqual([
    "0001_a.up.sql",
    "0002_b.up.sql",
  ]);
});

test("new refuses bad names, and a folder that is no checkout's", async () => {
  for (const name of ["", "Add", "a-b", "../x", "1st", "x".repeat(61)]) {
    expect(await migrate("new", name)).toMatchObject({ code: 64, out: [] });
  }
  expect(await migrate("new", "fine")).toMatchObject({
    code: 1,
    err: [expect.stringContaining("is not here")],
  });
});

test("new says where it cannot write", async () => {
  mkdirSync(join(folder, "index.ts"), { recursive: true });
  expect(await migrate("new", "fine")).toMatchObject({
    code: 74,
    err: [`cannot write into ${folder} (EISDIR)`],
  });
  rmSync(folder, { recursive: true });
});

test("what it does not take is said, and opens no database", async () => {
  for (const args of [
    [],
    ["sideways"],
    ["up", "2"],
    ["status", "all"],
    ["down", "0"],
    ["down", "x"],
    ["down", "1", "2"],
  ]) {
    expect(await migrate(...args)).toMatchObject({
      code: 64,
      out: [],
      err: [expect.stringMatching(/^latchkey migrate: /), expect.stringMatching(/^usage: /)],
    });
  }
  expect(readdirSync(home).filter((file) => file.startsWith("app.db"))).toEqual([]);
});
