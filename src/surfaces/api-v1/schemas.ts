import { DESCRIPTION_MAX_CHARACTERS, TITLE_MAX_CHARACTERS } from "../../core/todos.ts";
import type { PasswordRule } from "../../core/passwords.ts";
import { email, newPassword, nullable, password, t, text, username } from "../../http/schema.ts";

const id = (example = 1) => t.Integer({ minimum: 1, example });
const time = () => t.String({ format: "date-time", example: "2026-01-04T10:00:00.000Z" });

export const UserRegistration = (rule: PasswordRule) =>
  t.Object({ email: email(), password: newPassword(rule) }, { $id: "UserRegistration" });

/**
 * Not every rule for a new address: whether it could exist is nothing to tell a guesser, and an import may have brought
 * one that no registration would take. A username is none, and this contract has no login by one.
 */
const loginEmail = () =>
  text({
    format: "email",
    rule: (given) => (given.includes("@") ? null : "value is not a valid email address"),
    example: "user@example.com",
  });

export const EmailLogin = t.Object({ email: loginEmail(), password: password() }, { $id: "EmailLogin" });

export const RegisteredUser = t.Object(
  { id: id(), email: t.String({ format: "email" }) },
  { $id: "RegisteredUser" },
);
export const AuthRegistration = (rule: PasswordRule) =>
  t.Object(
    { email: email(), username: username(), password: newPassword(rule) },
    { $id: "AuthRegistration" },
  );

const loginName = () => text({ description: "The username, or the e-mail address", example: "username" });

export const NameLogin = t.Object({ username: loginName(), password: password() }, { $id: "NameLogin" });

export const RefreshGrant = t.Object({ refresh_token: text() }, { $id: "RefreshGrant" });

/** Both grants in one, for the documentation: which fields are needed depends on `grant_type`. */
export const TokenForm = t.Object(
  {
    grant_type: t.Optional(t.Union([t.Literal("password"), t.Literal("refresh_token")])),
    username: t.Optional(loginName()),
    password: t.Optional(password()),
    refresh_token: t.Optional(text()),
  },
  { $id: "TokenForm" },
);

export const RevocationForm = t.Object({ token: text() }, { $id: "RevocationForm" });

/** A current password that is missing is a wrong one, not a mistake in the form. */
export const PasswordChange = (rule: PasswordRule) =>
  t.Object(
    { current_password: t.Optional(nullable(password())), new_password: newPassword(rule) },
    { $id: "PasswordChange" },
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
export const Tokens = t.Object(
  {
    access_token: t.String(),
    refresh_token: t.String(),
    token_type: t.Literal("bearer"),
    expires_in: t.Integer({ description: "How long the access token lives, in seconds", example: 1_800 }),
  },
  { $id: "Tokens" },
);

export const SessionView = t.Object(
  {
    id: id(),
    kind: t.Union([t.Literal("cookie"), t.Literal("rotating")]),
    created_at: time(),
    last_used_at: time(),
    client_address: nullable(t.String({ description: "Where it was opened from" })),
    user_agent: nullable(t.String({ description: "What it was opened with" })),
    current: t.Boolean({ description: "Whether this request comes from it" }),
  },
  { $id: "Session" },
);

/** Some OAuth2 clients read every answer as JSON, also one that RFC 7009 leaves empty. */
export const Nothing = t.Object({}, { $id: "Nothing" });

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
