import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OPERATOR } from "../../src/core/actor.ts";
import { CHANGED, LEFT_OUT } from "../../src/core/import/findings.ts";
import { SourceRefused } from "../../src/core/import/source.ts";
import { openSource } from "../../src/storage/source.ts";
import { recognise } from "../../src/core/import/backends.ts";
import { failureOf } from "../support/failure.ts";
import { codes, HASH, importFrom, LOOSE, temporarySource, todo, user } from "../support/import.ts";
import { hasPostgres } from "../support/postgres.ts";
import { scratchFolder } from "../support/process.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { PASSWORD } from "../support/someone.ts";

const isPostgresThere = await hasPostgres();
const SETTINGS = { RATE_LIMIT_ENABLED: "false" };

forEachEngine("what cannot be taken as it is", (start, engine) => {
  const source = temporarySource(
    engine === "postgres" || !isPostgresThere ? "sqlite" : "postgres",
    `${LOOSE}
     CREATE TABLE admins (id INTEGER PRIMARY KEY, email VARCHAR, hashed_password VARCHAR);
     INSERT INTO admins VALUES (2, 'root@example.com', '${HASH}');` +
      user(1, { email: "Ada@Example.com", username: "ada", phone: "+49 151 1234567" }) +
      user(2, { email: null }) +
      user(3, { email: "not an address" }) +
      user(4, { email: " ADA@example.COM", username: "lovelace" }) +
      user(5, { email: "here@example.com" }) +
      user(6, { email: "six@example.com", username: "Ada" }) +
      user(7, { email: "seven@example.com", username: "seven@example.com" }) +
      user(8, { email: "eight@example.com", phone: "0049 151 1234567" }) +
      user(9, { email: "nine@example.com", phone: "+49-151-1234567", name: "n".repeat(256) }) +
      user(10, { email: "ten@example.com", hash: "$pbkdf2-sha256$29000$orQW4lzr$1DjdB936rQt9XJvn" }) +
      user(11, {
        email: "eleven@example.com",
        hash: PASSWORD,
        role: "MODERATOR",
        created: "last week",
        updated: "?",
      }) +
      user(12, { email: "twelve@example.com", role: "ADMIN", active: "NULL", name: "  ", phone: "" }) +
      user(13, { email: "thirteen@example.com", deleted: "in spring", name: ` ${"n".repeat(255)} ` }) +
      user(14, { email: "fourteen@example.com", username: "HERE", phone: "+49 151 7654321" }) +
      todo(1, "  Mine  ", 1) +
      todo(2, "Nobody's", null) +
      todo(3, "Of one who was left out", 2) +
      todo(4, "Of one who never was", 99) +
      todo(5, "   ", 1) +
      todo(6, "t".repeat(256), 1) +
      todo(7, "Long", 1, { description: "d".repeat(1_001) }) +
      todo(9, "Full", 1, { description: "d".repeat(1_000) }) +
      todo(8, "😀".repeat(255), 1, { priority: "urgent" }),
  );
  const program = shared(start, SETTINGS);

  test("is told with its reason, in a plan as when it is done", async () => {
    const { core } = program();
    const here = {
      email: "HERE@example.com",
      username: "here",
      phone: "+491517654321",
      password: PASSWORD,
    };
    await core.accounts.register("user", here, OPERATOR);

    const planned = await importFrom(program(), source, { applies: false });
    expect(await core.store.read.accounts("user").list(false, 0, 9)).toHaveLength(1);
    const imported = await importFrom(program(), source);
    expect(codes(imported)).toEqual(codes(planned));
    expect(imported.tallies).toEqual(planned.tallies);
    expect(codes(imported).toSorted()).toEqual(
      [
        "users 2 email_missing",
        "users 3 email_invalid",
        "users 1 id_new",
        "users 4 email_taken",
        "users 5 email_taken",
        "users 6 username_taken",
        "users 7 username_invalid",
        "users 8 phone_invalid",
        "users 9 name_dropped",
        "users 9 phone_taken",
        "users 10 password_unknown",
        "users 11 password_unknown",
        "users 11 role_unknown",
        "users 11 time_unreadable",
        "users 13 time_unreadable",
        "users 14 username_taken",
        "users 14 phone_taken",
        "todos 2 owner_missing",
        "todos 5 title_missing",
        "todos 6 title_too_long",
        "todos 7 description_too_long",
        "todos 8 priority_unknown",
        "todos 3 owner_left_out",
        "todos 4 owner_left_out",
      ].toSorted(),
    );
    expect(imported.tallies.map(({ taken, leftOut }) => [taken, leftOut])).toEqual([
      [10, 4],
      [1, 0],
      [3, 6],
    ]);
    for (const { outcome, code, reason } of imported.findings) {
      expect(Reflect.get(outcome === "changed" ? CHANGED : LEFT_OUT, code)).toBe(reason);
    }
  });

  test("leaves nothing in the database that the API would not have made", async () => {
    const { core } = program();
    const accounts = core.store.read.accounts("user");
    const find = async (name: string) => (await accounts.byName(name)) ?? Promise.reject(new Error(name));
    expect(await find("six@example.com")).toMatchObject({ id: 6, username: null });
    expect(await find("nine@example.com")).toMatchObject({ name: null, phone: null });
    expect(await find("twelve@example.com")).toMatchObject({
      role: "admin",
      isActive: false,
      name: null,
    });
    // Deleted, whenever that was.
    expect(await accounts.byId(13)).toMatchObject({ deletedAtMs: core.clock.nowMs(), name: "n".repeat(255) });
    const eleven = await find("eleven@example.com");
    expect(eleven).toMatchObject({ role: "user", createdAtMs: core.clock.nowMs() });
    expect(await accounts.passwordHash(eleven.id)).toStartWith("$argon2id$");
    const ada = await find("ada@example.com");
    expect(ada).toMatchObject({
      username: "ada",
      phone: "+491511234567",
      createdAtMs: core.clock.nowMs(),
    });
    const mine = await core.store.read.todos.ofAccount(ada.id, { completed: null, limit: null, offset: 0 });
    expect(mine.map(({ title, priority }) => [title, priority])).toEqual([
      ["Mine", "medium"],
      ["😀".repeat(255), "medium"],
      ["Full", "medium"],
    ]);
    const login = await program()
      .client()
      .post("/api/v1/users/login", { email: "eleven@example.com", password: PASSWORD });
    expect(login.status).toBe(401);
  });

  test("is taken by a later run, once it was put right in the source", async () => {
    await source.run("UPDATE users SET email = 'two@example.com' WHERE id = 2");
    const { tallies } = await importFrom(program(), source);
    expect(tallies.map(({ taken, known, leftOut }) => [taken, known, leftOut])).toEqual([
      [1, 10, 3],
      [0, 1, 0],
      [1, 3, 5],
    ]);
  });
});

