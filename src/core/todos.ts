import type { Caller } from "./caller.ts";
import { isAdmin, requireRole } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Store, TodoChange, TodoFilter, TodoReads } from "./store.ts";

export type Priority = "low" | "medium" | "high";

export interface Todo {
  readonly id: number;
  readonly accountId: number;
  readonly title: string;
  readonly description: string | null;
  readonly completed: boolean;
  readonly priority: Priority;
  readonly createdAtMs: number;
  /** Null until the first change. */
  readonly updatedAtMs: number | null;
}

export const TITLE_MAX_CHARACTERS = 255;
export const DESCRIPTION_MAX_CHARACTERS = 1_000;

export interface TodoInput {
  readonly title: string;
  readonly description?: string | null;
  readonly priority?: Priority;
}

/** Todos belong to the account that made them; an administrator by role may read and change all. */
export class Todos {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(parts: { store: Store; clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  create(caller: Caller, input: TodoInput): Promise<Todo> {
    return this.#store.write((tx) =>
      tx.todos.insert({
        accountId: caller.account.id,
        title: input.title.trim(),
        description: input.description ?? null,
        priority: input.priority ?? "medium",
        createdAtMs: this.#clock.nowMs(),
      }),
    );
  }

  list(caller: Caller, filter: TodoFilter): Promise<readonly Todo[]> {
    return this.#store.read.todos.ofAccount(caller.account.id, filter);
  }

  get(caller: Caller, id: number): Promise<Todo> {
    return within(this.#store.read.todos, caller, id);
  }

  update(caller: Caller, id: number, change: TodoChange): Promise<Todo> {
    return this.#store.write(async (tx) => {
      const todo = await within(tx.todos, caller, id);
      const trimmed = change.title === undefined ? change : { ...change, title: change.title.trim() };
      return (await tx.todos.update(todo.id, trimmed, this.#clock.nowMs())) ?? missing(id);
    });
  }

  /** Fails with `forbidden` before it looks, so that a refused caller learns nothing of what exists. */
  async deleteAsAdmin(caller: Caller, id: number): Promise<void> {
    requireRole(caller, "admin");
    const existed = await this.#store.write((tx) => tx.todos.delete(id));
    if (!existed) missing(id);
  }
}

/** The todo, if it is there (`not_found`) and the caller may see it (`forbidden`). */
async function within(todos: TodoReads, caller: Caller, id: number): Promise<Todo> {
  const todo = (await todos.byId(id)) ?? missing(id);
  if (todo.accountId !== caller.account.id && !isAdmin(caller)) {
    throw Fault.of({ kind: "forbidden", why: { rule: "not_yours", noun: "todo", id } });
  }
  return todo;
}

function missing(id: number): never {
  throw Fault.of({ kind: "not_found", noun: "todo", id });
}
