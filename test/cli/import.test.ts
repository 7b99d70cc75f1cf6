import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { fixture, HASH, LOOSE, temporarySource } from "../support/import.ts";
import { hasPostgres } from "../support/postgres.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const smallDisk = await mountSmallDisk("64k", "a full disk under the report of an import");
const MAIN = join(import.meta.dir, "../../src/main.ts");
const SETTINGS = { DATABASE_URL: "sqlite:///app.db", LOG_LEVEL: "ERROR", RATE_LIMIT_ENABLED: "false" };

/** A folder with a migrated database, and beside it `old.db` of another backend. */
async function folderWith(sql: string): Promise<string> {
  const folder = scratchFolder();
  await latchkey(["migrate", "up"], { cwd: folder, settings: SETTINGS });
  using old = new Database(join(folder, "old.db"));
  old.run(sql);
  return folder;
}

function rows(folder: string, table: string): number {
  using database = new Database(join(folder, "app.db"), { readonly: true });
  const { n } = database.query<{ n: number }, []>(`SELECT COUNT(*) AS n FROM ${table}`).get() ?? { n: -1 };
  return n;
}

const importing = (cwd: string, args: readonly string[], stdin?: string) =>
  latchkey(["import", ...args], { cwd, settings: SETTINGS, ...(stdin === undefined ? {} : { stdin }) });

