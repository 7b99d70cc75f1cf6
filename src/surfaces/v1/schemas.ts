import { FULL_NAME_MAX_CHARACTERS } from "../../core/identity.ts";
import type { PasswordRule } from "../../core/passwords.ts";
import { SEARCH_MAX_WORDS, searchWords } from "../../core/search.ts";
import { DESCRIPTION_MAX_CHARACTERS, TITLE_MAX_CHARACTERS } from "../../core/todos.ts";
import { pageFields, pageOf } from "../../http/pages.ts";
import { email, newPassword, nullable, password, t, text, username } from "../../http/schema.ts";

const SEARCH_MAX_CHARACTERS = 200;
const BULK_MAX_OPERATIONS = 100;

const id = (example = 1) => t.Integer({ minimum: 1, example });
const time = () => t.String({ format: "date-time", example: "2026-01-04T10:00:00.000Z" });

// Users

const fullName = () => nullable(text({ max: FULL_NAME_MAX_CHARACTERS, trim: true, example: "John Doe" }));
const role = () =>
  t.Union([t.Literal("user"), t.Literal("admin")], { description: "By an administrator alone" });
const isActive = () => t.Boolean({ description: "By an administrator alone" });

/** The name of an account, which is never empty: a form sends what was not filled in as nothing. */
export function nameIn(fullName: string | null): string | null {
  const name = fullName?.trim() ?? "";
  return name === "" ? null : name;
}

export const Registration = (rule: PasswordRule) =>
  t.Object(
    {
      email: email(),
      username: username(),
      full_name: t.Optional(fullName()),
      password: newPassword(rule),
    },
    { $id: "Registration" },
  );

export const UserInput = (rule: PasswordRule) =>
  t.Object(
    { ...Registration(rule).properties, role: t.Optional(role()), is_active: t.Optional(isActive()) },
    { $id: "UserInput" },
  );

/** What is absent stays as it is; null clears what may be null. */
export const UserChange = (rule: PasswordRule) =>
  t.Object(
    {
      email: t.Optional(email()),
      username: t.Optional(username()),
      full_name: t.Optional(fullName()),
      password: t.Optional(newPassword(rule)),
      current_password: t.Optional(password()),
      role: t.Optional(role()),
      is_active: t.Optional(isActive()),
    },
    { $id: "UserChange" },
  );

export const Login = t.Object(
  {
    username: text({ description: "The username or the e-mail address", example: "john_doe" }),
    password: password(),
  },
  { $id: "Login" },
);

export const AccessToken = t.Object(
  {
    access_token: t.String(),
    token_type: t.Literal("bearer"),
    expires_in: t.Integer({ description: "Seconds", example: 86_400 }),
  },
  { $id: "AccessToken" },
);

export const UserView = t.Object(
  {
    id: id(),
    email: t.String({ format: "email" }),
    username: nullable(t.String()),
    full_name: nullable(t.String()),
    is_active: t.Boolean(),
    created_at: time(),
    updated_at: nullable(time()),
  },
  { $id: "User" },
);

export const UserPage = pageOf(UserView);
export const UserPageQuery = t.Object(pageFields);

// Todos

const title = () => text({ min: 1, max: TITLE_MAX_CHARACTERS, trim: true, example: "Learn FastAPI" });
const description = () =>
  nullable(text({ max: DESCRIPTION_MAX_CHARACTERS, example: "Build an async REST API" }));
const priority = () => t.Union([t.Literal("low"), t.Literal("medium"), t.Literal("high")]);

export const TodoInput = t.Object(
  {
    title: title(),
    description: t.Optional(description()),
    priority: t.Optional(priority()),
  },
  { $id: "TodoInput" },
);

/** What is absent stays as it is; null clears the description. */
export const TodoChange = t.Object(
  {
    title: t.Optional(title()),
    description: t.Optional(description()),
    completed: t.Optional(t.Boolean()),
    priority: t.Optional(priority()),
  },
  { $id: "TodoChange" },
);

export const TodoPageQuery = t.Object({
  completed: t.Optional(t.Boolean()),
  priority: t.Optional(priority()),
  q: t.Optional(
    text({
      max: SEARCH_MAX_CHARACTERS,
      rule: (value) =>
        searchWords(value).length <= SEARCH_MAX_WORDS
          ? null
          : `Input should have at most ${SEARCH_MAX_WORDS} words`,
      description: "Words that each stand in the title or the description, in any case",
    }),
  ),
  sort: t.Optional(
    t.Union(
      [
        t.Literal("created_at"),
        t.Literal("-created_at"),
        t.Literal("updated_at"),
        t.Literal("-updated_at"),
        t.Literal("priority"),
        t.Literal("-priority"),
        t.Literal("title"),
        t.Literal("-title"),
      ],
      { description: "`-` for the greatest first", default: "-created_at" },
    ),
  ),
  ...pageFields,
});

export const TodoView = t.Object(
  {
    id: id(),
    title: t.String(),
    description: nullable(t.String()),
    completed: t.Boolean(),
    priority: priority(),
    user_id: id(),
    created_at: time(),
    updated_at: nullable(time()),
  },
  { $id: "Todo" },
);

export const TodoPage = pageOf(TodoView);

export const Bulk = t.Object(
  {
    operations: t.Array(
      t.Union([
        t.Object({ op: t.Literal("create"), ...TodoInput.properties }),
        t.Object({ op: t.Literal("update"), id: id(), ...TodoChange.properties }),
        t.Object({ op: t.Literal("delete"), id: id() }),
      ]),
      { minItems: 1, maxItems: BULK_MAX_OPERATIONS },
    ),
  },
  { $id: "Bulk" },
);

export const BulkResults = t.Object(
  {
    results: t.Array(
      t.Object({
        op: t.Union([t.Literal("create"), t.Literal("update"), t.Literal("delete")]),
        status: t.Integer({ description: "What the operation alone would have answered", example: 201 }),
        id: id(),
        todo: nullable(TodoView),
      }),
    ),
  },
  { $id: "BulkResults" },
);

// Health

export const HealthView = t.Object(
  {
    status: t.Union([t.Literal("healthy"), t.Literal("unhealthy")]),
    version: t.String(),
    environment: t.String(),
    timestamp: time(),
    database: t.Object({
      status: t.Union([t.Literal("connected"), t.Literal("disconnected")]),
      current_time: nullable(time()),
    }),
  },
  { $id: "Health" },
);
