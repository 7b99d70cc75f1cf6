import { describe, expect, test } from "bun:test";
import { SECOND_MS } from "../../../src/core/clock.ts";
import { numberField } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { expectFailure, failure, signUp, wrongFields } from "./people.ts";
import type { Person } from "./people.ts";

const TODOS = "/v1/todos";
const TODO_KEYS = [
  "completed",
  "created_at",
  "description",
  "id",
  "priority",
  "title",
  "updated_at",
  "user_id",
];

forEachEngine("v1 todos", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const createdId = async (person: Person, todo: object = { title: "A todo" }) =>
    numberField(await person.post(TODOS, todo), "id");
  const titles = async (person: Person, query: string): Promise<unknown> => {
    const { status, body } = await person.get(`${TODOS}${query}`);
    return status === 200 ? Object(body).items.map((todo: { title: string }) => todo.title) : status;
  };

  test("S23 create answers the whole todo, and takes nothing that is not its own", async () => {
    const alice = await signUp(program());
    const answer = await alice.post(TODOS, {
      title: "  Learn FastAPI ",
      description: "Build an async REST API",
      priority: "high",
      id: 77,
      user_id: 1,
      completed: true,
      version: 9,
      created_at: "2000-01-01T00:00:00Z",
      constructor: { user_id: 1 },
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      title: "Learn FastAPI",
      description: "Build an async REST API",
      completed: false,
      priority: "high",
      user_id: alice.id,
      created_at: "2026-01-04T10:00:00.000Z",
      updated_at: null,
    });
    expect(answer.headers.get("location")).toBe(`${TODOS}/${numberField(answer, "id")}`);
    expect((await alice.post(TODOS, { title: "Plain" })).body).toMatchObject({
      description: null,
      priority: "medium",
    });
  });

  test("a wrong create names every field by its own name", async () => {
    const alice = await signUp(program());
    const answer = await alice.post(TODOS, { title: " ", description: 5, priority: "urgent" });
    expect(wrongFields(answer)).toEqual(["title", "description", "priority"]);
    expect(wrongFields(await alice.post(TODOS, []))).toEqual(["body"]);
  });

  test("PATCH changes what is there, clears what is null, and refuses null where nothing can be", async () => {
    const alice = await signUp(program());
    const before = await alice.post(TODOS, { title: "Before", description: "text" });
    const path = `${TODOS}/${numberField(before, "id")}`;
    program().clock.forwardMs(SECOND_MS);
    const updatedAt = new Date(program().clock.nowMs()).toISOString();

    const completed = await alice.patch(path, { completed: true, user_id: 1 });
    expect(completed.status).toBe(200);
    expect(completed.body).toEqual({ ...Object(before.body), completed: true, updated_at: updatedAt });
    const cleared = await alice.patch(path, { description: null, priority: "low", title: "  After  " });
    expect(cleared.body).toMatchObject({
      title: "After",
      description: null,
      priority: "low",
      completed: true,
    });
    expect((await alice.get(path)).body).toEqual(cleared.body);

    const refused = await alice.patch(path, { title: null, completed: null, priority: null });
    expect(wrongFields(refused)).toEqual(["title", "completed", "priority"]);
    expect((await alice.get(path)).body).toEqual(cleared.body);
  });

  test("a PATCH of nothing changes nothing", async () => {
    const alice = await signUp(program());
    const before = await alice.post(TODOS, { title: "Untouched" });
    const answer = await alice.patch(`${TODOS}/${numberField(before, "id")}`, {});
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual(before.body);
    expect(answer.headers.get("etag")).toBe(before.headers.get("etag"));
  });

  describe("S22 a todo", () => {
    test("of another is 403, one that is not there 404; an administrator may all", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      const id = await createdId(alice);
      const path = `${TODOS}/${id}`;
      const calls = (person: Person, at: string) => [
        () => person.get(at),
        () => person.patch(at, { title: "Mine now" }),
        () => person.delete(at),
      ];
      for (const call of calls(bob, path))
        expectFailure(await call(), 403, "Not authorized to access this todo");
      for (const person of [alice, bob, admin]) {
        for (const call of calls(person, `${TODOS}/999999`))
          expectFailure(await call(), 404, "Todo not found");
        expectFailure(await person.get(`${TODOS}/9007199254740993`), 404, "Todo not found");
      }
      expect((await admin.patch(path, { title: "Seen" })).body).toMatchObject({
        title: "Seen",
        user_id: alice.id,
      });
      const deleted = await admin.delete(path);
      expect(deleted.status).toBe(204);
      expect(deleted.body).toBeUndefined();
      expectFailure(await alice.get(path), 404, "Todo not found");
    });

    test("is nobody's to see without a good token, before anything else is looked at", async () => {
      const alice = await signUp(program());
      const gone = await signUp(program());
      await gone.delete(`/v1/users/${gone.id}`);
      const id = await createdId(alice);
      for (const [method, path] of [
        ["POST", TODOS],
        ["GET", TODOS],
        ["POST", `${TODOS}/bulk`],
        ["GET", `${TODOS}/${id}`],
        ["PATCH", `${TODOS}/${id}`],
        ["DELETE", `${TODOS}/${id}`],
        ["GET", `${TODOS}/abc`],
      ] as const) {
        for (const token of [undefined, "forged", gone.token]) {
          const raw = method === "GET" ? {} : { raw: "{ no json" };
          const answer = await alice.client.send(method, path, { ...raw, token });
          expectFailure(answer, 401, "Invalid authentication token");
          expect(answer.headers.get("www-authenticate")).toStartWith("Bearer");
        }
      }
    });

    test("S26 by an id that is none is 422", async () => {
      const alice = await signUp(program());
      for (const bad of ["0", "-1", "1e3", "0x10", "abc", "1.5", "%FF", "01"]) {
        expect(wrongFields(await alice.get(`${TODOS}/${bad}`))).toEqual(["todo_id"]);
      }
    });
  });

  test("lists are one's own, filtered by what is done and by priority", async () => {
    const alice = await signUp(program());
    const bob = await signUp(program());
    await createdId(bob, { title: "Bob's" });
    for (const [title, priority] of [
      ["one", "low"],
      ["two", "high"],
      ["three", "high"],
    ]) {
      await createdId(alice, { title, priority });
    }
    const two = await createdId(alice, { title: "done", priority: "high" });
    await alice.patch(`${TODOS}/${two}`, { completed: true });
    expect(await titles(alice, "")).toEqual(["done", "three", "two", "one"]);
    expect(await titles(alice, "?completed=true")).toEqual(["done"]);
    expect(await titles(alice, "?completed=false&priority=high")).toEqual(["three", "two"]);
    expect(await titles(alice, "?priority=medium")).toEqual([]);
    const admin = await signUp(program(), { role: "admin" });
    expect(await titles(admin, "")).toEqual([]);
    for (const bad of ["?completed=maybe", "?priority=urgent", "?sort=id", "?sort=--title", "?completed="]) {
      expect(await titles(alice, bad)).toBe(422);
    }
  });

  test("sort puts priorities by their weight, titles by their code points, and the unchanged where they were made", async () => {
    const alice = await signUp(program());
    const ids: number[] = [];
    for (const [title, priority] of [
      ["banana", "medium"],
      ["Äpfel", "high"],
      ["apple", "low"],
      ["Cherry", "high"],
      ["😀", "low"],
      ["_", "medium"],
    ]) {
      program().clock.forwardMs(SECOND_MS);
      ids.push(await createdId(alice, { title, priority }));
    }
    program().clock.forwardMs(SECOND_MS);
    await alice.patch(`${TODOS}/${ids[1]}`, { completed: true });
    const orders = {
      created_at: ["banana", "Äpfel", "apple", "Cherry", "😀", "_"],
      updated_at: ["banana", "apple", "Cherry", "😀", "_", "Äpfel"],
      priority: ["apple", "😀", "banana", "_", "Äpfel", "Cherry"],
      title: ["Cherry", "_", "apple", "banana", "Äpfel", "😀"],
    };
    for (const [sort, expected] of Object.entries(orders)) {
      expect(await titles(alice, `?sort=${sort}`)).toEqual(expected);
      expect(await titles(alice, `?sort=-${sort}`)).toEqual(expected.toReversed());
    }
    expect(await titles(alice, "")).toEqual(orders.created_at.toReversed());
  });

  test("q finds the words that stand in title or description, in any case and script", async () => {
    const alice = await signUp(program());
    await createdId(alice, { title: "Buy MILK", description: "and 50% cream" });
    await createdId(alice, { title: "Straße fegen", description: "früh am Morgen" });
    await createdId(alice, { title: "ΟΔΟΣ", description: "snake_case" });
    await createdId(alice, { title: "5000 steps", description: "wild * cards ? and ! marks" });
    const found = (q: string) => titles(alice, `?${new URLSearchParams({ q })}`);
    expect(await found("milk")).toEqual(["Buy MILK"]);
    expect(await found("  CREAM   buy ")).toEqual(["Buy MILK"]);
    expect(await found("buy bread")).toEqual([]);
    expect(await found("STRASSE")).toEqual(["Straße fegen"]);
    expect(await found("FRÜH")).toEqual(["Straße fegen"]);
    expect(await found("fru\u0308h")).toEqual(["Straße fegen"]);
    expect(await found("οδος")).toEqual(["ΟΔΟΣ"]);
    for (const [sign, title] of [
      ["50%", "Buy MILK"],
      ["%", "Buy MILK"],
      ["_", "ΟΔΟΣ"],
      ["!", "5000 steps"],
      ["*", "5000 steps"],
    ] as const) {
      expect(await found(sign)).toEqual([title]);
    }
    for (const harmless of ["'", '"', "\\", "';--", "[a-z]"]) expect(await found(harmless)).toEqual([]);
    for (const all of ["", "   "]) expect(await found(all)).toHaveLength(4);
    expect(await found("a b c d e f g h i")).toBe(422);
    expect(await found("x".repeat(201))).toBe(422);
    expect(await found("a\0b")).toBe(422);
  });

  test("S29 no text and word made for it hold a search up", async () => {
    const instance = program();
    const alice = await signUp(instance);
    const text = "A".repeat(1_000);
    await instance.database.write((connection) =>
      connection.run(
        `INSERT INTO todos (user_id, title, description, description_key, created_at_ms)
           WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
           SELECT $1, 'x', $2, $2, i FROM n`,
        [alice.id, text],
      ),
    );
    const startedMs = performance.now();
    expect(await titles(alice, `?q=${"a".repeat(199)}b`)).toEqual([]);
    // `LIKE` takes 2 to 4 seconds for it, this a tenth of one.
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });

  test("a search follows a change, and finds what a former program wrote", async () => {
    const instance = program();
    const alice = await signUp(instance);
    const id = await createdId(alice, { title: "Äpfel", description: "süß" });
    await alice.patch(`${TODOS}/${id}`, { title: "Birnen" });
    expect(await titles(alice, "?q=äpfel")).toEqual([]);
    expect(await titles(alice, "?q=birnen+SÜSS")).toEqual(["Birnen"]);
    await alice.patch(`${TODOS}/${id}`, { description: null });
    expect(await titles(alice, "?q=süß")).toEqual([]);
    await instance.database.write((connection) =>
      connection.run("INSERT INTO todos (user_id, title, created_at_ms) VALUES ($1, $2, $3)", [
        alice.id,
        "From Before",
        1,
      ]),
    );
    expect(await titles(alice, "?q=before")).toEqual(["From Before"]);
  });

  describe("bulk", () => {
    const bulk = (person: Person, operations: unknown) => person.post(`${TODOS}/bulk`, { operations });

    test("does all in order, and answers each", async () => {
      const alice = await signUp(program());
      const kept = await createdId(alice, { title: "Kept", description: "text" });
      const doomed = await createdId(alice);
      const answer = await bulk(alice, [
        { op: "create", title: " New ", priority: "low", id: 5, user_id: 1 },
        { op: "update", id: kept, completed: true, description: null },
        { op: "delete", id: doomed },
        { op: "update", id: kept, title: "Twice" },
      ]);
      expect(answer.status).toBe(200);
      const results = Object(answer.body).results;
      expect(results).toMatchObject([
        { op: "create", status: 201, todo: { title: "New", priority: "low", user_id: alice.id } },
        { op: "update", status: 200, id: kept, todo: { title: "Kept", completed: true, description: null } },
        { op: "delete", status: 204, id: doomed, todo: null },
        { op: "update", status: 200, id: kept, todo: { title: "Twice", completed: true } },
      ]);
      expect(Object.keys(results[0].todo).toSorted()).toEqual(TODO_KEYS);
      expect(await titles(alice, "")).toEqual(["New", "Twice"]);
    });

    test("S22 does nothing at all where one is refused, and says which", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const bobs = await createdId(bob, { title: "Bob's" });
      const kept = await createdId(alice, { title: "Kept" });
      for (const [refused, status, message] of [
        [{ op: "delete", id: bobs }, 403, "Not authorized to access this todo"],
        [{ op: "update", id: bobs, title: "Mine" }, 403, "Not authorized to access this todo"],
        [{ op: "delete", id: 999_999 }, 404, "Todo not found"],
      ] as const) {
        const answer = await bulk(alice, [
          { op: "create", title: "New" },
          { op: "delete", id: kept },
          refused,
        ]);
        expect(answer.status).toBe(status);
        expect(answer.body).toEqual(
          failure(status, `Operation 2: ${message}`, [{ field: "operations[2]", message }]),
        );
        expect(await titles(alice, "")).toEqual(["Kept"]);
      }
      expect(await titles(bob, "")).toEqual(["Bob's"]);
    });

    test("S32 of the same todos, in whatever order and by whom, wait for one another", async () => {
      const alice = await signUp(program());
      const people = [alice];
      for (let n = 0; n < 3; n += 1) people.push(await signUp(program(), { role: "admin" }));
      const ids: number[] = [];
      for (let n = 0; n < 20; n += 1) ids.push(await createdId(alice));
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, n) => {
          const order = [...ids.slice(2 * n), ...ids.slice(0, 2 * n)];
          return bulk(
            people[n % people.length] ?? alice,
            (n % 2 === 0 ? order : order.toReversed()).map((id) => ({ op: "update", id, title: `by ${n}` })),
          );
        }),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
      expect(new Set(Object(await titles(alice, ""))).size).toBe(1);
    });

    test("names every wrong field of every operation", async () => {
      const alice = await signUp(program());
      const answer = await bulk(alice, [
        { op: "create" },
        { op: "update", id: 0, title: null },
        { op: "destroy", id: 1 },
        { id: 1 },
        "create",
        { op: "delete", id: "1" },
        { op: "delete", id: 2 ** 53 },
        { op: "delete", id: 1e300 },
      ]);
      expect(wrongFields(answer)).toEqual([
        "operations[0].title",
        "operations[1].id",
        "operations[1].title",
        "operations[2].op",
        "operations[3].op",
        "operations[4]",
        "operations[5].id",
        "operations[6].id",
        "operations[7].id",
      ]);
      expect(await titles(alice, "")).toEqual([]);
    });

    test("takes 1 to 100 operations", async () => {
      const alice = await signUp(program());
      const creates = (count: number) =>
        Array.from({ length: count }, (_, index) => ({ op: "create", title: `${index}` }));
      for (const bad of [[], creates(101), {}, null, undefined, "x"]) {
        expect(wrongFields(await bulk(alice, bad))).toEqual(["operations"]);
      }
      const answer = await bulk(alice, creates(100));
      expect(Object(answer.body).results).toHaveLength(100);
      expect((await alice.get(TODOS)).body).toMatchObject({ total: 100 });
    });
  });
});
