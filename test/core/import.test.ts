import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import { field, textField } from "../support/client.ts";
import type { TestClient } from "../support/client.ts";
import { fixture, importFrom, temporarySource } from "../support/import.ts";
import { hasPostgres } from "../support/postgres.ts";
import { forEachEngine, shared, TEST_HASH_COST } from "../support/program.ts";
import { data, LOGIN_PATH } from "../support/someone.ts";
import type { Realm } from "../../src/core/accounts.ts";

const SETTINGS = { RATE_LIMIT_ENABLED: "false" };
const isPostgresThere = await hasPostgres();

/** The other engine than the one imported to, so that both are read and both are written. */
const otherThan = (engine: "sqlite" | "postgres") =>
  engine === "postgres" || !isPostgresThere ? "sqlite" : "postgres";

/** More than 72 bytes, of which bcrypt saw the first. */
const LONG_PASSWORD = `${"x".repeat(72)}tail that bcrypt never saw`;

async function loginForm(client: TestClient, realm: Realm, username: string, password: string) {
  return client.post(LOGIN_PATH[realm], undefined, { form: { username, password } });
}

forEachEngine("an import from 000, cookie sessions", (start, engine) => {
  const source = temporarySource(otherThan(engine), fixture("000", otherThan(engine)));
  const program = shared(start, SETTINGS);

  test("takes users with their roles and todos; old passwords log in, and weak hashes are replaced", async () => {
    const { plan, tallies, findings } = await importFrom(program(), source);
    expect(plan.backend).toBe("000, cookie sessions");
    expect(tallies).toEqual([
      { table: "users", noun: "user", taken: 3, known: 0, leftOut: 0 },
      { table: "todos", noun: "todo", taken: 3, known: 0, leftOut: 0 },
    ]);
    expect(findings.map(({ table, code }) => [table, code])).toEqual([["refresh_tokens", "table_not_taken"]]);

    const client = program().client();
    const login = (email: string, password: string) =>
      client.post("/api/v1/users/login", { email, password });
    const ada = textField(await login("Ada@Example.com", "password123"), "access_token");
    expect((await client.get("/api/v1/todos", { token: ada })).body).toEqual([
      {
        id: 1,
        title: "Buy groceries",
        description: "Milk, eggs, bread",
        completed: false,
        user_id: 1,
        created_at: "2026-01-04T10:00:00.123Z",
        updated_at: null,
      },
      expect.objectContaining({ id: 2, title: "Pay rent", completed: true }),
    ]);
    const root = textField(await login("root@example.com", "adminpass1"), "access_token");
    expect((await client.delete("/api/v1/todos/2", { token: root })).status).toBe(204);

    const accounts = program().core.store.read.accounts("user");
    // Not by their own times: whoever had their ids here before, in a backup's lost future, had another version.
    expect((await accounts.byId(1))?.credentialsVersion).toBe(program().clock.nowMs());
    const hash = async (name: string) => (await accounts.credentialsByName(name))?.passwordHash;
    expect(await hash("old@example.com")).toStartWith("$argon2i$v=19$m=512,");
    expect((await login("old@example.com", "oldpass124")).status).toBe(401);
    expect((await login("old@example.com", "oldpass123")).status).toBe(200);
    const { memoryKib, passes } = TEST_HASH_COST;
    expect(await hash("old@example.com")).toStartWith(`$argon2id$v=19$m=${memoryKib},t=${passes},`);
    expect((await login("old@example.com", "oldpass123")).status).toBe(200);
  });

  test("gives the next ones ids behind those that came along", async () => {
    const { core } = program();
    const next = await core.accounts.register(
      "user",
      { email: "next@example.com", password: "password123" },
      OPERATOR,
    );
    expect(next.id).toBe(4);
  });

  test("is told in the audit trail, with counts", async () => {
    const nothing = { account: null, fromMs: null, untilMs: null };
    const [finished] = await program().core.audit.list({ event: "import.finished", ...nothing }, null, 1);
    expect(finished?.atMs).toBe(program().clock.nowMs());
    expect(JSON.parse(finished?.detail ?? "")).toEqual({
      source: "the source",
      ended: "whole",
      users: 3,
      users_left_out: 0,
      todos: 3,
      todos_left_out: 0,
    });
    expect(await program().core.audit.list({ event: "import.started", ...nothing }, null, 9)).toHaveLength(1);
  });
});