describe("import", () => {
  test("shows the mapping and the counts, and writes nothing until --apply", async () => {
    const folder = await folderWith(fixture("003", "sqlite"));
    const before = readdirSync(folder);
    const { exitCode, stdout, stderr } = await importing(folder, ["sqlite:///old.db"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toBe(`looks like 003, OAuth2 login (users)

users → users: 3 rows
  id              → id, kept where they are free here
  email           → email
  hashed_password → password_hash
  username        → username
  is_superuser    → role
  is_active       → is_active
  created_at      → created_at_ms
  updated_at      → updated_at_ms

3 of 3 users

users: 2 to be taken, 1 left out
  1 left out: it has no e-mail address, which every account needs here (id 3)
nothing was written: --apply does it
`);
    expect(readdirSync(folder)).toEqual(before);
    for (const table of ["users", "imports", "imported_rows", "audit_log"]) {
      expect([table, rows(folder, table)]).toEqual([table, 0]);
    }
  });

  test("takes them beside a running server, where they log in; the report says what was not taken", async () => {
    const folder = await folderWith(fixture("003", "sqlite"));
    const source = readFileSync(join(folder, "old.db"));
    const server = await serve(folder, SETTINGS);
    const applied = await importing(folder, ["sqlite:///old.db", "--apply", "--report", "report.jsonl"]);
    expect(applied).toMatchObject({ exitCode: 0, stderr: "" });
    expect(applied.stdout).toContain("users: 2 taken, 1 left out\n");
    const report = join(folder, "report.jsonl");
    expect(
      readFileSync(report, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        table: "users",
        id: "3",
        outcome: "left out",
        code: "email_missing",
        reason: "it has no e-mail address, which every account needs here",
      },
    ]);
    expect(statSync(report).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, "old.db")).equals(source)).toBe(true);

    const body = new URLSearchParams({ username: "john", password: "secure123" });
    const login = await fetch(`${server.url}/api/v1/auth/login`, { method: "POST", body });
    expect(login.status).toBe(200);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);

    const again = await importing(folder, ["sqlite:///old.db", "--apply", "--report", "report.jsonl"]);
    expect(again).toMatchObject({ exitCode: 74 });
    expect(again.stderr).toBe("latchkey: --report: report.jsonl is there already, and is not written over\n");
    const third = await importing(folder, ["-", "--apply"], "sqlite:///./old.db\nand more\n");
    expect(third.stdout).toContain("users → users: 3 rows, 2 of them taken before\n");
    expect(third.stdout).toContain("users: 0 taken, 2 taken before, 1 left out\n");
    expect(rows(folder, "users")).toBe(2);
    const verdict = await latchkey(["audit", "verify"], { cwd: folder, settings: SETTINGS });
    expect(verdict).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("is sound") });
  }, 30_000);

  test("tells what is left out of a database, table by table, and of rows the first few", async () => {
    const folder = await folderWith(`
      CREATE TABLE users (id VARCHAR PRIMARY KEY, email VARCHAR, password VARCHAR, avatar VARCHAR, shoe_size INTEGER);
      CREATE TABLE todos (id VARCHAR PRIMARY KEY, title VARCHAR, user_id VARCHAR, created_at VARCHAR);
      CREATE TABLE refresh_tokens (id INTEGER);
      CREATE TABLE orders (id INTEGER);
      INSERT INTO users VALUES ('a', 'a@example.com', 'x', 'a.png', 43), ('b', 'b@example.com', 'x', NULL, NULL),
        ('c', 'c@example.com', 'x', NULL, NULL), ('d', 'd@example.com', 'x', NULL, NULL), (NULL, 'e@example.com', 'x', NULL, NULL);
      INSERT INTO todos VALUES ('t', 'Of nobody', NULL, '2026-01-04');
      INSERT INTO orders VALUES (1), (2);`);
    const { stdout } = await importing(folder, ["sqlite:///old.db"]);
    expect(stdout).toBe(`looks like 000, cookie sessions (users, todos)

users → users: 5 rows
  id       → id, new ones
  email    → email
  password → password_hash
           → created_at_ms, the time of the import
  left out: avatar, which names a file, and the pictures are not in the database
  left out: shoe_size, which is not known here

todos → todos: 1 row
  id         → id, new ones
  user_id    → user_id
  title      → title
  created_at → created_at_ms

left out: orders, 2 rows: nothing here corresponds to it
left out: refresh_tokens, 0 rows: sessions do not move: everybody logs in once

5 of 5 users
1 of 1 todos

users: 4 to be taken, 1 left out
  1 left out: it has no id
  4 changed: its password hash is of no known kind: an administrator sets a new password (id a, b, c, …)
todos: 0 to be taken, 1 left out
  1 left out: it belongs to nobody (id t)
nothing was written: --apply does it
`);
  });

  test("knows a source again by the name that it is given, wherever it lies", async () => {
    const folder = await folderWith(fixture("003", "sqlite"));
    const first = await importing(folder, ["sqlite:///old.db", "--apply", "--source", "the old one"]);
    expect(first.stdout).toContain("users: 2 taken, 1 left out\n");
    renameSync(join(folder, "old.db"), join(folder, "moved.db"));
    const again = await importing(folder, ["sqlite:///moved.db", "--apply", "--source", "the old one"]);
    expect(again.stdout).toContain("users: 0 taken, 2 taken before, 1 left out\n");
  });

  test("is refused where the schema here is older than the program, and takes nothing", async () => {
    const folder = await folderWith(fixture("003", "sqlite"));
    await latchkey(["migrate", "down"], { cwd: folder, settings: SETTINGS });
    for (const apply of [[], ["--apply"]]) {
      expect(await importing(folder, ["sqlite:///old.db", ...apply])).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: "latchkey: the database's schema is not up to date: run `latchkey migrate up`\n",
      });
    }
    expect(rows(folder, "users")).toBe(0);
  });

  test("ends by a signal after the write under way; the next run goes on", async () => {
    const folder = await folderWith(`${fixture("003", "sqlite")}
      INSERT INTO users WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 20009)
      SELECT i, 'user' || i, 'user' || i || '@example.com', '$2b$10$', 1, 0, NULL, NULL FROM n`);
    const child = Bun.spawn(
      [process.execPath, "--no-env-file", MAIN, "import", "sqlite:///old.db", "--apply"],
      {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...SETTINGS },
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    let printed = "";
    let isAsked = false;
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      printed += chunk;
      if (isAsked || !printed.includes(" of 20003 users")) continue;
      isAsked = true;
      child.kill("SIGINT");
    }
    expect(await child.exited).toBe(130);
    expect(await child.stderr.text()).toBe("latchkey: stopped: the same command goes on from here\n");
    const taken = Number(/^users: (\d+) taken/m.exec(printed)?.[1]);
    expect(taken).toBeWithin(1, 20_002);
    expect(rows(folder, "users")).toBe(taken);

    const { stdout } = await importing(folder, ["sqlite:///old.db", "--apply"]);
    expect(stdout).toContain("\n20003 of 20003 users\n");
    expect(stdout).toContain(`users: ${20_002 - taken} taken, ${taken} taken before, 1 left out\n`);
    expect(stdout).toContain(" changed: its password hash is of no known kind");
    expect(rows(folder, "users")).toBe(20_002);
  }, 60_000);

  test.if(smallDisk !== null)("takes no row that a report on a full disk cannot tell of", async () => {
    const folder = await folderWith(`${LOOSE}
      INSERT INTO users WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
      SELECT i, 'user' || i || '@example.com', NULL, NULL, NULL, '${HASH}', 'pilot', TRUE, NULL, NULL, NULL FROM n`);
    const report = join(smallDisk ?? "", "report.jsonl");
    const full = await importing(folder, ["sqlite:///old.db", "--apply", "--report", report]);
    expect(full.exitCode).toBe(74);
    expect(full.stderr).toMatch(/^latchkey: --report: \S+ cannot be written: ENOSPC.*\n$/);
    expect(rows(folder, "users")).toBe(0);
    expect(readFileSync(report, "utf8")).toBe("");

    const again = await importing(folder, ["sqlite:///old.db", "--apply", "--report", "report.jsonl"]);
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readFileSync(join(folder, "report.jsonl"), "utf8").trim().split("\n")).toHaveLength(2_000);
  });

  test.each([
    ["no address", [], 64, "takes the DATABASE_URL to read"],
    ["two addresses", ["sqlite:///a", "sqlite:///b"], 64, "takes one DATABASE_URL"],
    ["another kind of database", ["mysql://me:hush@localhost/x"], 64, 'the scheme "mysql" is not known'],
    ["what is no address", ["me:hush@old.db"], 64, "DATABASE_URL takes sqlite:///relative/path"],
    ["an empty name", ["sqlite:///old.db", "--source", ""], 64, "--source takes a value"],
    ["a report nowhere", ["sqlite:///old.db", "--report", ""], 64, "--report takes a value"],
    ["a file that is not there", ["sqlite:///none.db"], 65, "there is no file none.db"],
    ["a server that is not there", ["postgres://me:hush@127.0.0.1:1/x"], 65, "it cannot be read"],
    ["a database of its own kind", ["sqlite:///app.db"], 65, "it is a database of Latchkey itself"],
    ["a folder for a report that is none", ["sqlite:///old.db", "--report", "no/r"], 74, "cannot be written"],
  ])("refuses %s", async (_, args, exitCode, said) => {
    const refused = await importing(await folderWith(fixture("000", "sqlite")), args);
    expect(refused.exitCode).toBe(exitCode);
    expect(refused.stderr).toContain(said);
    expect(refused.stdout + refused.stderr).not.toContain("hush");
  });

  test("refuses an unknown database with what it looked for, and a target that is not there yet", async () => {
    const folder = await folderWith("CREATE TABLE orders (id INTEGER); CREATE TABLE clients (id INTEGER)");
    const unknown = await importing(folder, ["sqlite:///old.db"]);
    expect(unknown).toEqual({
      exitCode: 65,
      stdout: "",
      stderr:
        "latchkey: the database to import from: it is none of the five backends': looked for a table users with " +
        "id, email, hashed_password or password_hash or password, and it has clients, orders\n",
    });
    const settings = { ...SETTINGS, DATABASE_URL: "sqlite:///new.db" };
    const early = await latchkey(["import", "sqlite:///old.db"], { cwd: folder, settings });
    expect(early.exitCode).toBe(1);
    expect(early.stderr).toBe("latchkey: there is no database new.db yet: `latchkey migrate up` makes it\n");
    expect(readdirSync(folder)).not.toContain("new.db");
  });
});

