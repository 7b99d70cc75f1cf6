import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { OPERATOR } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import { CHANGED, LEFT_OUT } from "../../src/core/import/findings.ts";
import { SourceRefused } from "../../src/core/import/source.ts";
import type { Store } from "../../src/core/store.ts";
import { openSource } from "../../src/storage/source.ts";
import { recognise } from "../../src/core/import/backends.ts";
import { failureOf } from "../support/failure.ts";
import { importFrom, temporarySource } from "../support/import.ts";
import type { Imported } from "../support/import.ts";
import { hasPostgres } from "../support/postgres.ts";
import { scratchFolder } from "../support/process.ts";
import { forEachEngine, shared } from "../support/program.ts";

const isPostgresThere = await hasPostgres();
const SETTINGS = { RATE_LIMIT_ENABLED: "false" };
const PASSWORD = "password123";

/** No hash that anybody knows a password for. */
const HASH = "$2b$10$ynvpiVO1NYf8wSh9aJBlXO9FRwFxkJOXY1c2WQy7BbofQXf.4j5km";

/** Every column that is taken of anything, of types that hold whatever a test puts there. */
const LOOSE = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR, username VARCHAR, name VARCHAR, phone VARCHAR,
    hashed_password VARCHAR, role VARCHAR, is_active BOOLEAN, created_at VARCHAR, updated_at VARCHAR, deleted_at VARCHAR);
  CREATE TABLE todos (id INTEGER PRIMARY KEY, title VARCHAR, description VARCHAR, completed BOOLEAN, priority VARCHAR,
    user_id INTEGER, created_at VARCHAR, updated_at VARCHAR);
`;

interface UserRow {
  readonly email: string | null;
  readonly username?: string;
  readonly name?: string;
  readonly phone?: string;
  readonly hash?: string;
  readonly role?: string;
  readonly active?: string;
  readonly created?: string;
}

const literal = (text: string | null | undefined) =>
  text === null || text === undefined ? "NULL" : `'${text.replaceAll("'", "''")}'`;

function user(id: number, { hash = HASH, active = "TRUE", ...row }: UserRow): string {
  const values = [row.email, row.username, row.name, row.phone, hash, row.role].map(literal).join(", ");
  return `INSERT INTO users VALUES (${id}, ${values}, ${active}, ${literal(row.created)}, NULL, NULL);\n`;
}

function todo(
  id: number,
  title: string,
  owner: number | null,
  rest: { description?: string; priority?: string } = {},
) {
  const values = [title, rest.description].map(literal).join(", ");
  return `INSERT INTO todos VALUES (${id}, ${values}, FALSE, ${literal(rest.priority)}, ${owner ?? "NULL"}, NULL, NULL);\n`;
}

const codes = ({ findings }: Imported) => findings.map(({ table, id, code }) => `${table} ${id} ${code}`);

forEachEngine("what cannot be taken as it is", (start, engine) => {
  const source = temporarySource(
    engine === "postgres" || !isPostgresThere ? "sqlite" : "postgres",
    LOOSE +
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
      user(11, { email: "eleven@example.com", hash: PASSWORD, role: "MODERATOR", created: "last week" }) +
      user(12, { email: "twelve@example.com", role: "ADMIN", active: "NULL" }) +
      todo(1, "  Mine  ", 1) +
      todo(2, "Nobody's", null) +
      todo(3, "Of one who was left out", 2) +
      todo(4, "Of one who never was", 99) +
      todo(5, "   ", 1) +
      todo(6, "t".repeat(256), 1) +
      todo(7, "Long", 1, { description: "d".repeat(1_001) }) +
      todo(8, "😀".repeat(255), 1, { priority: "urgent" }),
  );
  const program = shared(start, SETTINGS);

  test("is told with its reason, in a plan as when it is done", async () => {
    const { core } = program();
    const here = { email: "HERE@example.com", password: PASSWORD };
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
      [8, 4],
      [2, 6],
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
    expect(await find("twelve@example.com")).toMatchObject({ role: "admin", isActive: false });
    const eleven = await find("eleven@example.com");
    expect(eleven).toMatchObject({ role: "user", createdAtMs: core.clock.nowMs() });
    expect(eleven.passwordHash).toStartWith("$argon2id$");
    const ada = await find("ada@example.com");
    expect(ada).toMatchObject({ username: "ada", phone: "+491511234567" });
    const mine = await core.store.read.todos.ofAccount(ada.id, { completed: null, limit: null, offset: 0 });
    expect(mine.map(({ title, priority }) => [title, priority])).toEqual([
      ["Mine", "medium"],
      ["😀".repeat(255), "medium"],
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
      [1, 8, 3],
      [1, 2, 5],
    ]);
  });
});

