import type { Caller } from "./caller.ts";
import { isAdmin, requireAdmin } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import { makeWith, nothingElse } from "./idempotency.ts";
import type { Also } from "./idempotency.ts";
import { requireOwned, tellOwner } from "./owned.ts";
import type { Listing, Order } from "./pages.ts";
import type { Store, TodoChange, TodoFilter, TodoReads, TodoSelection, TodoSort, Writes } from "./store.ts";
import { requireVersion, rowGone } from "./versions.ts";
import type { ExpectedVersion } from "./versions.ts";

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
  /** Grows with every change. */
  readonly version: number;
}

export const TITLE_MAX_CHARACTERS = 255;
export const DESCRIPTION_MAX_CHARACTERS = 1_000;

export interface TodoInput {
  readonly title: string;
  readonly description?: string | null;
  readonly priority?: Priority;
}

/** One of several that are done together. */
export type TodoOperation =
  | { readonly op: "create"; readonly todo: TodoInput }
  | { readonly op: "update"; readonly id: number; readonly change: TodoChange }
  | { readonly op: "delete"; readonly id: number };

/** What became of an operation; a deletion leaves no todo. */
export interface TodoOutcome {
  readonly op: TodoOperation["op"];
  readonly id: number;
  readonly todo: Todo | null;
}

/** Todos belong to the account that made them; an administrator by role may read and change all. */
export class Todos {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(parts: { store: Store; clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  create(caller: Caller, input: TodoInput, also: Also<Todo> = nothingElse): Promise<Todo> {
    return makeWith(this.#store, also, (tx) => this.#create(tx, caller, input));
  }

  list(caller: Caller, filter: TodoFilter): Promise<readonly Todo[]> {
    return this.#store.read.todos.ofAccount(caller.account.id, filter);
  }

  /** One's own, to be read in pages. */
  listing(caller: Caller, selection: TodoSelection, order: Order<TodoSort>): Listing<Todo, TodoSort> {
    const accountId = caller.account.id;
    const { todos } = this.#store.read;
    return {
      scope: ["todos", accountId, selection.completed, selection.priority, ...selection.words],
      order,
      rows: (slice) => todos.slice(accountId, selection, slice),
      count: () => todos.count(accountId, selection),
      position: (todo) => ({ value: SORTED_BY[order.key](todo), id: todo.id }),
    };
  }

  get(caller: Caller, id: number): Promise<Todo> {
    return within(this.#store.read.todos, caller, id);
  }

  /** Fails with `not_found`, `forbidden` or `precondition_failed`. */
  update(caller: Caller, id: number, change: TodoChange, expected: ExpectedVersion = "any"): Promise<Todo> {
    return this.#store.write((tx) => this.#update(tx, caller, id, change, expected));
  }

  /** Fails with `not_found`, `forbidden` or `precondition_failed`. */
  delete(caller: Caller, id: number, expected: ExpectedVersion = "any"): Promise<void> {
    return this.#store.write((tx) => this.#delete(tx, caller, id, expected));
  }

  /** Fails with `forbidden` before it looks, so that a refused caller learns nothing of what exists. */
  async deleteAsAdmin(caller: Caller, id: number): Promise<void> {
    requireAdmin(caller);
    await this.#store.write((tx) => this.#delete(tx, caller, id, "any"));
  }

  /** All of the operations, in their order, or none of them. Fails with `operation_failed`. */
  bulk(
    caller: Caller,
    operations: readonly TodoOperation[],
    also: Also<readonly TodoOutcome[]> = nothingElse,
  ): Promise<readonly TodoOutcome[]> {
    return this.#store.write(async (tx) => {
      // Two that change the same todos in another order would stop each other: one at a time for each caller, and then
      // in one order, since an administrator changes what is another's.
      await tx.accounts(caller.account.realm).lock(caller.account.id);
      const named = operations.flatMap((operation) => (operation.op === "create" ? [] : [operation.id]));
      await tx.todos.lock(named, isAdmin(caller) ? null : caller.account.id);
      const outcomes: TodoOutcome[] = [];
      for (const [index, operation] of operations.entries()) {
        const outcome = this.#apply(tx, caller, operation);
        outcomes.push(await outcome.catch((error: unknown) => tellOperation(error, index)));
      }
      await also(tx, outcomes);
      return outcomes;
    });
  }

  async #apply(tx: Writes, caller: Caller, operation: TodoOperation): Promise<TodoOutcome> {
    const { op } = operation;
    switch (op) {
      case "create": {
        const todo = await this.#create(tx, caller, operation.todo);
        return { op, id: todo.id, todo };
      }
      case "update": {
        const todo = await this.#update(tx, caller, operation.id, operation.change, "any");
        return { op, id: todo.id, todo };
      }
      case "delete":
        await this.#delete(tx, caller, operation.id, "any");
        return { op, id: operation.id, todo: null };
    }
  }

  #create(tx: Writes, caller: Caller, input: TodoInput): Promise<Todo> {
    return tx.todos.insert({
      accountId: caller.account.id,
      title: input.title.trim(),
      description: input.description ?? null,
      priority: input.priority ?? "medium",
      createdAtMs: this.#clock.nowMs(),
    });
  }

  async #update(
    tx: Writes,
    caller: Caller,
    id: number,
    change: TodoChange,
    expected: ExpectedVersion,
  ): Promise<Todo> {
    const todo = await within(tx.todos, caller, id);
    const atVersion = requireVersion(expected, "todo", todo);
    if (Object.keys(change).length === 0) return todo;
    const trimmed = change.title === undefined ? change : { ...change, title: change.title.trim() };
    const nowMs = this.#clock.nowMs();
    const updated = await tx.todos.update(id, trimmed, nowMs, atVersion);
    if (updated === null) throw rowGone(atVersion, "todo", id);
    tellOwner(tx, caller, "todo", todo, { what: "changed", atMs: nowMs });
    return updated;
  }

  async #delete(tx: Writes, caller: Caller, id: number, expected: ExpectedVersion): Promise<void> {
    const todo = await within(tx.todos, caller, id);
    const atVersion = requireVersion(expected, "todo", todo);
    if (!(await tx.todos.delete(id, atVersion))) throw rowGone(atVersion, "todo", id);
    tellOwner(tx, caller, "todo", todo, { what: "deleted", atMs: this.#clock.nowMs() });
  }
}

const RANK: Readonly<Record<Priority, number>> = { low: 1, medium: 2, high: 3 };

/** The value by which a todo stands in each order: what storage sorts by, and must say alike. */
const SORTED_BY: Readonly<Record<TodoSort, (todo: Todo) => string | number>> = {
  created_at: ({ createdAtMs }) => createdAtMs,
  // One that never changed stands where it was made.
  updated_at: ({ updatedAtMs, createdAtMs }) => updatedAtMs ?? createdAtMs,
  priority: ({ priority }) => RANK[priority],
  title: ({ title }) => title,
};

/** Fails with `not_found`, and with `forbidden` where it is another's and the caller no administrator. */
async function within(todos: TodoReads, caller: Caller, id: number): Promise<Todo> {
  return requireOwned(caller, "todo", id, await todos.byId(id));
}

/** Says which operation a refusal is about; what is no refusal has nothing to do with one of them. */
function tellOperation(error: unknown, index: number): never {
  if (!(error instanceof Fault)) throw error;
  const failure = error.what;
  if (failure.kind !== "not_found" && failure.kind !== "forbidden") throw error;
  throw Fault.of({ kind: "operation_failed", index, failure }, error);
}