describe.if(await hasPostgres())("import from PostgreSQL", () => {
  const source = temporarySource("postgres", fixture("003", "postgres"));

  test("keeps no password of the source, and knows it again with another one", async () => {
    const folder = await folderWith("SELECT 1");
    if (source.address.engine !== "postgres") throw new Error("the source is on PostgreSQL");
    const url = new URL(source.address.url);
    const { hostname, port, pathname } = url;
    // The server does not ask for it.
    url.password = "a-password";
    url.searchParams.set("application_name", "a-parameter");
    const first = await importing(folder, ["-", "--apply"], url.href);
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.stdout).toContain("users: 2 taken, 1 left out\n");
    using database = new Database(join(folder, "app.db"), { readonly: true });
    const name = `postgres://${hostname}:${port === "" ? "5432" : port}${pathname}`;
    expect(database.query("SELECT source FROM imports").values()).toEqual([[name]]);
    const told = database.query("SELECT event, detail FROM audit_log").values();
    expect(told).toHaveLength(2);
    for (const secret of ["a-password", "a-parameter"]) {
      expect(JSON.stringify(told) + first.stdout).not.toContain(secret);
    }

    url.password = "another-password";
    if (port === "5432") url.port = "";
    const again = await importing(folder, ["-", "--apply"], url.href);
    expect(again.stdout).toContain("users: 0 taken, 2 taken before, 1 left out\n");
  });
});
