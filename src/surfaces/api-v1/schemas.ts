import { DESCRIPTION_MAX_CHARACTERS, TITLE_MAX_CHARACTERS } from "../../core/todos.ts";
import type { PasswordRule } from "../../core/passwords.ts";
import { email, newPassword, nullable, password, t, text } from "../../http/schema.ts";

const id = (example = 1) => t.Integer({ minimum: 1, example });
const time = () => t.String({ format: "date-time", example: "2026-01-04T10:00:00.000Z" });

export const UserRegistration = (rule: PasswordRule) =>
  t.Object({ email: email(), password: newPassword(rule) }, { $id: "UserRegistration" });

/** Any name will do at a login: whether it is one that could exist is nothing to tell a guesser. */
export const EmailLogin = t.Object(
  { email: text({ format: "email" }), password: password() },
  { $id: "EmailLogin" },
);

export const RegisteredUser = t.Object(
  { id: id(), email: t.String({ format: "email" }) },
  { $id: "RegisteredUser" },
);

export const AccessToken = t.Object(
  {
    access_token: t.String({ example: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl" }),
    token_type: t.Literal("bearer"),
  },
  { $id: "AccessToken" },
);

export const Message = t.Object(
  { message: t.String({ example: "Successfully logged out" }) },
  { $id: "Message" },
);

export const AccountView = t.Object(
  {
    id: id(),
    email: t.String({ format: "email" }),
    username: nullable(t.String({ example: "alice" })),
    is_active: t.Boolean({ example: true }),
    is_superuser: t.Boolean({ description: "Whether the account has the role admin" }),
    created_at: time(),
  },
  { $id: "Account" },
);

const title = () => text({ min: 1, max: TITLE_MAX_CHARACTERS, trim: true, example: "Buy groceries" });
const description = () => nullable(text({ max: DESCRIPTION_MAX_CHARACTERS, example: "Milk, eggs, bread" }));

export const TodoInput = t.Object(
  { title: title(), description: t.Optional(description()) },
  { $id: "TodoInput" },
);

/** What is absent or null stays as it is. */
export const TodoChange = t.Object(
  {
    title: t.Optional(nullable(title())),
    description: t.Optional(description()),
    completed: t.Optional(nullable(t.Boolean())),
  },
  { $id: "TodoChange" },
);

export const TodoQuery = t.Object({
  completed: t.Optional(
    t.Boolean({ description: "Only those that are completed, or only those that are not" }),
  ),
  limit: t.Optional(
    t.Integer({ minimum: 1, maximum: 1_000, description: "At most so many; all without it" }),
  ),
  offset: t.Optional(t.Integer({ minimum: 0, description: "Leaves out so many of the oldest" })),
});

export const TodoView = t.Object(
  {
    id: id(),
    title: t.String({ example: "Buy groceries" }),
    description: nullable(t.String({ example: "Milk, eggs, bread" })),
    completed: t.Boolean(),
    user_id: id(),
    created_at: time(),
    updated_at: nullable(time()),
  },
  { $id: "Todo" },
);
