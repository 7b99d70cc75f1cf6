import type { Account } from "../../core/accounts.ts";
import type { Session } from "../../core/sessions.ts";
import type { Todo } from "../../core/todos.ts";
import type { Static } from "../../http/schema.ts";
import { instant, instantOrNull } from "../../http/time.ts";
import type { AccountView, RegisteredUser, SessionView, TodoView } from "./schemas.ts";

export function registeredUser({ id, email }: Account): Static<typeof RegisteredUser> {
  return { id, email };
}

export function accountView(account: Account): Static<typeof AccountView> {
  return {
    id: account.id,
    email: account.email,
    username: account.username,
    is_active: account.isActive,
    is_superuser: account.role === "admin",
    created_at: instant(account.createdAtMs),
  };
}

export function sessionView(session: Session, currentId: number | null): Static<typeof SessionView> {
  return {
    id: session.id,
    kind: session.kind,
    created_at: instant(session.createdAtMs),
    last_used_at: instant(session.lastUsedAtMs),
    client_address: session.clientAddress,
    user_agent: session.userAgent,
    current: session.id === currentId,
  };
}

export function todoView(todo: Todo): Static<typeof TodoView> {
  return {
    id: todo.id,
    title: todo.title,
    description: todo.description,
    completed: todo.completed,
    user_id: todo.accountId,
    created_at: instant(todo.createdAtMs),
    updated_at: instantOrNull(todo.updatedAtMs),
  };
}
