import { beforeAll, expect, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import { AuditSealer } from "../../src/core/audit-chain.ts";
import type { TodoChange } from "../../src/core/store.ts";
import { migrateUp, parseMigrations } from "../../src/storage/migrations.ts";
import { openStore } from "../../src/storage/store.ts";
import { amount } from "../support/amount.ts";
import { fc, seed } from "../support/seed.ts";
import { forEachEngine } from "./engines.ts";
import { Model } from "./model.ts";
import type { Tables } from "./model.ts";

const RUNS = amount("MODEL_RUNS", { short: 40, long: 2_000 });
const NOW_MS = 1_800_000_000_000;
const OWNERS = 2;

type Write = (work: (tables: Tables) => Promise<void>) => Promise<void>;

/** One of two sides that must not be told apart: what it calls its rows is its own affair. */
class Side {
  readonly #write: Write;
  readonly #owners: readonly number[];
  #ids: {
    readonly todos: readonly number[];
    readonly sessions: readonly number[];
    readonly tokens: readonly Uint8Array[];
  } = {
    todos: [],
    sessions: [],
    tokens: [],
  };

  constructor(write: Write, owners: readonly number[]) {
    this.#write = write;
    this.#owners = owners;
  }

  owner(nth: number): number {
    return this.#owners[nth % OWNERS] ?? 0;
  }

  /** One that there is or was; a number that no row has where there was none. */
  todo(nth: number): number {
    return this.#ids.todos[nth % this.#ids.todos.length] ?? 0;
  }

  session(nth: number): number {
    return this.#ids.sessions[nth % this.#ids.sessions.length] ?? 0;
  }

  token(nth: number): Uint8Array {
    return this.#ids.tokens[nth % this.#ids.tokens.length] ?? new Uint8Array(32);
  }

  keep(kind: "todos" | "sessions", id: number): void {
    this.#ids = { ...this.#ids, [kind]: [...this.#ids[kind], id] };
  }

  /** One that no other test run has. */
  newToken(): Uint8Array {
    const { tokens } = this.#ids;
    const hash = new Uint8Array(new Uint32Array([this.owner(0), tokens.length, 0, 0, 0, 0, 0, 0]).buffer);
    this.#ids = { ...this.#ids, tokens: [...tokens, hash] };
    return hash;
  }

  /** All the steps in one transaction, or none of them. */
  async run(steps: readonly Step[], isUndone: boolean): Promise<readonly unknown[]> {
    const before = this.#ids;
    const outcomes: unknown[] = [];
    const undone = new Error("undone");
    try {
      await this.#write(async (tables) => {
        // It may run again after a deadlock.
        outcomes.length = 0;
        this.#ids = before;
        for (const step of steps) outcomes.push(this.#comparable(await step.act(tables, this)));
        if (isUndone) throw undone;
      });
    } catch (error) {
      if (error !== undone) throw error;
      this.#ids = before;
    }
    return outcomes;
  }

  /** With each row's place in line for its id, and each owner's for theirs. */
  #comparable(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#comparable(each));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, held]) => [name, this.#place(value, name, held)]);
    return Object.fromEntries(entries);
  }

  #place(row: object, name: string, held: unknown): unknown {
    if (typeof held !== "number") return this.#comparable(held);
    if (name === "accountId") return this.#owners.indexOf(held);
    if (name === "sessionId") return this.#ids.sessions.indexOf(held);
    if (name !== "id") return held;
    if ("title" in row) return this.#ids.todos.indexOf(held);
    return "kind" in row ? this.#ids.sessions.indexOf(held) : "a token";
  }
}

interface Step {
  readonly name: string;
  act(tables: Tables, side: Side): Promise<unknown>;
}

const nth = fc.nat({ max: 40 });
const time = fc.nat({ max: 4 }).map((ms) => NOW_MS + ms);
const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
  .filter((each) => !each.includes("\0"));
const optional = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

const change: fc.Arbitrary<TodoChange> = fc
  .record({
    title: optional(text),
    description: optional(fc.option(text)),
    completed: optional(fc.boolean()),
    priority: optional(fc.constantFrom("low" as const, "high" as const)),
  })
  .map(({ title, description, completed, priority }) => ({
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(completed === undefined ? {} : { completed }),
    ...(priority === undefined ? {} : { priority }),
  }));

function step<T>(
  name: string,
  chosen: fc.Arbitrary<T>,
  act: (chosen: T, tables: Tables, side: Side) => Promise<unknown>,
): fc.Arbitrary<Step> {
  return chosen.map((value) => ({
    name: `${name} ${JSON.stringify(value)}`,
    act: (tables, side) => act(value, tables, side),
  }));
}

