import type { Core } from "../../core/core.ts";
import type { Order } from "../../core/pages.ts";
import { searchWords } from "../../core/search.ts";
import type { TodoSelection, TodoSort } from "../../core/store.ts";
import type { Todo, TodoOperation, TodoOutcome } from "../../core/todos.ts";
import { etag, ifMatch, TAGGED, unlessKnown } from "../../http/etag.ts";
import { once } from "../../http/once.ts";
import { LINKED, pageLinks, pageRequest, pageView } from "../../http/pages.ts";
import { created, noContent, ok } from "../../http/reply.ts";
import { caller, id, json, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import type { Static } from "../../http/schema.ts";
import { Bulk, BulkResults, TodoChange, TodoInput, TodoPage, TodoPageQuery, TodoView } from "./schemas.ts";
import { bulkView, todoView } from "./views.ts";

export function todoRoutes({ todos, pages }: Core): readonly Route[] {
  return [
    route("POST", "/todos", {
      summary: "Create a todo",
      operation: "createTodo",
      takes: { caller: caller("user", "todos:write"), todo: json(TodoInput), once },
      returns: { 201: TodoView },
      sends: { ...TAGGED, Location: "The path of the new todo" },
      run: ({ caller, todo, once }) =>
        once(
          todo,
          (also) => todos.create(caller, todo, also),
          (made: Todo) => created(todoView(made), { location: `/v1/todos/${made.id}`, etag: etag(made) }),
        ),
    }),

    route("GET", "/todos", {
      summary: "List one's todos, the newest first",
      description:
        "A todo that never changed stands in the order of `updated_at` where it was made; titles are in the order " +
        "of their code points. A cursor is good for the filters and the order that it was made for.",
      operation: "listTodos",
      takes: { caller: caller("user", "todos:read"), query: query(TodoPageQuery) },
      returns: { 200: TodoPage },
      sends: LINKED,
      run: async ({ caller, query }, exchange) => {
        const listing = todos.listing(caller, selection(query), order(query.sort ?? "-created_at"));
        const page = await pages.read(listing, pageRequest(query));
        return ok(pageView(page, todoView), pageLinks(exchange, query, page));
      },
    }),

    route("POST", "/todos/bulk", {
      summary: "Create, change and delete up to 100 todos, all or none",
      description:
        "The operations are done in their order, each on what those before it left. Where one is refused none is " +
        "done, and the error names it, counting from 0.",
      operation: "bulkTodos",
      takes: { caller: caller("user", "todos:write"), bulk: json(Bulk), once },
      returns: { 200: BulkResults },
      fails: [
        "operation_failed",
        {
          kind: "operation_failed",
          index: 2,
          failure: { kind: "forbidden", why: { rule: "not_yours", noun: "todo", id: 7 } },
        },
      ],
      run: ({ caller, bulk, once }) =>
        once(
          bulk,
          (also) => todos.bulk(caller, bulk.operations.map(operation), also),
          (outcomes: readonly TodoOutcome[]) => ok(bulkView(outcomes)),
        ),
    }),

    route("GET", "/todos/:todo_id", {
      summary: "Read a todo",
      operation: "readTodo",
      takes: { caller: caller("user", "todos:read"), todoId: id("todo_id", "todo") },
      returns: { 200: TodoView, 304: null },
      sends: TAGGED,
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "todo", id: 7 } }],
      run: async ({ caller, todoId }, exchange) => {
        const todo = await todos.get(caller, todoId);
        return unlessKnown(exchange, todo, todoView(todo));
      },
    }),

    route("PATCH", "/todos/:todo_id", {
      summary: "Change a todo",
      description: "What is absent stays as it is; null clears the description.",
      operation: "updateTodo",
      takes: {
        caller: caller("user", "todos:write"),
        todoId: id("todo_id", "todo"),
        expected: ifMatch("todo_id"),
        change: json(TodoChange),
      },
      returns: { 200: TodoView },
      sends: TAGGED,
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "todo", id: 7 } }],
      run: async ({ caller, todoId, expected, change }) => {
        const updated = await todos.update(caller, todoId, change, expected);
        return ok(todoView(updated), { etag: etag(updated) });
      },
    }),

    route("DELETE", "/todos/:todo_id", {
      summary: "Delete a todo",
      operation: "deleteTodo",
      takes: {
        caller: caller("user", "todos:write"),
        todoId: id("todo_id", "todo"),
        expected: ifMatch("todo_id"),
      },
      returns: { 204: null },
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "todo", id: 7 } }],
      run: async ({ caller, todoId, expected }) => {
        await todos.delete(caller, todoId, expected);
        return noContent();
      },
    }),
  ];
}

type Query = Static<typeof TodoPageQuery>;

function selection({ completed, priority, q = "" }: Query): TodoSelection {
  return { completed: completed ?? null, priority: priority ?? null, words: searchWords(q) };
}

function order(sort: NonNullable<Query["sort"]>): Order<TodoSort> {
  switch (sort) {
    case "created_at":
    case "updated_at":
    case "priority":
    case "title":
      return { key: sort, descending: false };
    case "-created_at":
      return { key: "created_at", descending: true };
    case "-updated_at":
      return { key: "updated_at", descending: true };
    case "-priority":
      return { key: "priority", descending: true };
    case "-title":
      return { key: "title", descending: true };
  }
}

function operation(given: Static<typeof Bulk>["operations"][number]): TodoOperation {
  switch (given.op) {
    case "create": {
      const { op, ...todo } = given;
      return { op, todo };
    }
    case "update": {
      const { op, id, ...change } = given;
      return { op, id, change };
    }
    case "delete":
      return given;
  }
}
