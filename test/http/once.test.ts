import { describe, expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import { DAY_MS } from "../../src/core/clock.ts";
import { Idempotency } from "../../src/core/idempotency.ts";
import { apiV1 } from "../../src/surfaces/api-v1/index.ts";
import { root } from "../../src/surfaces/root/index.ts";
import { v1 } from "../../src/surfaces/v1/index.ts";
import { configOf } from "../config/support.ts";
import { field, numberField } from "../support/client.ts";
import type { Answer, TestClient } from "../support/client.ts";
import { failureOf } from "../support/failure.ts";
import { forEachEngine, shared, TEST_SECRET } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { newEmail, PASSWORD, signUp } from "../surfaces/api-v1/people.ts";

const TODOS = "/api/v1/todos";
const USERS = "/api/v1/users/register";

const named = (key: string) => ({ "idempotency-key": key });
const isReplayed = ({ headers }: Answer) => headers.get("idempotency-replayed") === "true";
const newKey = () => crypto.randomUUID();

async function countTodos(client: TestClient, token: string): Promise<number> {
  const { body } = await client.get(TODOS, { token });
  return Array.isArray(body) ? body.length : -1;
}

async function rowsOf(program: TestProgram, key: string): Promise<number> {
  return (await program.database.reader.all("SELECT key FROM idempotency_keys WHERE key = $1", [key])).length;
}

forEachEngine("Idempotency-Key", (start) => {
  const program = shared(start);

  test("the same request again gets the first answer again, word for word, and makes nothing", async () => {
    const { client, token } = await signUp(program());
    const options = { token, headers: named(newKey()) };
    const first = await client.post(TODOS, { title: "Once" }, options);
    await client.put(`${TODOS}/${numberField(first, "id")}`, { title: "Changed since" }, { token });
    const again = await client.post(`${TODOS}/`, { title: "Once", ignored: true }, options);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect([isReplayed(first), isReplayed(again)]).toEqual([false, true]);
    expect(again.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(await countTodos(client, token)).toBe(1);
  });

  test("without a key, and under another, the same request makes another", async () => {
    const { client, token } = await signUp(program());
    for (const headers of [{}, {}, named(newKey()), named(newKey())]) {
      expect(isReplayed(await client.post(TODOS, { title: "Many" }, { token, headers }))).toBe(false);
    }
    expect(await countTodos(client, token)).toBe(4);
  });

  test("another body, or another route, under the same key is refused", async () => {
    const { client, token } = await signUp(program());
    const options = { token, headers: named(newKey()) };
    await client.post(TODOS, { title: "One" }, options);
    for (const [path, body] of [
      [TODOS, { title: "Two" }],
      [TODOS, { title: "One", description: "and more" }],
      ["/v1/todos", { title: "One" }],
      ["/api/v1/items", { name: "One" }],
    ] as const) {
      const other = await client.post(path, body, options);
      expect(other.status).toBe(422);
      expect(JSON.stringify(other.body)).toContain("This key was used with another request");
    }
    expect(await countTodos(client, token)).toBe(1);
  });

  test("of twenty at once, on two instances, one makes it and all get its answer", async () => {
    const other = await start();
    const { client, token } = await signUp(program());
    const clients = [client, other.client()];
    const options = { token, headers: named(newKey()) };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, turn) => clients[turn % 2]?.post(TODOS, { title: "Raced" }, options)),
    );
    expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set([200]));
    expect(new Set(answers.map((answer) => JSON.stringify(answer?.body))).size).toBe(1);
    expect(answers.filter((answer) => answer !== undefined && !isReplayed(answer))).toHaveLength(1);
    expect(await countTodos(client, token)).toBe(1);
  });

  test("of two different ones at once under one key, one is refused", async () => {
    const { client, token } = await signUp(program());
    const options = { token, headers: named(newKey()) };
    const answers = await Promise.all(["a", "b", "c"].map((title) => client.post(TODOS, { title }, options)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 422, 422]);
    expect(await countTodos(client, token)).toBe(1);
  });

  test("a restart forgets nothing, a day does", async () => {
    const { client, token, email } = await signUp(program());
    const key = newKey();
    const options = { token, headers: named(key) };
    const first = await client.post(TODOS, { title: "Kept" }, options);

    const restarted = await start();
    const later = restarted.client();
    const again = await later.post(TODOS, { title: "Kept" }, options);
    expect(again.body).toEqual(first.body);

    restarted.clock.forwardMs(DAY_MS - 1);
    const login = await later.post("/api/v1/users/login", { email, password: PASSWORD });
    const fresh = { token: String(field(login, "access_token")), headers: named(key) };
    expect(isReplayed(await later.post(TODOS, { title: "Kept" }, fresh))).toBe(true);
    expect((await restarted.core.housekeeping.run()).idempotency_keys).toBe(0);
    restarted.clock.forwardMs(1);
    const anew = await later.post(TODOS, { title: "Other body" }, fresh);
    expect([anew.status, isReplayed(anew)]).toEqual([200, false]);
    expect(numberField(anew, "id")).not.toBe(numberField(first, "id"));

    restarted.clock.forwardMs(DAY_MS);
    expect(await rowsOf(restarted, key)).toBe(1);
    expect((await restarted.core.housekeeping.run()).idempotency_keys).toBeGreaterThan(0);
    expect(await rowsOf(restarted, key)).toBe(0);
  });

  test("refusals are not kept: what was mended goes through under the same key", async () => {
    const { client, token } = await signUp(program());
    const options = { token, headers: named(newKey()) };
    expect((await client.post(TODOS, { title: "" }, options)).status).toBe(422);
    expect((await client.post(TODOS, { title: "Mended" }, options)).status).toBe(200);
  });

  test.each(["", "a b", "x".repeat(256), "ä", "a\tb"])("the key %p is refused", async (key) => {
    const { client, token } = await signUp(program());
    const answer = await client.post(TODOS, { title: "" }, { token, headers: named(key) });
    expect(answer.status).toBe(422);
    const said = JSON.stringify(answer.body);
    expect(said).toContain("header.Idempotency-Key");
    expect(said).toContain("body.title");
  });

  test("any visible ASCII will do, up to 255 characters", async () => {
    const { client, token } = await signUp(program());
    for (const key of ["1", "'; DROP TABLE todos; --".replaceAll(" ", "_"), '"quoted"', "~".repeat(255)]) {
      const options = { token, headers: named(key) };
      expect((await client.post(TODOS, { title: "Odd" }, options)).status).toBe(200);
      expect(isReplayed(await client.post(TODOS, { title: "Odd" }, options))).toBe(true);
    }
  });

  test("S22 a key belongs to its account: another's request under it is their own", async () => {
    const [one, two] = [await signUp(program()), await signUp(program())];
    const headers = named(newKey());
    const mine = await one.client.post(TODOS, { title: "Ours?" }, { token: one.token, headers });
    const theirs = await two.client.post(TODOS, { title: "Ours?" }, { token: two.token, headers });
    expect(isReplayed(theirs)).toBe(false);
    expect(numberField(theirs, "user_id")).toBe(two.id);
    expect(numberField(mine, "user_id")).toBe(one.id);
    expect((await one.client.post(TODOS, { title: "Ours?" }, { headers })).status).toBe(401);
  });

  describe("every route that takes a key makes one of what it makes", () => {
    const email = newEmail();
    for (const [path, body] of [
      [TODOS, { title: "Once" }],
      ["/api/v1/items", { name: "Once" }],
      [USERS, { email: newEmail(), password: PASSWORD }],
      ["/api/v1/auth/register", { email, username: email.split("@")[0], password: PASSWORD }],
      ["/v1/todos", { title: "Once" }],
      ["/v1/todos/bulk", { operations: [{ op: "create", title: "Once" }] }],
    ] as const) {
      test(path, async () => {
        const { client, token } = await signUp(program());
        const options = { token, headers: named(newKey()) };
        const first = await client.post(path, body, options);
        expect([200, 201]).toContain(first.status);
        const again = await client.post(path, body, options);
        expect([again.status, again.body, isReplayed(again)]).toEqual([first.status, first.body, true]);
      });
    }
  });

  describe("before anybody has logged in", () => {
    test("a registration is repeated without a conflict, from another address too", async () => {
      const body = { email: newEmail(), password: PASSWORD };
      const options = { headers: named(newKey()) };
      const client = program().client();
      const first = await client.post(USERS, body, options);
      expect(first.status).toBe(200);
      for (const each of [client, program().client()]) {
        const again = await each.post(USERS, body, options);
        expect(again).toMatchObject({ status: 200, body: first.body });
        expect(isReplayed(again)).toBe(true);
      }
      expect((await client.post(USERS, body)).status).toBe(400);
    });

    test("registrations that race under one key all get the one account", async () => {
      const other = await start();
      const body = { email: newEmail(), password: PASSWORD };
      const headers = named(newKey());
      const clients = [program().client(), program().client(), other.client(), other.client()];
      const answers = await Promise.all(clients.map((client) => client.post(USERS, body, { headers })));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(new Set(answers.map((answer) => numberField(answer, "id"))).size).toBe(1);
    });

    test("S22 whoever guesses a key, and all but the password, gets nobody's answer", async () => {
      const email = newEmail();
      const headers = named("1");
      const client = program().client();
      const first = await client.post(USERS, { email, password: PASSWORD }, { headers });
      expect(first.status).toBe(200);
      const sameAddress = await client.post(USERS, { email, password: "guess12345" }, { headers });
      expect(sameAddress.status).toBe(422);
      const elsewhere = await program().client().post(USERS, { email, password: "guess12345" }, { headers });
      expect(elsewhere.status).toBe(400);
      // Two strangers who both count from 1 do not meet.
      const stranger = await program()
        .client()
        .post(USERS, { email: newEmail(), password: PASSWORD }, { headers });
      expect([stranger.status, isReplayed(stranger)]).toEqual([200, false]);
      for (const answer of [sameAddress, elsewhere]) {
        expect(JSON.stringify(answer.body)).not.toContain(String(field(first, "id")) + ",");
      }
    });

    test("S15 what is kept cannot be tried against a list of passwords without the server's secret", async () => {
      const body = { email: newEmail(), password: PASSWORD };
      const key = newKey();
      await program()
        .client()
        .post(USERS, body, { headers: named(key) });
      const [row] = await program().database.reader.all("SELECT * FROM idempotency_keys WHERE key = $1", [
        key,
      ]);
      expect(Bun.inspect(row)).not.toContain(PASSWORD);
      const guess = { key, owner: "anybody", operation: `POST ${USERS}`, body, isAnonymous: true };
      const guessedUnder = (secret: string) =>
        new Idempotency({ store: program().core.store, clock: program().clock, secret }).once(
          guess,
          () => Promise.reject(new Error("not found")),
          () => ({ status: 200, headers: {}, body: null }),
        );
      expect(await guessedUnder(TEST_SECRET)).toMatchObject({ isReplayed: true });
      expect(await failureOf(guessedUnder("another secret"))).toHaveProperty("message", "not found");
    });
  });

  test("S31 the answer and what was made stand or fall together", async () => {
    const { client, token } = await signUp(program());
    const key = newKey();
    const options = { token, headers: named(key) };
    const { todos } = program().core;
    const caller = await program().core.authentication.caller("user", token, OPERATOR);
    const cutOff = todos.create(caller, { title: "Cut off" }, async (tx, todo) => {
      await tx.idempotency.keep({
        key,
        owner: `user:${todo.accountId}`,
        fingerprint: new Uint8Array(32),
        answer: { status: 200, headers: {}, body: "{}" },
        createdAtMs: program().clock.nowMs(),
        expiresAtMs: program().clock.nowMs() + DAY_MS,
      });
      throw new Error("the process dies here");
    });
    await expect(cutOff).rejects.toThrow("the process dies here");
    expect(await countTodos(client, token)).toBe(0);
    expect(await rowsOf(program(), key)).toBe(0);
    expect(isReplayed(await client.post(TODOS, { title: "Cut off" }, options))).toBe(false);
    expect(await countTodos(client, token)).toBe(1);
  });

  test("S15 no route that answers with a token or a secret keeps its answers", async () => {
    const everything = [
      ...apiV1(program().core, { secure: false, sameSite: "lax", domain: null }).routes,
      ...root(program().core, configOf({})).routes,
      ...v1(program().core, { version: "", environment: "" }).routes,
    ];
    const keeping = everything.filter(({ docs }) =>
      docs.parts.some(({ header }) => header?.name === "Idempotency-Key"),
    );
    expect(keeping.map(({ path }) => path).toSorted()).toEqual([
      "/admin/auth/register",
      "/api/v1/auth/register",
      "/api/v1/items",
      TODOS,
      USERS,
      "/auth/register",
      "/v1/auth/register",
      "/v1/todos",
      "/v1/todos/bulk",
      "/v1/users",
    ]);
    for (const { path, docs } of keeping)
      expect(JSON.stringify(docs.returns), path).not.toMatch(/token|secret|password/i);
  });

  test("expired keys go a thousand at a time, all of them, and the others stay", async () => {
    const clean = await start();
    const insert = (key: string, expiresAtMs: number) =>
      clean.core.store.write((tx) =>
        tx.idempotency.keep({
          key,
          owner: "user:1",
          fingerprint: new Uint8Array(32),
          answer: { status: 200, headers: {}, body: null },
          createdAtMs: 0,
          expiresAtMs,
        }),
      );
    await clean.database.write((connection) => connection.run("DELETE FROM idempotency_keys"));
    await Promise.all(Array.from({ length: 1_100 }, (_, turn) => insert(`old-${turn}`, 1)));
    await insert("new", clean.clock.nowMs() + 1);
    expect((await clean.core.housekeeping.run()).idempotency_keys).toBe(1_100);
    expect(await rowsOf(clean, "new")).toBe(1);
  });
});
