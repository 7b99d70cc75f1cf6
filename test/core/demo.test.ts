import { expect, test } from "bun:test";
import { demoEmail, makeDemo } from "../../src/core/demo.ts";
import { createHasher } from "../../src/core/passwords.ts";
import { silentLog } from "../../src/core/log.ts";
import { numberField, textField } from "../support/client.ts";
import { forEachEngine, shared } from "../support/program.ts";

const PASSWORD = "demoPassword123";
const ALL = { completed: null, limit: null, offset: 0 };
const passwordHash = await createHasher({ concurrency: 1, maxQueued: 0, log: silentLog }).hash(PASSWORD);

forEachEngine("demo data", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("is as many users and todos as was asked for, with everything that others have", async () => {
    const { core } = program();
    const told: { users: number; todos: number }[] = [];
    await makeDemo(core, { users: 3, todos: 1_201, tag: "some", passwordHash }, (made) => told.push(made));
    expect(told).toEqual([
      { users: 3, todos: 0 },
      { users: 3, todos: 500 },
      { users: 3, todos: 1_000 },
      { users: 3, todos: 1_201 },
    ]);
    const { accounts, todos } = core.store.read;
    const ids = await Promise.all(
      [1, 2, 3].map(async (number) => (await accounts("user").byName(demoEmail("some", number)))?.id ?? 0),
    );
    const lists = await Promise.all(ids.map((id) => todos.ofAccount(id, ALL)));
    expect(lists.map((list) => list.length).toSorted()).toEqual([400, 400, 401]);
    const all = lists.flat();
    expect(new Set(all.map(({ title }) => title)).size).toBeGreaterThan(50);
    expect(new Set(all.map(({ priority }) => priority))).toEqual(new Set(["low", "medium", "high"]));
    for (const list of lists) {
      const times = list.map(({ createdAtMs }) => createdAtMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.at(-1)).toBeLessThan(core.clock.nowMs());
      const done = list.filter(({ completed }) => completed).length;
      expect(done).toBeGreaterThan(50);
      expect(done).toBeLessThan(350);
    }
  });

  test("a demo user logs in, finds todos by a word, and reads each", async () => {
    await makeDemo(program().core, { users: 1, todos: 40, tag: "word", passwordHash }, () => {});
    const client = program().client();
    const login = await client.post("/api/v1/users/login", {
      email: demoEmail("word", 1),
      password: PASSWORD,
    });
    expect(login.status).toBe(200);
    const token = textField(login, "access_token");
    const one = Object((await client.get("/api/v1/todos?limit=1", { token })).body)[0];
    expect((await client.get(`/api/v1/todos/${one.id}`, { token })).body).toEqual(one);
    const [word] = String(one.title).split(" ");
    const read = program().core.store.read;
    const account = await read.accounts("user").byName(demoEmail("word", 1));
    const selection = { completed: null, priority: null, words: [word?.toUpperCase() ?? ""] };
    expect(await read.todos.count(account?.id ?? 0, selection)).toBeGreaterThan(0);
    const made = await client.post("/api/v1/todos", { title: "My own" }, { token });
    expect(numberField(made, "id")).toBeGreaterThan(Number(one.id));
  });

  test("users without todos are none the less users, and two seedings do not meet", async () => {
    for (const tag of ["once", "twice"]) {
      await makeDemo(program().core, { users: 201, todos: 0, tag, passwordHash }, () => {});
    }
    const { accounts } = program().core.store.read;
    for (const tag of ["once", "twice"]) {
      expect(await accounts("user").byName(`demo-${tag}-201`)).toMatchObject({ name: "Demo 201" });
      expect(await accounts("user").byName(`demo-${tag}-202`)).toBeNull();
    }
  });
});
