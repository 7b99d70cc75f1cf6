import { describe, expect, test } from "bun:test";
import { SECOND_MS } from "../../../src/core/clock.ts";
import { numberField } from "../../support/client.ts";
import type { Answer } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { signUp } from "./people.ts";
import type { Person } from "./people.ts";

const TODOS = "/api/v1/todos";

forEachEngine("api-v1 todos", (start) => {
  const program = shared(start);

  const create = ({ client, token }: Person, json: unknown): Promise<Answer> =>
    client.post(TODOS, json, { token });
  const createdId = async (person: Person, title: string) =>
    numberField(await create(person, { title }), "id");

  test("create answers the whole todo, its title trimmed", async () => {
    const alice = await signUp(program());
    const answer = await create(alice, { title: "  Buy groceries ", description: "Milk, eggs, bread" });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      title: "Buy groceries",
      description: "Milk, eggs, bread",
      completed: false,
      user_id: alice.id,
      created_at: "2026-01-04T10:00:00.000Z",
      updated_at: null,
    });
  });

  describe("limits count characters after trimming", () => {
    for (const [title, status] of [
      ["", 422],
      ["   ", 422],
      ["x".repeat(255), 200],
      ["x".repeat(256), 422],
      [`  ${"x".repeat(255)}  `, 200],
      ["😀".repeat(255), 200],
      ["😀".repeat(256), 422],
      ["a\0b", 422],
      ["\ud800", 422],
    ] as const) {
      test(`a title of ${[...title].length} characters beginning with ${JSON.stringify(title.slice(0, 4))} answers ${status}`, async () => {
        const alice = await signUp(program());
        expect((await create(alice, { title })).status).toBe(status);
      });
    }

    test("a description of 1,000 characters or null, no more", async () => {
      const alice = await signUp(program());
      expect((await create(alice, { title: "t", description: "é".repeat(1_000) })).status).toBe(200);
      expect((await create(alice, { title: "t", description: null })).status).toBe(200);
      expect((await create(alice, { title: "t", description: "é".repeat(1_001) })).body).toMatchObject({
        errors: [{ field: "body.description", message: "Input should have at most 1000 characters" }],
      });
    });
  });

  test("list answers one's own, oldest first, filtered and cut where asked", async () => {
    const alice = await signUp(program());
    const bob = await signUp(program());
    const ids: number[] = [];
    for (const title of ["one", "two", "three"]) ids.push(await createdId(alice, title));
    await createdId(bob, "another's");
    await alice.client.put(`${TODOS}/${ids[1]}`, { completed: true }, { token: alice.token });
    const list = async (query: string) => {
      const { status, body } = await alice.client.get(`${TODOS}/${query}`, { token: alice.token });
      return status === 200 && Array.isArray(body) ? body.map((todo) => todo.id) : status;
    };
    expect(await list("")).toEqual(ids);
    expect(await list("?completed=true")).toEqual([ids[1]]);
    expect(await list("?completed=false")).toEqual([ids[0], ids[2]]);
    expect(await list("?limit=2")).toEqual(ids.slice(0, 2));
    expect(await list("?limit=2&offset=2")).toEqual(ids.slice(2));
    expect(await list("?offset=9")).toEqual([]);
    for (const bad of [
      "?limit=0",
      "?limit=-1",
      "?limit=1001",
      "?limit=ten",
      "?offset=-1",
      "?completed=maybe",
      "?limit=1e9",
    ]) {
      expect(await list(bad)).toBe(422);
    }
  });

  test("the oldest is the one that was made first, as one that came by an import, whatever its id", async () => {
    const alice = await signUp(program());
    const ids = [
      await createdId(alice, "new"),
      await createdId(alice, "old"),
      await createdId(alice, "done"),
    ];
    await program().database.write((connection) =>
      connection.run("UPDATE todos SET created_at_ms = created_at_ms - 1000 WHERE id > $1 AND user_id = $2", [
        ids[0] ?? 0,
        alice.id,
      ]),
    );
    await alice.client.put(`${TODOS}/${ids[2]}`, { completed: true }, alice);
    const titles = async (query: string) => {
      const { body } = await alice.client.get(`${TODOS}${query}`, alice);
      return Array.isArray(body) ? body.map(({ title }) => title) : body;
    };
    expect(await titles("")).toEqual(["old", "done", "new"]);
    expect(await titles("?limit=2&offset=1")).toEqual(["done", "new"]);
    expect(await titles("?completed=false")).toEqual(["old", "new"]);
  });

  test("update changes what is given, leaves what is null or absent, and notes when", async () => {
    const alice = await signUp(program());
    const { client, token } = alice;
    const answer = await create(alice, { title: "Before", description: "kept" });
    const id = numberField(answer, "id");
    program().clock.forwardMs(SECOND_MS);
    const updated = await client.put(
      `${TODOS}/${id}`,
      { completed: true, title: null, description: null, user_id: 1, id: 2 },
      { token },
    );
    expect(updated.status).toBe(200);
    expect(updated.body).toEqual({
      ...Object(answer.body),
      completed: true,
      updated_at: new Date(program().clock.nowMs()).toISOString(),
    });
    expect((await client.get(`${TODOS}/${id}`, { token })).body).toEqual(updated.body);
    expect((await client.put(`${TODOS}/${id}`, { completed: "true" }, { token })).status).toBe(422);
  });

  test("S22 another's todo is as if it were not there, and an administrator reads and changes it", async () => {
    const alice = await signUp(program());
    const bob = await signUp(program());
    const admin = await signUp(program(), { role: "admin" });
    const id = await createdId(alice, "Alice's");
    const path = `${TODOS}/${id}`;
    for (const answer of [
      await bob.client.get(path, { token: bob.token }),
      await bob.client.put(path, { title: "Bob's" }, { token: bob.token }),
      await bob.client.get(`${TODOS}/999999`, { token: bob.token }),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual({ detail: "Todo not found" });
    }
    expect((await admin.client.get(path, { token: admin.token })).body).toMatchObject({ title: "Alice's" });
    const changed = await admin.client.put(path, { title: "Seen" }, { token: admin.token });
    expect(changed.body).toMatchObject({ title: "Seen", user_id: alice.id });
  });

  test("delete is an administrator's", async () => {
    const alice = await signUp(program());
    const admin = await signUp(program(), { role: "admin" });
    const path = `${TODOS}/${await createdId(alice, "Doomed")}`;
    for (const target of [path, `${TODOS}/999999`]) {
      const refused = await alice.client.delete(target, { token: alice.token });
      expect(refused.status).toBe(403);
      expect(refused.body).toEqual({ detail: "Access denied. Required role: ['admin']" });
    }
    const deleted = await admin.client.delete(path, { token: admin.token });
    expect(deleted.status).toBe(204);
    expect(deleted.body).toBeUndefined();
    expect((await admin.client.delete(path, { token: admin.token })).status).toBe(404);
  });

  test("every route wants a token before it looks at anything else", async () => {
    const client = program().client();
    for (const [method, path] of [
      ["POST", TODOS],
      ["GET", TODOS],
      ["GET", `${TODOS}/abc`],
      ["PUT", `${TODOS}/1`],
      ["DELETE", `${TODOS}/1`],
    ] as const) {
      const answer = await client.send(method, path, method === "GET" ? {} : { raw: "{ no json" });
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual({ detail: "Missing or invalid Authorization header" });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  });
});
