import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { COPIED_TABLES } from "../../src/storage/copied-tables.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";

const SECRET_KEY = "a-secret-for-copies-alone-Zk3v9Qm-7Yt1RwXc5Hs8";
const LIMIT_MS = 60_000;

const folder = scratchFolder();
const path = (file: string) => join(folder, file);
const on = (url: string) => ({
  cwd: folder,
  settings: { DATABASE_URL: url, SECRET_KEY, LOG_LEVEL: "ERROR" },
});
const copy = (...args: readonly string[]) => latchkey(["copy", ...args], { cwd: folder });
const sqlite = (file: string) => `sqlite:///${file}`;

async function succeed(args: readonly string[], url: string): Promise<string> {
  const { exitCode, stdout, stderr } = await latchkey(args, on(url));
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout;
}

/** The line of each table, with its checksum. */
function told(stdout: string): readonly string[] {
  return stdout.split("\n").filter((line) => line.includes("sha256"));
}

describe.if(await hasPostgres())("copy, with PostgreSQL", () => {
  const url = temporaryPostgres();
  const other = temporaryPostgres();
  const foreign = temporaryPostgres();

  test(
    "moves a database that was served, and who was logged in stays so",
    async () => {
      const before = await serve(folder, on(sqlite("app.db")).settings);
      const headers = { "content-type": "application/json" };
      const post = (server: string, route: string, body: unknown, more: Record<string, string> = {}) =>
        fetch(`${server}/api/v1${route}`, {
          method: "POST",
          headers: { ...headers, ...more },
          body: JSON.stringify(body),
        });
      const account = { email: "zoe@example.com", password: "correcthorse1" };
      expect((await post(before.url, "/users/register", account)).status).toBe(200);
      const login = await post(before.url, "/users/login", account);
      const token = `Bearer ${String(Object(await login.json()).access_token)}`;
      const todo = { title: "Ünïcode\n\"'\\ 😀" };
      const made = await (await post(before.url, "/todos", todo, { authorization: token })).json();

      // Beside the server that is still running.
      const { exitCode, stdout, stderr } = await copy("--from", sqlite("app.db"), "--to", url);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toStartWith("copying sqlite:///app.db to postgres://");
      expect(stdout).toMatch(/^(\d+) of \1 rows checked$/m);
      expect(stdout).toMatch(/^users +1  sha256 [0-9a-f]{64}$/m);
      expect(stdout).toMatch(
        /\n\d+ rows, in \d+\.\d s: both sides are alike\nSECRET_KEY, the keys in KEYS_DIR/,
      );
      before.kill("SIGTERM");
      await before.exited;

      const verdict = await succeed(["audit", "verify"], sqlite("app.db"));
      expect(verdict).toContain("is sound");
      expect(await succeed(["audit", "verify"], url)).toBe(verdict);
      const after = await serve(folder, on(url).settings);
      const list = await fetch(`${after.url}/api/v1/todos`, { headers: { authorization: token } });
      expect(await list.json()).toEqual([made]);
      expect((await post(after.url, "/users/login", account)).status).toBe(200);
      after.kill("SIGTERM");
      await after.exited;
    },
    LIMIT_MS,
  );

  test(
    "there and back are equal, with one side left to the settings",
    async () => {
      await succeed(["seed", "--users", "20", "--todos", "2000"], sqlite("seeded.db"));
      const there = await succeed(["copy", "--to", other], sqlite("seeded.db"));
      const back = await succeed(["copy", "--from", other], sqlite("back.db"));
      expect(told(back)).toEqual(told(there));
      expect(told(there)).toHaveLength(COPIED_TABLES.length);
      const rows = (file: string) => {
        using database = new Database(path(file), { readonly: true });
        return ["users", "todos", "user_counts"].map((table) =>
          database.query(`SELECT * FROM ${table} ORDER BY 1, 2, 3`).values(),
        );
      };
      expect(rows("back.db")).toEqual(rows("seeded.db"));
    },
    LIMIT_MS,
  );

  test.each([
    ["it may not make a table", "role TO pg_monitor", "permission denied for schema"],
    ["it has no schema to make one in", "search_path TO ''", "no schema has been selected to create in"],
  ])("says what keeps the role out: %s", async (_, setting, said) => {
    const owner = new Bun.SQL({ url: foreign, max: 1 });
    const name = new URL(foreign).pathname.slice(1);
    await owner.unsafe("SET role TO NONE; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    await owner.unsafe(`ALTER DATABASE ${name} RESET ALL; ALTER DATABASE ${name} SET ${setting}`);
    await owner.close({ timeout: 0 });
    await succeed(["migrate", "up"], sqlite("any.db"));
    const refused = await copy("--from", sqlite("any.db"), "--to", foreign);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toStartWith(`latchkey: the database does not allow it: ${said}`);
  });

  test("never prints a password", async () => {
    const secret = new URL(url);
    secret.password = "a-password";
    const refused = await copy("--from", sqlite("app.db"), "--to", secret.href);
    expect(refused.stdout).toContain(":********@");
    const nowhere = await copy(
      "--from",
      sqlite("app.db"),
      "--to",
      "postgres://me:a-password@127.0.0.1:1/app",
    );
    expect(nowhere.exitCode).toBe(69);
    expect(nowhere.stderr).toMatch(/^latchkey: --to: the database cannot be reached: \w/);
    for (const { stdout, stderr } of [refused, nowhere]) expect(stdout + stderr).not.toContain("a-password");
  });
});

describe("copy", () => {
  test(
    "goes on where it was killed, and the part before that is no database",
    async () => {
      await succeed(["seed", "--users", "200", "--todos", "40000"], sqlite("many.db"));
      const args = ["copy", "--from", sqlite("many.db"), "--to", sqlite("killed.db")];
      const killed = await latchkey(args, { cwd: folder }, (printed, kill) => {
        if (/^\d+ of \d+ rows$/m.test(printed)) kill("SIGKILL");
      });
      expect(killed.exitCode).not.toBe(0);
      const refused = await latchkey(["serve"], on(sqlite("killed.db")));
      expect(refused.exitCode).toBe(1);
      expect(refused.stderr).toContain("a copy into this database was begun and is not whole");

      const stopped = await latchkey(args, { cwd: folder }, (printed, kill) => {
        if (/^\d+ of \d+ rows$/m.test(printed)) kill("SIGTERM");
      });
      expect(stopped).toMatchObject({
        exitCode: 130,
        stderr: "latchkey: stopped: the same command goes on from here\n",
      });
      const done = await latchkey(args, { cwd: folder });
      expect(done).toMatchObject({ exitCode: 0, stderr: "" });
      expect(Number(/ rows, (\d+) of them before,/.exec(done.stdout)?.[1])).toBeGreaterThan(0);
      const whole = await copy("--from", sqlite("many.db"), "--to", sqlite("whole.db"));
      expect(told(done.stdout)).toEqual(told(whole.stdout));
      await succeed(["migrate", "status"], sqlite("killed.db"));
    },
    LIMIT_MS,
  );

  test(
    "finds what is not alike at the end, and says where",
    async () => {
      await succeed(["seed", "--users", "2", "--todos", "9"], sqlite("few.db"));
      await succeed(["migrate", "up"], sqlite("spoilt.db"));
      using spoiling = new Database(path("spoilt.db"));
      spoiling.run(
        "CREATE TRIGGER spoil AFTER INSERT ON todos WHEN new.id = 7 BEGIN UPDATE todos SET title = 'other' WHERE id = 7; END",
      );
      const failed = await copy("--from", sqlite("few.db"), "--to", sqlite("spoilt.db"));
      expect(failed).toMatchObject({
        exitCode: 1,
        stderr:
          "latchkey: the copy is not what the source is, and not to be used: row 7 of todos is another in the target: title\n",
      });
      expect(failed.stdout).not.toContain("alike");
    },
    LIMIT_MS,
  );

  test(
    "overwrites nothing, and does not touch what it reads",
    async () => {
      await succeed(["seed", "--users", "2", "--todos", "9"], sqlite("kept.db"));
      await succeed(["seed", "--users", "1", "--todos", "0"], sqlite("taken.db"));
      const before = [readFileSync(path("kept.db")), readFileSync(path("taken.db"))];
      const refused = await copy("--from", sqlite("kept.db"), "--to", sqlite("taken.db"));
      expect(refused).toMatchObject({
        exitCode: 1,
        stderr: "latchkey: the target is not empty: it has rows in users, and nothing is overwritten\n",
      });
      const same = await copy("--from", sqlite("kept.db"), "--to", sqlite("./kept.db"));
      expect(same.stderr).toContain("source and target are the same database");
      expect((await copy("--from", sqlite("kept.db"), "--to", sqlite("new.db"))).exitCode).toBe(0);
      expect([readFileSync(path("kept.db")), readFileSync(path("taken.db"))]).toEqual(before);
    },
    LIMIT_MS,
  );

  test.each(["--from", "--to"])("with %s alone tells a mistake in the settings once", async (side) => {
    const { exitCode, stdout, stderr } = await latchkey(["copy", side, sqlite("a.db")], {
      cwd: folder,
      settings: { PORT: "x" },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: "" });
    expect(stderr).toMatch(/^PORT: .*\n$/);
  });

  test.each([
    [[], 64, "takes --from, --to or both"],
    [["--to"], 64, "argument missing"],
    [["--from", "sqlite:///a.db", "more"], 64, "more"],
    [["--to", "postgres:me:a-password"], 64, "--to cannot be read"],
    [["--to", "me:a-password@db"], 64, "--to takes sqlite:///relative/path, "],
    [["--from", "mysql://me:a-password@db/app"], 64, '--from the scheme "mysql" is not known'],
    [["--from", "sqlite://", "--to", "sqlite:///a.db"], 64, "a database in memory is of no use here"],
    [
      ["--from", "sqlite:///missing.db", "--to", "sqlite:///a.db"],
      69,
      "--from: there is no database missing.db",
    ],
    [
      ["--from", "sqlite:///foreign.db", "--to", "sqlite:///a.db"],
      1,
      "the source is no database of Latchkey's",
    ],
    [
      ["--from", "sqlite:///text.db", "--to", "sqlite:///a.db"],
      69,
      "--from: text.db cannot be read as a SQLite database",
    ],
  ])("%j is refused in one line, before anything is made", async (args, exitCode, words) => {
    await Bun.write(path("text.db"), "not a database at all, however long it is".repeat(100));
    new Database(path("foreign.db")).run("CREATE TABLE IF NOT EXISTS things (a)");
    rmSync(path("a.db"), { force: true });
    const refused = await copy(...args);
    expect(refused.exitCode).toBe(exitCode);
    expect(refused.stderr).toContain(words);
    expect(refused.stderr).not.toContain("a-password");
    expect(existsSync(path("a.db"))).toBe(false);
  });
});
