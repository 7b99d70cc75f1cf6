import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const SECRET = "a-secret-for-the-shell-alone-Zk3v9Qm-7Yt1RwXc5Hs8";

let folder = "";
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "latchkey-cli-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function environment(name: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    DATABASE_URL: `sqlite:///${join(folder, name)}`,
    UPLOAD_DIR: join(folder, "uploads"),
    KEYS_DIR: join(folder, "keys"),
    SECRET_KEY: SECRET,
    RATE_LIMIT_ENABLED: "false",
    HASH_CONCURRENCY: "1",
  };
}

/** Runs the real program; `typed` is what stands on its standard input. */
async function latchkey(
  name: string,
  args: readonly string[],
  typed = "",
  more: Record<string, string> = {},
) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd: folder,
    env: { ...environment(name), ...more },
    stdin: new Blob([typed]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out: out.trimEnd(), err: err.trimEnd() };
}

describe("beside a running server", () => {
  let server: Bun.Subprocess<"ignore", "pipe", "inherit">;
  let address = "";

  beforeAll(async () => {
    server = Bun.spawn([process.execPath, MAIN, "serve"], {
      cwd: folder,
      env: { ...environment("served.db"), PORT: "0", HOST: "127.0.0.1", LOG_JSON: "true" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const [kept, read] = server.stdout.tee();
    void kept.pipeTo(new WritableStream());
    let printed = "";
    for await (const chunk of read.pipeThrough(new TextDecoderStream())) {
      printed += chunk;
      address = /http:\/\/[\w.]+:\d+/.exec(printed)?.[0] ?? "";
      if (address !== "") break;
    }
  }, 20_000);

  afterAll(async () => {
    server.kill("SIGTERM");
    await server.exited;
  });

  const login = async (path: string, username: string, password: string) =>
    fetch(`${address}${path}/login`, { method: "POST", body: new URLSearchParams({ username, password }) });

  test("an administrator is made, locked out, unlocked, and given a new password", async () => {
    const created = await latchkey(
      "served.db",
      ["admin", "create", "--email", "Root@Example.com", "--username", "root"],
      "first-password\n",
    );
    expect(created).toEqual({ code: 0, out: "created admin 1 (root@example.com)", err: "" });
    expect((await login("/admin/auth", "root", "first-password")).status).toBe(200);

    for (let guess = 0; guess < 5; guess += 1) await login("/admin/auth", "root", "wrong");
    expect((await login("/admin/auth", "root", "first-password")).status).toBe(423);
    expect((await latchkey("served.db", ["admin", "unlock", "ROOT"])).out).toBe(
      "unlocked admin 1 (root@example.com)",
    );
    const token = Object(await (await login("/admin/auth", "root", "first-password")).json()).access_token;

    for (let guess = 0; guess < 5; guess += 1) await login("/admin/auth", "root", "wrong");
    const given = await latchkey("served.db", ["admin", "reset-password", "root"], "second-password\n");
    expect(given).toEqual({ code: 0, out: "set a new password for admin 1 (root@example.com)", err: "" });
    expect((await login("/admin/auth", "root", "second-password")).status).toBe(200);

    const reset = await latchkey("served.db", ["admin", "reset-password", "root", "--generate"]);
    expect(reset.code).toBe(0);
    const made = /^password: ([A-Za-z0-9]{24})$/m.exec(reset.out)?.[1] ?? "";
    expect((await login("/admin/auth", "root", "first-password")).status).toBe(401);
    expect((await login("/admin/auth", "root", made)).status).toBe(200);
    const me = await fetch(`${address}/admin/me`, { headers: { authorization: `Bearer ${token}` } });
    expect(me.status).toBe(401);
  }, 30_000);

  test("where the avatars cannot be reached it is not the database that is blamed", async () => {
    const noBucket = {
      UPLOAD_URL: "s3://pictures",
      S3_ENDPOINT: "http://127.0.0.1:1",
      S3_ACCESS_KEY_ID: "a",
      S3_SECRET_ACCESS_KEY: "b",
    };
    const noFolder = { UPLOAD_DIR: join(folder, "a-file") };
    writeFileSync(noFolder.UPLOAD_DIR, "");
    for (const [settings, blamed] of [
      [noBucket, "UPLOAD_URL"],
      [noFolder, "UPLOAD_DIR"],
    ] as const) {
      const told = await latchkey("served.db", ["maintenance", "avatars"], "", settings);
      expect(told).toMatchObject({ code: 69, out: "" });
      expect(told.err).toStartWith("latchkey: the avatars or the database cannot be reached");
      expect(told.err).toEndWith(`; see ${blamed} and DATABASE_URL`);
    }
  });

  test("a user is promoted, blocked, deleted and purged", async () => {
    const register = (username: string) =>
      fetch(`${address}/auth/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          username,
          name: "Alice",
          email: `${username}@example.com`,
          password: "password123",
        }),
      });
    expect((await register("alice")).status).toBe(201);
    const user = (...args: string[]) => latchkey("served.db", ["user", ...args]);

    expect((await user("promote", "alice@example.com")).out).toBe("promoted user 1 (alice@example.com)");
    expect(JSON.parse((await user("list", "--json")).out)).toEqual({
      id: 1,
      email: "alice@example.com",
      username: "alice",
      name: "Alice",
      phone: null,
      role: "admin",
      state: "active",
      created_at: expect.any(String),
    });
    expect((await user("demote", "id:1")).code).toBe(0);
    expect((await user("block", "alice")).code).toBe(0);
    expect((await login("/auth", "alice", "password123")).status).toBe(403);
    expect((await user("activate", "alice")).code).toBe(0);

    const early = await user("purge", "alice", "--yes");
    expect(early).toMatchObject({ code: 65, out: "", err: expect.stringContaining("is not deleted") });
    expect((await user("delete", "alice")).out).toBe("deleted user 1 (alice@example.com)");
    expect((await user("block", "alice")).err).toContain("is deleted");
    expect((await user("list")).out).toBe("");
    expect((await user("list", "--deleted")).out).toMatch(
      /^ {5}1 .* deleted {2}user {3}alice@example.com {2}alice$/,
    );
    expect((await register("alice")).status).toBe(409);
    expect(await user("purge", "alice")).toMatchObject({ code: 64, err: expect.stringContaining("--yes") });
    expect((await user("purge", "alice", "--yes")).out).toBe("purged user 1 (alice@example.com)");
    expect((await user("restore", "alice")).err).toContain("there is no user alice");
    expect((await register("alice")).status).toBe(201);
  }, 30_000);

  test("the trail is read without a secret, where none is proved with, and none is made", async () => {
    const without = { SECRET_KEY: "" };
    const kept = join(folder, "served.db.secret");
    for (const args of [["verify", "--without-secret"], ["list"]])
      expect((await latchkey("served.db", ["audit", ...args], "", without)).code).toBe(0);
    expect(await latchkey("served.db", ["audit", "verify"], "", without)).toEqual({
      code: 69,
      out: "",
      err: expect.stringContaining(
        `SECRET_KEY is not set, and the one that is kept cannot be read: ${kept} does not exist`,
      ),
    });
    expect(existsSync(kept)).toBe(false);
    for (const time of ["banana 5", "1", "2026-02-31", "2026-01-04 10:00"])
      expect(await latchkey("served.db", ["audit", "list", "--from", time])).toMatchObject({
        code: 64,
        err: expect.stringContaining("--from takes a time, as 2026-01-04T10:00:00Z, or a day"),
      });
  });

  test("S39 the trail tells of it all, and a row changed with another program is found", async () => {
    const sound = await latchkey("served.db", ["audit", "verify"]);
    expect(sound).toMatchObject({ code: 0, err: "" });
    expect(sound.out).toMatch(/^the audit trail is sound: \d+ rows, 1 to \d+ \(hashes and seals\)\n/);
    const noted = /--noted (\d+:[0-9a-f]{64})$/.exec(sound.out)?.[1] ?? "";
    expect((await latchkey("served.db", ["audit", "verify", "--noted", noted])).code).toBe(0);

    const listed = await latchkey("served.db", ["audit", "list", "--event", "account.purged"]);
    expect(listed.out).toMatch(/^ +\d+ {2}\d{4}-\S+Z {2}account\.purged +operator → user:1$/);
    const rows = await latchkey("served.db", ["audit", "list", "--account", "admin:1", "--json"]);
    const events = rows.out.split("\n").map((line) => Object(JSON.parse(line)).event);
    expect(events.toReversed().slice(0, 2)).toEqual(["account.registered", "login.succeeded"]);

    const other = new Database(join(folder, "served.db"));
    other.run("PRAGMA busy_timeout = 5000");
    expect(() => other.run("UPDATE audit_log SET event = 'login.succeeded' WHERE seq = 4")).toThrow(
      "the audit trail is only added to",
    );
    other.run("DROP TRIGGER audit_log_no_update");
    other.run("UPDATE audit_log SET client_address = '192.0.2.1' WHERE seq = 4");
    other.close();
    expect(await latchkey("served.db", ["audit", "verify"])).toEqual({
      code: 1,
      out: "",
      err:
        "latchkey: the audit trail is broken at row 4: its content was changed: it does not match its hash\n" +
        "latchkey: 3 rows before it are sound",
    });
  }, 30_000);
});

/** Whether an administrator's password is this one. */
async function fits(email: string, password: string): Promise<boolean> {
  using database = new Database(join(folder, "alone.db"), { readonly: true });
  const sql = "SELECT password_hash AS hash FROM admins WHERE email = ?";
  const row = database.query<{ hash: string }, [string]>(sql).get(email);
  return row !== null && Bun.password.verify(password, row.hash);
}

describe("alone", () => {
  test("passwords come from a file, and what is wrong is one line and an exit code", async () => {
    const file = join(folder, "password");
    writeFileSync(file, "from-a-file\r\nand a second line\n");
    const create = (...args: string[]) => latchkey("alone.db", ["admin", "create", ...args]);
    expect((await create("--email", "a@example.com", "--password-file", file)).code).toBe(0);
    expect(await fits("a@example.com", "from-a-file")).toBe(true);

    for (const [args, code, message] of [
      [["--email", "a@example.com", "--password-file", file], 65, "the email is taken"],
      [["--email", "nobody", "--generate"], 65, "--email: value is not a valid email address"],
      [["--email", "b@example.com", "--username", "a@b", "--generate"], 65, "--username: must be"],
      [["--email", "b@example.com", "--name", " ", "--generate"], 65, "--name: must be 1 to 255"],
      [["--email", "b@example.com", "--name", "x".repeat(256), "--generate"], 65, "--name: must be 1 to 255"],
      [["--email", "b@example.com", "--phone", "12", "--generate"], 65, "--phone: takes a number"],
      [["--generate"], 64, "an account needs --email"],
      [["--email", "b@example.com", "--generate", "--password-file", file], 64, "not both"],
      [["--email", "b@example.com", "--password-file", join(folder, "none")], 74, "(ENOENT)"],
      [["--email", "b@example.com"], 65, "Password must be at least 6 characters long"],
      [["--email", "b@example.com", "--password", "secret"], 64, "unknown option '--password'"],
      [["--email", "b@example.com", "--yes"], 64, "create does not take --yes"],
      [["someone"], 64, 'create does not take "someone"'],
    ] as const) {
      const refused = await create(...args);
      expect(refused).toMatchObject({ code, out: "", err: expect.stringContaining(message) });
    }
    expect((await latchkey("alone.db", ["admin", "list"])).out.split("\n")).toHaveLength(1);
  }, 60_000);

  test("a password on standard input is its first line, and one that is made is printed", async () => {
    const create = (email: string, ...args: string[]) => ["admin", "create", "--email", email, ...args];
    const typed = await latchkey("alone.db", create("typed@example.com"), "on the-line \r\nand another\n");
    expect(typed).toMatchObject({ code: 0, err: "" });
    expect(await fits("typed@example.com", "on the-line ")).toBe(true);

    const passwords = [];
    for (const email of ["one@example.com", "two@example.com"]) {
      const { out } = await latchkey("alone.db", create(email, "--generate"));
      const password = /\b[A-Za-z0-9]{24}\b/.exec(out)?.[0] ?? "";
      expect(await fits(email, password)).toBe(true);
      passwords.push(password);
    }
    expect(passwords[0]).not.toBe(passwords[1]);
  }, 30_000);

  test("verbs, names and databases that are not there", async () => {
    const missing = { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
    for (const [args, code, message] of [
      [["admin"], 64, "takes create, list, unlock"],
      [["user", "create"], 64, "takes promote, demote, list"],
      [["user", "block"], 64, "block takes the NAME of an account"],
      [["user", "block", "nobody"], 65, "there is no user nobody"],
      [["user", "block", "id:7"], 65, "there is no user id:7"],
      [["audit", "list", "--event", "x"], 64, "--event takes one of login.succeeded"],
      [["audit", "list", "--noted", "1:2"], 64, "list does not take --noted"],
      [["audit", "verify", "--noted", "1"], 64, "--noted takes SEQ:HASH"],
      [["maintenance"], 64, "takes run or avatars"],
      [["maintenance", "avatars", "all"], 64, 'avatars does not take "all"'],
    ] as const) {
      expect(await latchkey("alone.db", args)).toMatchObject({
        code,
        out: "",
        err: expect.stringContaining(message),
      });
    }
    expect(await latchkey("alone.db", ["user", "list"], "", missing)).toMatchObject({ code: 69, out: "" });
    for (const command of ["admin", "user", "audit", "maintenance"]) {
      const help = await latchkey("alone.db", [command, "--help"]);
      expect(help).toMatchObject({ code: 0, out: expect.stringContaining("examples:") });
    }
  }, 60_000);

  test("maintenance says what it removed, and verify what it can prove without the secret", async () => {
    expect(await latchkey("upkeep.db", ["audit", "verify"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("`latchkey migrate up` makes it"),
    });
    const run = await latchkey("upkeep.db", ["maintenance", "run"]);
    expect(run).toMatchObject({ code: 0, err: "" });
    expect(run.out.split("\n")).toEqual([
      "personal_tokens   0 removed",
      "sessions          0 removed",
      "login_attempts    0 removed",
      "idempotency_keys  0 removed",
      "audit             0 removed",
    ]);
    expect(await latchkey("upkeep.db", ["maintenance", "avatars"])).toMatchObject({
      code: 0,
      out: "avatars  0 removed",
    });
    expect((await latchkey("upkeep.db", ["audit", "verify"])).out).toBe(
      "the audit trail is sound, and empty",
    );

    await latchkey("upkeep.db", ["admin", "create", "--email", "a@example.com", "--generate"]);
    const newSecret = { SECRET_KEY: "the-secret-of-the-next-year-Zk3v9Qm-7Yt1RwXc5Hs8" };
    const verify = (...args: string[]) => latchkey("upkeep.db", ["audit", "verify", ...args], "", newSecret);
    expect(await verify()).toMatchObject({
      code: 1,
      err: expect.stringContaining("a secret that was not given"),
    });
    expect((await verify("--without-secret")).out).toContain("hashes alone");
    const old = join(folder, "old-secret");
    writeFileSync(old, `${SECRET}\n`);
    expect((await verify("--old-secret-file", old)).out).toContain("1 rows, 1 to 1 (hashes and seals)");
  }, 60_000);

  test("a password is text: a file or an input that is none is refused, and a mark of the byte order is no part of it", async () => {
    const file = join(folder, "bytes");
    const create = (email: string, ...more: string[]) =>
      latchkey("bytes.db", ["admin", "create", "--email", email, ...more]);
    writeFileSync(file, Buffer.from("pass\xffword123", "latin1"));
    expect(await create("a@example.com", "--password-file", file)).toMatchObject({
      code: 65,
      err: `latchkey: ${file} does not hold text in UTF-8`,
    });
    expect(await create("a@example.com", "--password-file", "")).toMatchObject({
      code: 64,
      err: expect.stringContaining("--password-file takes a value, and this one is empty"),
    });
    writeFileSync(file, "\ufefflong-password\n");
    expect((await create("a@example.com", "--password-file", file)).code).toBe(0);
    using database = new Database(join(folder, "bytes.db"), { readonly: true });
    const { hash } = Object(database.query("SELECT password_hash AS hash FROM admins").get());
    expect(await Bun.password.verify("long-password", hash)).toBe(true);
  });

  test("on a terminal the password is asked for twice, and never shown", async () => {
    const type = async (...lines: readonly string[]) => {
      let shown = "";
      let answered = 0;
      const child = Bun.spawn([process.execPath, MAIN, "admin", "create", "--email", "tty@example.com"], {
        cwd: folder,
        env: environment("terminal.db"),
        terminal: {
          data(terminal, bytes) {
            shown += Buffer.from(bytes).toString();
            const asked = (shown.match(/New password: |Once more: /g) ?? []).length;
            for (; answered < asked; answered += 1) terminal.write(lines[answered] ?? "");
          },
        },
      });
      return { code: await child.exited, shown };
    };
    const differing = await type("one-password\r", "another\r");
    expect(differing).toMatchObject({ code: 65, shown: expect.stringContaining("the two passwords differ") });
    expect((await type("\x03")).code).toBe(130);
    expect((await type("\x04")).code).toBe(1);

    // Pasted lines are answers to both questions; Ctrl-U takes back what was typed before it.
    const { code, shown } = await type("something else\x15secret-wörX\x7fd\rsecret-wörd\r");
    expect({ code, shown }).toMatchObject({ code: 0, shown: expect.stringContaining("created admin 1") });
    expect(shown).not.toContain("secret");
    expect(existsSync(join(folder, "terminal.db"))).toBe(true);
    expect(readFileSync(join(folder, "terminal.db"), "latin1")).not.toContain("secret-w");
  }, 60_000);
});
