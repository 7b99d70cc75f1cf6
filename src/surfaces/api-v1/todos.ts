import type { Core } from "../../core/core.ts";
import type { TodoChange as Change } from "../../core/store.ts";
import { noContent, ok } from "../../http/reply.ts";
import type { Todo } from "../../core/todos.ts";
import { once } from "../../http/once.ts";
import { caller, id, json, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";
import type { Static } from "../../http/schema.ts";
import { TodoChange, TodoInput, TodoQuery, TodoView } from "./schemas.ts";
import { todoView } from "./views.ts";

export function todoRoutes({ todos }: Core): readonly Route[] {
  return [
    route("POST", "/todos", {
      summary: "Create a todo",
      operation: "createTodo",
      takes: { caller: caller("user", "todos:write"), todo: json(TodoInput), once },
      returns: { 200: TodoView },
      run: ({ caller, todo, once }) =>
        once(
          todo,
          (also) => todos.create(caller, todo, also),
          (made: Todo) => ok(todoView(made)),
        ),
    }),

    route("GET", "/todos", {
      summary: "List one's todos, oldest first",
      operation: "listTodos",
      takes: { caller: caller("user", "todos:read"), query: query(TodoQuery) },
      returns: { 200: t.Array(TodoView) },
      run: async ({ caller, query }) => {
        const { completed = null, limit = null, offset = 0 } = query;
        return ok((await todos.list(caller, { completed, limit, offset })).map(todoView));
      },
    }),

    route("GET", "/todos/:todo_id", {
      summary: "Read a todo",
      operation: "readTodo",
      takes: { caller: caller("user", "todos:read"), todoId: id("todo_id", "todo") },
      returns: { 200: TodoView },
      run: async ({ caller, todoId }) => ok(todoView(await todos.get(caller, todoId))),
    }),

    route("PUT", "/todos/:todo_id", {
      summary: "Change a todo",
      description: "What is absent or null stays as it is.",
      operation: "updateTodo",
      takes: {
        caller: caller("user", "todos:write"),
        todoId: id("todo_id", "todo"),
        change: json(TodoChange),
      },
      returns: { 200: TodoView },
      run: async ({ caller, todoId, change }) =>
        ok(todoView(await todos.update(caller, todoId, withoutNulls(change)))),
    }),

    route("DELETE", "/todos/:todo_id", {
      summary: "Delete a todo, as an administrator",
      operation: "deleteTodo",
      takes: { caller: caller("user", "todos:write"), todoId: id("todo_id", "todo") },
      returns: { 204: null },
      fails: ["forbidden"],
      run: async ({ caller, todoId }) => {
        await todos.deleteAsAdmin(caller, todoId);
        return noContent();
      },
    }),
  ];
}

/** This contract's null says 'leave it', not 'clear it'. */
function withoutNulls({ title, description, completed }: Static<typeof TodoChange>): Change {
  return {
    ...(title == null ? {} : { title }),
    ...(description == null ? {} : { description }),
    ...(completed == null ? {} : { completed }),
  };
}