forEachEngine("what only SQLite keeps", (start) => {
  const source = temporarySource(
    "sqlite",
    `CREATE TABLE users (id CHAR(32) PRIMARY KEY, email VARCHAR, hashed_password VARCHAR);
     CREATE TABLE todos (id CHAR(32) PRIMARY KEY, title VARCHAR, user_id CHAR(32));
     INSERT INTO users VALUES (NULL, 'nobody@example.com', NULL), ('a1', 'ada@example.com', NULL);
     INSERT INTO todos VALUES ('b1', 'a' || char(0) || 'b', 'a1'), ('b2', 'Fine', 'a1'), (x'c0ffee', 'Bytes', 'a1');`,
  );
  const program = shared(start, SETTINGS);

  test("is told as well: rows without an id, texts with NUL; an account without a hash has no password", async () => {
    const imported = await importFrom(program(), source);
    expect(codes(imported)).toEqual([
      "users null key_missing",
      "users a1 password_unknown",
      "todos b1 text_unreadable",
    ]);
    expect(imported.tallies.map(({ taken, leftOut }) => [taken, leftOut])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });
});

forEachEngine("an import that is ended", (start) => {
  const many = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)`;
  const source = temporarySource(
    "sqlite",
    `${LOOSE}
     INSERT INTO users ${many} SELECT i, 'user' || i || '@example.com', 'user' || i, NULL, NULL, '${HASH}', NULL, TRUE,
       '2026-01-04 10:00:00', NULL, NULL FROM n;
     INSERT INTO todos ${many} SELECT i, 'Todo ' || i, NULL, FALSE, NULL, 1 + i % 2500, NULL, NULL FROM n;`,
  );
  const program = shared(start, SETTINGS);
  const counts = ({ tallies }: Imported) =>
    tallies.map(({ table, taken, known, leftOut }) => [table, taken, known, leftOut]);

  test("goes on where it was; ids are kept, although somebody registered in between", async () => {
    expect(counts(await importFrom(program(), source, { stopAfter: 1 }))).toEqual([["users", 1_000, 0, 0]]);
    const { core } = program();
    const stranger = { email: "stranger@example.com", password: PASSWORD };
    expect((await core.accounts.register("user", stranger, OPERATOR)).id).toBe(2_501);

    expect(counts(await importFrom(program(), source, { stopAfter: 4 }))).toEqual([
      ["users", 1_500, 1_000, 0],
      ["todos", 1_000, 0, 0],
    ]);
    expect(counts(await importFrom(program(), source))).toEqual([
      ["users", 0, 2_500, 0],
      ["todos", 1_500, 1_000, 0],
    ]);
    expect((await core.store.read.accounts("user").byName("user2500"))?.id).toBe(2_500);
    expect(await core.store.read.todos.byId(2_499)).toMatchObject({ accountId: 2_500, title: "Todo 2499" });
    const directory = { search: null, isActive: null, deleted: false };
    expect(await core.store.read.directory.count(directory)).toBe(2_501);
  });

  test("takes rows that came since; an id that was given to another meanwhile is not kept", async () => {
    await source.run(
      user(2_501, { email: "late@example.com" }) + user(2_600, { email: "later@example.com" }),
    );
    const imported = await importFrom(program(), source);
    expect(counts(imported)[0]).toEqual(["users", 2, 2_500, 0]);
    expect(codes(imported)).toEqual(["users 2501 id_new"]);
    const accounts = program().core.store.read.accounts("user");
    expect((await accounts.byName("later@example.com"))?.id).toBe(2_600);
    expect((await accounts.byName("late@example.com"))?.id).toBe(2_601);
  });

  test("under another name is another source, of which all is here already", async () => {
    const { plan, tallies } = await importFrom(program(), source, { name: "a copy", applies: false });
    expect(plan.tables.map(({ known }) => known)).toEqual([0, 0]);
    expect(tallies.map(({ taken }) => taken)).toEqual([0, 0]);
  });

  test("looks anew at a batch in which somebody else was first", async () => {
    await source.run(user(3_000, { email: "racer@example.com" }));
    const { core } = program();
    let writes = 0;
    const racing: Store = {
      ...core.store,
      async write(work) {
        writes += 1;
        // What PostgreSQL answers where a registration was committed between the look and the insert.
        if (writes !== BATCH_WRITE) return core.store.write(work);
        await core.accounts.register("user", { email: "racer@example.com", password: PASSWORD }, OPERATOR);
        throw Fault.of({ kind: "conflict", noun: "user", field: "email" });
      },
    };
    const imported = await importFrom({ ...program(), core: { ...core, store: racing } }, source);
    expect(codes(imported)).toEqual(["users 3000 email_taken"]);
  });
});

/** The first two record the import and begin its table; the third batch is the one that has something new. */
const BATCH_WRITE = 5;

forEachEngine("two imports of the same at once", (start) => {
  const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
  const source = temporarySource(
    "sqlite",
    `${LOOSE}
     INSERT INTO todos ${many} SELECT i, 'Todo ' || i, NULL, FALSE, NULL, i, NULL, NULL FROM n;
     INSERT INTO users ${many}
       SELECT i, 'user' || i || '@example.com', NULL, NULL, NULL, '${HASH}', NULL, TRUE, NULL, NULL, NULL FROM n;`,
  );
  const program = shared(start, SETTINGS);

  test("take every row once between them", async () => {
    const both = await Promise.all([importFrom(program(), source), importFrom(program(), source)]);
    const sum = (count: "taken" | "known" | "leftOut") =>
      both.flatMap(({ tallies }) => tallies.map((tally) => tally[count])).reduce((a, b) => a + b);
    expect({ taken: sum("taken"), known: sum("known"), leftOut: sum("leftOut") }).toEqual({
      taken: 6_000,
      known: 6_000,
      leftOut: 0,
    });
    expect(both.flatMap(codes)).toEqual([]);
    expect(await program().core.store.read.accounts("user").liveCount()).toBe(3_000);
  });
});

forEachEngine("ids of accounts that are gone", (start) => {
  const source = temporarySource("sqlite", LOOSE + user(1, { email: "ada@example.com" }));
  const program = shared(start, SETTINGS);

  test("are nobody's again, since their tokens may still be about", async () => {
    const { core } = program();
    const gone = await core.accounts.register(
      "user",
      { email: "gone@example.com", password: PASSWORD },
      OPERATOR,
    );
    await core.accounts.purge(await core.accounts.delete(gone, OPERATOR), OPERATOR);
    expect(gone.id).toBe(1);
    expect(codes(await importFrom(program(), source))).toEqual(["users 1 id_new"]);
    expect((await core.store.read.accounts("user").byName("ada@example.com"))?.id).toBe(2);
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
