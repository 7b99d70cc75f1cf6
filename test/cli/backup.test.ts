import { beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { BackupRefused, restoreSqlite } from "../../src/storage/sqlite-backup.ts";
import { hasPostgresTools } from "../support/needed.ts";
import { latchkey, scratchFolder } from "../support/process.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";

const SETTINGS = { DATABASE_URL: "sqlite:///app.db" };
const readOnly = await mountSmallDisk("64k", "a file system that can only be read", "ro");
const isPostgresThere = await hasPostgres();
const folder = scratchFolder();
const run = (...args: readonly string[]) => latchkey(args, { cwd: folder, settings: SETTINGS });
const path = (file: string) => join(folder, file);

/** A fresh database with so many users. */
async function makeDatabase(file: string, users: number): Promise<void> {
  const settings = { DATABASE_URL: `sqlite:///${file}` };
  const made = await latchkey(["migrate", "up"], { cwd: folder, settings });
  expect(made.exitCode).toBe(0);
  using database = new Database(path(file));
  for (let number = 0; number < users; number += 1) {
    database.run("INSERT INTO users (email, password_hash, created_at_ms) VALUES (?, 'x', 1)", [
      `${number}@example.com`,
    ]);
  }
}

function usersIn(file: string): number {
  using database = new Database(path(file), { readonly: true });
  return Number(Object(database.query("SELECT COUNT(*) AS total FROM users").get()).total);
}

const leftovers = () => readdirSync(folder).filter((file) => file.includes(".part"));

describe("backup", () => {
  beforeAll(() => makeDatabase("app.db", 3));

  test("says what the copy holds, and lets nobody else read it", async () => {
    const { exitCode, stdout, stderr } = await run("backup", "copy.db");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(
      /^copy\.db: 0\.\d MB, 3 users, 0 admins, 0 sessions, 0 todos, .*0 audit log, checked, in \d+\.\d s\n/,
    );
    expect(stdout).toContain("neither SECRET_KEY");
    expect(statSync(path("copy.db")).mode & 0o777).toBe(0o600);
    expect(usersIn("copy.db")).toBe(3);
    expect(leftovers()).toEqual([]);
  });

  test("overwrites only with --force", async () => {
    writeFileSync(path("precious.db"), "precious");
    const refused = await run("backup", "precious.db");
    expect(refused).toMatchObject({ exitCode: 74, stdout: "" });
    expect(refused.stderr).toContain("precious.db is there already: --force overwrites it");
    expect(readFileSync(path("precious.db"), "utf8")).toBe("precious");
    expect((await run("backup", "precious.db", "--force")).exitCode).toBe(0);
    expect(usersIn("precious.db")).toBe(3);
  });

  test("is never put in the place of the database itself", async () => {
    const before = readFileSync(path("app.db"));
    for (const name of ["app.db", "./app.db", path("app.db")]) {
      const refused = await run("backup", name, "--force");
      expect(refused.stderr).toContain("is the database itself");
      expect(refused.exitCode).toBe(74);
    }
    expect(readFileSync(path("app.db")).equals(before)).toBe(true);
  });

  test("is never put in the place of what belongs to the database, or of what is no file", async () => {
    symlinkSync(path("app.db"), path("pointing.db"));
    writeFileSync(path("app.db.secret"), "kept");
    for (const name of ["app.db-wal", "./app.db-shm", path("app.db-journal"), "app.db.secret"]) {
      for (const source of ["app.db", "pointing.db"]) {
        const refused = await run("backup", name, "--force", "--from", source);
        expect(refused.stderr).toContain(`${name} belongs to the database itself`);
        expect(refused.exitCode).toBe(74);
      }
    }
    expect(readFileSync(path("app.db.secret"), "utf8")).toBe("kept");
    expect((await run("backup", "/dev/null")).stderr).toContain("/dev/null is no file");
    expect(leftovers()).toEqual([]);
  });

  test("that cannot be put in its place is refused, and leaves nothing", async () => {
    mkdirSync(path("folder.db"));
    const refused = await run("backup", "folder.db", "--force");
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain("folder.db cannot be written: ");
    expect(leftovers()).toEqual([]);
  });

  test("of a database in memory there is none", async () => {
    const settings = { DATABASE_URL: "sqlite:///:memory:", ENVIRONMENT: "test" };
    const refused = await latchkey(["backup", "none.db"], { cwd: folder, settings });
    expect(refused).toMatchObject({ exitCode: 1, stderr: "latchkey: a database in memory has no file\n" });
  });

  test("of a damaged database fails, and leaves nothing", async () => {
    await makeDatabase("damaged.db", 400);
    const bytes = readFileSync(path("damaged.db"));
    bytes.fill(0xff, 5 * 4096, 9 * 4096);
    writeFileSync(path("damaged.db"), bytes);
    const settings = { DATABASE_URL: "sqlite:///damaged.db" };
    const failed = await latchkey(["backup", "none.db"], { cwd: folder, settings });
    expect(failed.exitCode).toBe(74);
    expect(failed.stderr).toMatch(/cannot be copied|is damaged/);
    expect(existsSync(path("none.db"))).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test.each([
    [["backup"], 64, "takes a file"],
    [["backup", ""], 64, "takes a file"],
    [["backup", "a", "b"], 64, 'does not take "b"'],
    [["backup", "no/such/folder/a.db"], 74, "no/such/folder does not exist"],
    [["backup", "app.db/a.db"], 74, "app.db is no folder"],
    [["backup", "app.db/folder/a.db"], 74, "app.db/folder does not exist"],
    [["restore"], 64, "takes a file"],
    [["restore", "missing.db"], 74, "there is no file missing.db"],
  ])("%j is refused in one line", async (args, exitCode, words) => {
    const refused = await run(...args);
    expect(refused.exitCode).toBe(exitCode);
    expect(refused.stderr).toContain(words);
    expect(refused.stderr).not.toContain("    at ");
  });

  test("under a name that is too long is refused in one line", async () => {
    const refused = await run("backup", "a".repeat(300));
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toMatch(/^latchkey: app\.db cannot be copied: ENAMETOOLONG.*\n$/);
  });

  test.if(readOnly !== null)("into what can only be read says so, and so does restore", async () => {
    const said = "app.db cannot be copied: EROFS: read-only file system";
    const refused = await run("backup", join(readOnly ?? "", "a.db"));
    expect(refused).toMatchObject({ exitCode: 74, stderr: expect.stringContaining(`latchkey: ${said}`) });
    const settings = { DATABASE_URL: `sqlite:///${join(readOnly ?? "", "new.db")}` };
    const restored = await latchkey(["restore", "app.db"], { cwd: folder, settings });
    expect(restored).toMatchObject({ exitCode: 74, stderr: expect.stringContaining(`latchkey: ${said}`) });
  });

  test("copies the file that it is told to, whatever the settings say", async () => {
    const settings = { DATABASE_URL: "postgres://nowhere.invalid/app", PORT: "many" };
    const done = await latchkey(["backup", "told.db", "--from", "app.db"], { cwd: folder, settings });
    expect(done.exitCode).toBe(0);
    expect(usersIn("told.db")).toBe(3);
    expect((await run("restore", "told.db", "--from", "app.db")).exitCode).toBe(64);
  });

  test("where there is no database, says so", async () => {
    const settings = { DATABASE_URL: "sqlite:///nowhere.db" };
    const refused = await latchkey(["backup", "x.db"], { cwd: folder, settings });
    expect(refused).toMatchObject({ exitCode: 74, stderr: "latchkey: there is no database nowhere.db\n" });
  });
});

describe("restore", () => {
  const restore = (settings: Record<string, string>, ...args: readonly string[]) =>
    latchkey(["restore", ...args], { cwd: folder, settings });

  beforeAll(() => {
    const nulls = new Database(path("nulls.db"));
    nulls.run("CREATE TABLE schema_migrations (a)");
    nulls.run("CREATE TABLE users (email TEXT         )");
    nulls.run("INSERT INTO users VALUES (NULL), (NULL), (NULL), (NULL), (NULL)");
    nulls.close();
    const content = readFileSync(path("nulls.db"), "latin1");
    writeFileSync(path("nulls.db"), content.replace("TEXT         )", "TEXT NOT NULL)"), "latin1");
    using orphans = new Database(path("orphans.db"));
    orphans.run("CREATE TABLE schema_migrations (a PRIMARY KEY)");
    orphans.run("CREATE TABLE lines (note_id REFERENCES schema_migrations (a))");
    orphans.run("INSERT INTO lines VALUES (1)");
  });

  test("makes the database where there is none, for its owner alone", async () => {
    await makeDatabase("backup.db", 7);
    chmodSync(path("backup.db"), 0o644);
    const { exitCode, stdout } = await restore({ DATABASE_URL: "sqlite:///new.db" }, "backup.db");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^new\.db: 0\.\d MB, 7 users, /);
    expect(usersIn("new.db")).toBe(7);
    expect(statSync(path("new.db")).mode & 0o777).toBe(0o600);
  });

  // Only root can give a file to another: CI is, and a person who is not sees this test skipped.
  test.if(process.getuid?.() === 0)(
    "by root, the database is whose the one before was, or whose the folder is",
    async () => {
      const [server, group] = [12_345, 12_346];
      mkdirSync(path("theirs"));
      chownSync(path("theirs"), server, group);
      const settings = { DATABASE_URL: "sqlite:///theirs/app.db" };
      const owner = () => {
        const { uid, gid } = statSync(path("theirs/app.db"));
        return [uid, gid];
      };
      expect((await restore(settings, "backup.db")).exitCode).toBe(0);
      expect(owner()).toEqual([server, group]);
      chownSync(path("theirs/app.db"), server + 1, group);
      expect((await restore(settings, "backup.db", "--force")).exitCode).toBe(0);
      expect(owner()).toEqual([server + 1, group]);
    },
  );

  test("replaces a database only with --force, and keeps it", async () => {
    await makeDatabase("old.db", 2);
    const settings = { DATABASE_URL: "sqlite:///old.db" };
    const refused = await restore(settings, "backup.db");
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain("there is a database at old.db: --force");
    expect(usersIn("old.db")).toBe(2);
    const done = await restore(settings, "backup.db", "--force");
    expect(done.exitCode).toBe(0);
    const [, aside = ""] = /is now (old\.db\.before-\d{8}T\d{6}Z)\n/.exec(done.stdout) ?? [];
    expect([usersIn("old.db"), usersIn(aside)]).toEqual([7, 2]);
  });

  test("does not restore a database from itself", async () => {
    const refused = await restore({ DATABASE_URL: "sqlite:///backup.db" }, "./backup.db", "--force");
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain("backup.db is the database itself");
  });

  test("takes the place of no database that was put aside before, as one in the same second", async () => {
    await makeDatabase("twice.db", 3);
    const again = () =>
      restoreSqlite(path("backup.db"), path("twice.db"), { overwrites: true, asideEnding: ".before-now" });
    again();
    expect(again).toThrow(new BackupRefused(`${path("twice.db.before-now")} is there already: try again`));
    expect([usersIn("twice.db"), usersIn("twice.db.before-now")]).toEqual([7, 3]);
    expect(leftovers()).toEqual([]);
  });

  test("follows a link to where the database is", async () => {
    mkdirSync(path("data"));
    await makeDatabase("data/real.db", 2);
    symlinkSync("data/real.db", path("linked.db"));
    const done = await restore({ DATABASE_URL: "sqlite:///linked.db" }, "backup.db", "--force");
    expect(done.exitCode).toBe(0);
    expect(lstatSync(path("linked.db")).isSymbolicLink()).toBe(true);
    expect(usersIn("data/real.db")).toBe(7);
    expect(readdirSync(path("data")).toSorted()).toEqual([
      expect.stringMatching(/^real\.db$/),
      expect.stringMatching(/^real\.db\.before-/),
    ]);
  });

  test("puts a damaged database aside, its log with it, and says what it cannot know", async () => {
    writeFileSync(path("broken.db"), "this was once a database".repeat(200));
    writeFileSync(path("broken.db-wal"), "and its log");
    const done = await restore({ DATABASE_URL: "sqlite:///broken.db" }, "backup.db", "--force");
    expect(done.exitCode).toBe(0);
    expect(done.stderr).toContain("nobody can tell whether a server still has it open");
    expect(usersIn("broken.db")).toBe(7);
    const [, aside = ""] = /is now (\S+)\n/.exec(done.stdout) ?? [];
    expect(readFileSync(path(`${aside}-wal`), "utf8")).toBe("and its log");
  });

  test.each([
    ["begins like a database", `SQLite format 3\0${"and goes on as none".repeat(300)}`, true],
    ["is empty", "", false],
  ])("replaces what %s", async (name, content, isUnreadable) => {
    const file = `${name.replaceAll(" ", "-")}.db`;
    writeFileSync(path(file), content);
    const done = await restore({ DATABASE_URL: `sqlite:///${file}` }, "backup.db", "--force");
    expect(done.exitCode).toBe(0);
    expect(done.stderr.includes("nobody can tell")).toBe(isUnreadable);
    expect(usersIn(file)).toBe(7);
    const [, aside = ""] = /is now (\S+)\n/.exec(done.stdout) ?? [];
    expect(readFileSync(path(aside), "latin1")).toBe(content);
  });

  test.each([
    ["what is no database", "text.db", "is not a database"],
    ["somebody else's database", "foreign.db", "latchkey: foreign.db is no database of Latchkey's"],
    ["a damaged backup", "torn.db", "torn.db"],
    [
      "a backup that breaks its own rules",
      "nulls.db",
      /is damaged: (?:NULL value in users.email(?:; )?){3}\n/,
    ],
    ["a backup with a row that refers to none", "orphans.db", "is damaged: a row of lines refers to no row"],
  ])("%s takes nothing's place", async (_, file, words) => {
    if (!existsSync(path("kept.db"))) await makeDatabase("kept.db", 1);
    writeFileSync(path("text.db"), "not a database at all, however long it is".repeat(100));
    new Database(path("foreign.db")).run("CREATE TABLE IF NOT EXISTS things (a)");
    copyFileSync(path("backup.db"), path("torn.db"));
    const torn = readFileSync(path("torn.db"));
    torn.fill(0xff, 4 * 4096, 12 * 4096);
    writeFileSync(path("torn.db"), torn);
    const refused = await restore({ DATABASE_URL: "sqlite:///kept.db" }, file, "--force");
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toMatch(words);
    expect(usersIn("kept.db")).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  test("a backup with a log of its own, as a copied file may have, is restored with it", async () => {
    mkdirSync(path("copied"));
    await makeDatabase("live.db", 1);
    using writing = new Database(path("live.db"));
    writing.run("PRAGMA journal_mode = WAL");
    writing.run(
      "INSERT INTO users (email, password_hash, created_at_ms) VALUES ('late@example.com', 'x', 1)",
    );
    for (const suffix of ["", "-wal"])
      copyFileSync(path(`live.db${suffix}`), path(`copied/live.db${suffix}`));
    const done = await restore({ DATABASE_URL: "sqlite:///with-log.db" }, "copied/live.db");
    expect(done.exitCode).toBe(0);
    expect(usersIn("with-log.db")).toBe(2);
  });
});

describe.if(isPostgresThere && hasPostgresTools())("on PostgreSQL", () => {
  const url = temporaryPostgres();
  const settings = { DATABASE_URL: url };

  async function migrated(...words: readonly string[]): Promise<void> {
    expect(await latchkey(["migrate", ...words], { cwd: folder, settings })).toMatchObject({ stderr: "" });
  }

  /** Runs what a command says, as a shell does. */
  async function sayAndDo(command: "backup" | "restore", file: string): Promise<string> {
    const { stderr } = await latchkey([command, file], { cwd: folder, settings });
    const [, ...lines] = stderr.split("\n");
    const running = Bun.spawn(["sh", "-c", lines.join("\n")], {
      cwd: folder,
      env: { ...process.env, PGPASSWORD: decodeURIComponent(new URL(url).password) },
      stdin: "ignore",
      stderr: "pipe",
    });
    const said = await running.stderr.text();
    return (await running.exited) === 0 ? "done" : said;
  }

  async function tablesAndViews(): Promise<readonly string[]> {
    await using database = new Bun.SQL({ url, max: 1 });
    const rows = await database`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`;
    return rows.map((row: { relname: string }) => row.relname).toSorted();
  }

  test.each([
    ["backup", "pg_dump --format=custom --file=it.dump"],
    ["restore", "--file=it.dump.sql"],
  ])(
    "%s says which of its own tools to use, with its address and without its password",
    async (command, words) => {
      const withPassword = new URL(url);
      withPassword.password = "a-password";
      const said = await latchkey([command, "it.dump"], {
        cwd: folder,
        settings: { DATABASE_URL: withPassword.href },
      });
      expect(said.exitCode).toBe(1);
      expect(said.stderr).toContain(`${words} --host=${withPassword.hostname}`);
      expect(said.stderr).toContain(`--dbname=${withPassword.pathname.slice(1)}`);
      expect(said.stderr).not.toContain("a-password");
    },
  );

  test.each([1, 5, 11])("and after %d migrations more the copy is what comes back", async (steps) => {
    await migrated("up");
    const after = await tablesAndViews();
    await migrated("down", String(steps));
    const before = await tablesAndViews();
    expect(await sayAndDo("backup", `${steps} back.dump`)).toBe("done");
    await migrated("up");
    expect(await sayAndDo("restore", `${steps} back.dump`)).toBe("done");
    expect(await tablesAndViews()).toEqual(before);
    await migrated("up");
    expect(await tablesAndViews()).toEqual(after);
  });

  test("and a copy that is none takes nothing's place", async () => {
    await migrated("up");
    const before = await tablesAndViews();
    writeFileSync(path("torn.dump"), "PGDMP");
    expect(await sayAndDo("restore", "torn.dump")).toContain("pg_restore: error");
    expect(await tablesAndViews()).toEqual(before);
  });
});