forEachEngine("what only SQLite keeps", (start) => {
  const source = temporarySource(
    "sqlite",
    `CREATE TABLE users (id CHAR(32) PRIMARY KEY, email VARCHAR, hashed_password VARCHAR, name VARCHAR);
     CREATE TABLE todos (id CHAR(32) PRIMARY KEY, title VARCHAR, description VARCHAR, user_id CHAR(32));
     INSERT INTO users VALUES (NULL, 'nobody@example.com', NULL, NULL), ('a1', 'ada@example.com', NULL, NULL),
       ('a' || char(0), 'nul@example.com', NULL, NULL), ('a2', 'bob@example.com', NULL, 'B' || char(0));
     INSERT INTO todos VALUES ('b1', 'a' || char(0) || 'b', NULL, 'a1'), ('b2', 'Fine', NULL, 'a1'),
       (x'c0ffee', 'Bytes', NULL, 'a1'), ('b3', 'Odd', 'a' || char(0), 'a1'), ('b4', 'Whose', NULL, char(0)),
       (char(0), 'No id', NULL, 'a1');`,
  );
  const program = shared(start, SETTINGS);

  test("is told as well: rows without an id, texts with NUL; an account without a hash has no password", async () => {
    const imported = await importFrom(program(), source);
    expect(codes(imported)).toEqual([
      "users null key_missing",
      "users null key_missing",
      "users a1 password_unknown",
      "users a2 name_dropped",
      "users a2 password_unknown",
      "todos b4 owner_missing",
      "todos null key_missing",
      "todos b1 text_unreadable",
      "todos b3 text_unreadable",
    ]);
    expect(imported.tallies.map(({ taken, leftOut }) => [taken, leftOut])).toEqual([
      [2, 2],
      [2, 4],
    ]);
  });
});