forEachEngine("an import from 001, users and admins", (start, engine) => {
  const source = temporarySource(otherThan(engine), fixture("001", otherThan(engine)));
  const program = shared(start, SETTINGS);

  test("takes both realms, the blocked and the deleted as such; tokens and pictures are told to stay behind", async () => {
    const { plan, tallies, findings } = await importFrom(program(), source);
    expect(plan.backend).toBe("001, users and admins");
    expect(tallies.map(({ noun, taken, leftOut }) => [noun, taken, leftOut])).toEqual([
      ["user", 3, 0],
      ["admin", 1, 0],
    ]);
    expect(findings).toEqual([
      {
        table: "personal_access_tokens",
        id: null,
        outcome: "left out",
        code: "table_not_taken",
        reason: expect.stringContaining("their owners make new ones"),
      },
    ]);
    expect(plan.leftOut).toMatchObject([{ table: "personal_access_tokens", rows: 2 }]);
    expect(plan.tables[0]?.mapping.leftOut.map(({ column }) => column)).toEqual([
      "avatar",
      "failed_login_attempts",
      "locked_until",
    ]);

    const client = program().client();
    const ada = await loginForm(client, "user", "ada", "secret1");
    const me = await client.get("/users/me", { token: textField(ada, "access_token") });
    expect(data(me)).toEqual({
      id: 1,
      username: "ada",
      name: "Ada Lovelace",
      email: "ada@example.com",
      phone: "+491511234567",
      avatar: null,
      avatar_url: null,
      is_active: true,
      created_at: "2026-01-04T10:00:00.123Z",
    });
    expect((await loginForm(client, "user", "bob", "secret2")).status).toBe(403);
    expect((await loginForm(client, "user", "gone", "secret3")).status).toBe(401);
    expect((await loginForm(client, "user", "root", "rootsecret")).status).toBe(401);
    const root = textField(await loginForm(client, "admin", "root", "rootsecret"), "access_token");
    expect((await program().core.store.read.accounts("admin").byName("root"))?.role).toBe("admin");
    const deleted = await client.get("/admin/users?deleted=true", { token: root });
    expect(deleted.body).toMatchObject({ data: { items: [{ username: "gone" }] } });
    const live = await client.get("/admin/users?search=lovelace", { token: root });
    expect(live.body).toMatchObject({ data: { total: 1, items: [{ username: "ada" }] } });
  });
});

forEachEngine("an import from 002, rotating tokens", (start, engine) => {
  const source = temporarySource(otherThan(engine), fixture("002", otherThan(engine)));
  const program = shared(start, SETTINGS);

  test("takes users and items; bcrypt's passwords log in, also those that it cut", async () => {
    const { plan, tallies } = await importFrom(program(), source);
    expect(plan.backend).toBe("002, rotating tokens");
    expect(tallies.map(({ noun, taken, leftOut }) => [noun, taken, leftOut])).toEqual([
      ["user", 2, 0],
      ["item", 2, 0],
    ]);
    const client = program().client();
    const login = (username: string, password: string) =>
      client.post("/api/v1/auth/token", undefined, { form: { username, password } });
    const accounts = program().core.store.read.accounts("user");
    const hash = async () => (await accounts.credentialsByName("username"))?.passwordHash;
    expect(await hash()).toStartWith("$2b$10$");
    const tokens = await login("username", "secure_password");
    expect(field(tokens, "refresh_token")).toBeString();
    expect(await hash()).toStartWith("$argon2id$");
    const items = await client.get("/api/v1/items", { token: textField(tokens, "access_token") });
    expect(items.body).toMatchObject({ total: 1, items: [{ id: 1, name: "Lamp", description: "A lamp" }] });

    expect((await login("Long.Pass", LONG_PASSWORD)).status).toBe(200);
    // Its new hash is of the whole password.
    expect((await login("Long.Pass", `${"x".repeat(72)}another tail`)).status).toBe(401);
    expect((await login("Long.Pass", LONG_PASSWORD)).status).toBe(200);
  });
});

