import type { Account } from "../../core/accounts.ts";
import type { Todo, TodoOutcome } from "../../core/todos.ts";
import type { Static } from "../../http/schema.ts";
import { instant, instantOrNull } from "../../http/time.ts";
import type { BulkResults, TodoView, UserView } from "./schemas.ts";

export function userView(account: Account): Static<typeof UserView> {
  return {
    id: account.id,
    email: account.email,
    username: account.username,
    full_name: account.name,
    is_active: account.isActive,
    created_at: instant(account.createdAtMs),
    updated_at: instantOrNull(account.updatedAtMs),
  };
}

export function todoView(todo: Todo): Static<typeof TodoView> {
  return {
    id: todo.id,
    title: todo.title,
    description: todo.description,
    completed: todo.completed,
    priority: todo.priority,
    user_id: todo.accountId,
    created_at: instant(todo.createdAtMs),
    updated_at: instantOrNull(todo.updatedAtMs),
  };
}

const STATUS = { create: 201, update: 200, delete: 204 } as const;

export function bulkView(outcomes: readonly TodoOutcome[]): Static<typeof BulkResults> {
  return {
    results: outcomes.map(({ op, id, todo }) => ({
      op,
      status: STATUS[op],
      id,
      todo: todo === null ? null : todoView(todo),
    })),
  };
}