describe("a database that is none of the five backends'", () => {
  const folder = scratchFolder();

  test.each([
    [
      "holds nothing",
      [],
      "looked for a table users with id, email, hashed_password or password_hash or password, and it has no tables",
    ],
    ["holds something else", [{ name: "orders", columns: ["id"] }], "and it has orders"],
    [
      "has users that cannot log in",
      [{ name: "users", columns: ["id", "mail"] }],
      "its table users lacks email, hashed_password",
    ],
    [
      "is Latchkey's own",
      [
        { name: "audit_chain", columns: ["id"] },
        { name: "schema_migrations", columns: ["version"] },
      ],
      "a database of Latchkey itself",
    ],
  ])("that %s is refused, with what was looked for", (_, tables, said) => {
    expect(() => recognise(tables)).toThrow(said);
  });

  test("is recognised by users alone, with unknown columns named", () => {
    const columns = ["id", "email", "password_hash", "shoe_size"];
    const { backend, mappings } = recognise([{ name: "user", columns }]);
    expect(backend).toBe("000, cookie sessions");
    expect(mappings).toMatchObject([{ noun: "user", table: "user", leftOut: [{ column: "shoe_size" }] }]);
  });

  test.each([
    ["family_id", "002, rotating tokens"],
    ["user_id", "004, RS256 and todos"],
  ])("whose refresh tokens have a %s is taken for %s", (column, backend) => {
    const found = recognise([
      { name: "users", columns: ["id", "email", "username", "hashed_password"] },
      { name: "todos", columns: ["id", "title", "user_id"] },
      { name: "refresh_tokens", columns: ["id", column] },
    ]);
    expect(found.backend).toBe(backend);
  });

  test("has its tables by their fuller names first, and whatever a column of them is called", () => {
    const users = { name: "users", columns: ["id", "email", "password"] };
    const items = { name: "items", columns: ["id", "owner_id", "title"] };
    const { mappings, leftOut } = recognise([{ ...users, name: "user" }, items, users]);
    expect(mappings.map(({ table }) => table)).toEqual(["users", "items"]);
    expect(mappings[1]?.columns.map(({ from, to }) => [from, to])).toEqual([
      ["id", "id"],
      ["owner_id", "user_id"],
      ["title", "name"],
    ]);
    expect(leftOut.map(({ table }) => table)).toEqual(["user"]);
  });

  test.each([
    ["missing.db", null, "there is no file"],
    ["text.db", "this is no database, however long it is ".repeat(100), "file is not a database"],
  ])("%s cannot be read", async (name, content, said) => {
    const path = join(folder, name);
    if (content !== null) writeFileSync(path, content);
    const opening = openSource({ engine: "sqlite", path }).then((source) => source.tables());
    const failure = await failureOf(opening);
    expect(failure).toBeInstanceOf(SourceRefused);
    expect(String(failure)).toContain(said);
  });

  test("behind an address where nobody answers cannot be read", async () => {
    const failure = await failureOf(
      openSource({ engine: "postgres", url: "postgres://nobody@127.0.0.1:1/none" }),
    );
    expect(failure).toBeInstanceOf(SourceRefused);
  });
});