forEachEngine("an import from 003, OAuth2 login", (start, engine) => {
  const source = temporarySource(otherThan(engine), fixture("003", otherThan(engine)));
  const program = shared(start, SETTINGS);

  test("takes superusers as role admin, and times without a zone as UTC; who has no e-mail is told", async () => {
    const { plan, findings } = await importFrom(program(), source);
    expect(plan.backend).toBe("003, OAuth2 login");
    expect(findings.map(({ table, id, code }) => [table, id, code])).toEqual([
      ["users", "3", "email_missing"],
    ]);
    const client = program().client();
    const john = await client.post("/api/v1/auth/login", undefined, {
      form: { username: "john", password: "secure123" },
    });
    const me = await client.get("/api/v1/users/me", { token: textField(john, "access_token") });
    expect(me.body).toEqual({
      id: 1,
      email: "john@example.com",
      username: "john",
      is_active: true,
      is_superuser: false,
      created_at: "2026-01-04T10:00:00.123Z",
    });
    const boss = await client.post("/api/v1/auth/login-json", { username: "boss", password: "bosspass1" });
    const bossMe = await client.get("/api/v1/users/me", { token: textField(boss, "access_token") });
    expect(bossMe.body).toMatchObject({ username: "boss", is_superuser: true });
  });
});

forEachEngine("an import from 004, RS256 and todos", (start, engine) => {
  const source = temporarySource(otherThan(engine), fixture("004", otherThan(engine)));
  const program = shared(start, SETTINGS);

  test("gives UUIDs new ids, which todos follow, and reads priorities by the names of their Enum", async () => {
    const { plan, tallies, findings } = await importFrom(program(), source);
    expect(plan.backend).toBe("004, RS256 and todos");
    expect(plan.tables.map(({ highestId }) => highestId)).toEqual([null, null]);
    expect(tallies.map(({ taken, leftOut }) => [taken, leftOut])).toEqual([
      [1, 0],
      [2, 0],
    ]);
    expect(findings).toEqual([]);
    const client = program().client();
    const login = await client.post("/v1/auth/login", { username: "john_doe", password: "securepass123" });
    const token = textField(login, "access_token");
    expect((await client.get("/v1/auth/me", { token })).body).toMatchObject({
      id: 1,
      full_name: "John Doe",
      updated_at: null,
    });
    const todos = await client.get("/v1/todos?sort=title", { token });
    expect(todos.body).toMatchObject({
      items: [
        { title: "Learn FastAPI", priority: "high", user_id: 1, updated_at: null },
        { title: "Rest", priority: "medium" },
      ],
    });
    for (const word of ["FASTAPI", "ASYNC"]) {
      expect((await client.get(`/v1/todos?q=${word}`, { token })).body).toMatchObject({ total: 1 });
    }
  });

  test("taken again, doubles nothing and brings nothing back", async () => {
    const { core } = program();
    const john = await core.store.read.accounts("user").byName("john_doe");
    if (john === null) throw new Error("the test before took him");
    await core.accounts.purge(await core.accounts.delete(john, OPERATOR), OPERATOR);
    const { plan, tallies } = await importFrom(program(), source);
    expect(plan.tables.map(({ known }) => known)).toEqual([1, 2]);
    expect(tallies.map(({ taken, known, leftOut }) => [taken, known, leftOut])).toEqual([
      [0, 1, 0],
      [0, 2, 0],
    ]);
    expect(await core.store.read.accounts("user").any()).toBe(false);
  });
});