const steps: readonly fc.Arbitrary<Step>[] = [
  step(
    "insert todo",
    fc.record({ owner: nth, title: text, description: fc.option(text), createdAtMs: time }),
    async ({ owner, ...given }, { todos }, side) => {
      const todo = await todos.insert({ ...given, accountId: side.owner(owner), priority: "medium" });
      side.keep("todos", todo.id);
      return todo;
    },
  ),
  step(
    "update todo",
    fc.record({ which: nth, change, nowMs: time }),
    ({ which, change, nowMs }, { todos }, side) => todos.update(side.todo(which), change, nowMs),
  ),
  step("delete todo", nth, (which, { todos }, side) => todos.delete(side.todo(which))),
  step("read todo", nth, (which, { todos }, side) => todos.byId(side.todo(which))),
  step(
    "list todos",
    fc.record({
      owner: nth,
      completed: fc.option(fc.boolean()),
      limit: fc.option(fc.integer({ min: 1, max: 5 })),
      offset: fc.nat({ max: 3 }),
    }),
    ({ owner, ...filter }, { todos }, side) => todos.ofAccount(side.owner(owner), filter),
  ),
  step(
    "open session",
    fc.record({
      owner: nth,
      kind: fc.constantFrom("cookie" as const, "rotating" as const),
      createdAtMs: time,
      endsAtMs: fc.option(time),
      clientAddress: fc.option(text),
      userAgent: fc.option(text),
    }),
    async ({ owner, ...given }, { sessions }, side) => {
      const session = await sessions.insert({ ...given, accountId: side.owner(owner) });
      side.keep("sessions", session.id);
      return session;
    },
  ),
  step(
    "add token",
    fc.record({ which: nth, expiresAtMs: time }),
    async ({ which, expiresAtMs }, { sessions }, side) => {
      const sessionId = side.session(which);
      // A token of no session is refused by the database, and by nobody else.
      if (sessionId === 0) return null;
      const tokenHash = side.newToken();
      return sessions.insertToken({ sessionId, tokenHash, createdAtMs: NOW_MS, expiresAtMs });
    },
  ),
  step("use token", fc.record({ which: nth, nowMs: time }), async ({ which, nowMs }, { sessions }, side) => {
    const found = await sessions.token(side.token(which));
    return found === null ? null : [found, await sessions.useToken(found.token.id, nowMs)];
  }),
  step("touch session", fc.record({ which: nth, nowMs: time }), ({ which, nowMs }, { sessions }, side) =>
    sessions.touch(side.session(which), nowMs),
  ),
  step("end session", fc.record({ which: nth, nowMs: time }), ({ which, nowMs }, { sessions }, side) =>
    sessions.end(side.session(which), nowMs),
  ),
  step(
    "end all",
    fc.record({ owner: nth, except: fc.option(nth), nowMs: time }),
    ({ owner, except, nowMs }, { sessions }, side) =>
      sessions.endAll(side.owner(owner), nowMs, except === null ? null : side.session(except)),
  ),
  step("open sessions", fc.record({ owner: nth, nowMs: time }), ({ owner, nowMs }, { sessions }, side) =>
    sessions.openOf(side.owner(owner), nowMs),
  ),
];

const transaction = fc.record(
  {
    steps: fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 6, size: "max" }),
    isUndone: fc.boolean(),
  },
  { requiredKeys: ["steps", "isUndone"] },
);

forEachEngine("the store against a model of it", (_, open) => {
  let write: Write;
  let newOwner: () => Promise<number>;
  beforeAll(async () => {
    const database = open();
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    const store = openStore(database, new AuditSealer("a secret of the tests"));
    write = (work) => store.write(work);
    newOwner = async () => {
      const email = `${crypto.randomUUID()}@example.com`;
      const account = {
        email,
        username: null,
        usernameKey: null,
        name: null,
        phone: null,
        passwordHash: "hash",
        createdAtMs: NOW_MS,
      };
      return (await store.write((tx) => tx.accounts("user").insert(account))).id;
    };
  });

  test(
    "it answers as maps in memory would, and what is undone leaves nothing",
    async () => {
      const property = fc.asyncProperty(
        fc.array(transaction, { minLength: 10, maxLength: 25 }),
        async (transactions) => {
          const owners = await Promise.all(Array.from({ length: OWNERS }, newOwner));
          const model = new Model();
          const real = new Side(write, owners);
          const imagined = new Side((work) => model.write(work), owners);
          for (const { steps, isUndone } of transactions) {
            expect(await real.run(steps, isUndone)).toEqual(await imagined.run(steps, isUndone));
          }
        },
      );
      await fc.assert(property, { numRuns: RUNS, seed });
    },
    30_000 + RUNS * 500,
  );
});
