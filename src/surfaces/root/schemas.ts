import { AUDIT_EVENTS } from "../../core/audit.ts";
import { SCOPES } from "../../core/caller.ts";
import { FULL_NAME_MAX_CHARACTERS, normalPhone } from "../../core/identity.ts";
import { instantMs } from "../../core/instant.ts";
import type { PasswordRule } from "../../core/passwords.ts";
import { TOKEN_MAX_DAYS, TOKEN_NAME_MAX_CHARACTERS } from "../../core/personal-tokens.ts";
import { pageFields } from "../../http/pages.ts";
import { email, newPassword, nullable, password, t, text, username } from "../../http/schema.ts";
import type { SchemaOptions } from "../../http/schema.ts";
import { Success } from "./envelope.ts";

const id = (example = 1) => t.Integer({ minimum: 1, example });
const time = () => t.String({ format: "date-time", example: "2026-01-04T10:00:00.000Z" });

const SEARCH_MAX_CHARACTERS = 255;

const name = () => text({ min: 1, max: FULL_NAME_MAX_CHARACTERS, trim: true, example: "Ada Lovelace" });

/** Empty is no number at all. */
const phone = () =>
  nullable(
    text({
      rule: (value) =>
        value === "" || normalPhone(value) !== null
          ? null
          : "must be an international phone number, such as +49 151 12345678",
      example: "+49 151 12345678",
    }),
  );

export const Registration = (rule: PasswordRule) =>
  t.Object(
    {
      username: username(),
      name: name(),
      email: email(),
      password: newPassword(rule),
      phone: t.Optional(phone()),
    },
    { $id: "Registration" },
  );

/** Where a field may be left as it is, null says so too; only a phone number and an avatar can be taken away. */
const kept = <S extends ReturnType<typeof text>>(schema: S, documented?: SchemaOptions) =>
  t.Optional(nullable(schema, documented));

const changeFields = (rule: PasswordRule) => ({
  name: kept(name()),
  email: kept(email()),
  phone: t.Optional(phone()),
  username: kept(username()),
  avatar: kept(text(), { description: "By JSON: null removes it, its own name leaves it", example: null }),
  password: kept(newPassword(rule)),
});

export const OwnChange = (rule: PasswordRule) =>
  t.Object({ ...changeFields(rule), current_password: kept(password()) }, { $id: "OwnChange" });

export const UserChange = (rule: PasswordRule) =>
  t.Object(
    {
      ...changeFields(rule),
      role: t.Optional(t.Union([t.Literal("user"), t.Literal("admin"), t.Null()])),
    },
    { $id: "UserChange" },
  );

export const Login = t.Object(
  {
    username: text({ description: "The username or the e-mail address" }),
    password: password(),
  },
  { $id: "Login" },
);

export const AccessToken = t.Object(
  {
    access_token: t.String(),
    token_type: t.Literal("bearer"),
    expires_in: t.Integer({ description: "Seconds", example: 3_600 }),
  },
  { $id: "AccessToken" },
);

/** OAuth2 clients look for the token at the top, the clients of this API inside `data`. */
export const LoggedIn = t.Object(
  {
    ...Success(AccessToken).properties,
    access_token: t.String(),
    token_type: t.Literal("bearer"),
  },
  { $id: "LoggedIn" },
);

export const UserQuery = t.Object({
  ...pageFields,
  search: t.Optional(
    text({
      max: SEARCH_MAX_CHARACTERS,
      description: "A part of the e-mail address, username, name or phone number",
    }),
  ),
  is_active: t.Optional(t.Boolean({ description: "Only those that may log in, or only those that may not" })),
  deleted: t.Optional(t.Boolean({ description: "The deleted ones, in place of the others" })),
});

export const AccountView = t.Object(
  {
    id: id(),
    username: nullable(t.String()),
    name: nullable(t.String()),
    email: t.String({ format: "email" }),
    phone: nullable(t.String({ example: "+4915112345678" })),
    avatar: nullable(t.String({ description: "The file's name" })),
    avatar_url: nullable(t.String({ description: "Absolute where PUBLIC_URL is set, else a path" })),
    is_active: t.Boolean(),
    created_at: time(),
  },
  { $id: "Account" },
);

const scopes = () => t.Array(t.Union(SCOPES.map((scope) => t.Literal(scope))), { example: ["todos:read"] });

export const PersonalTokenInput = t.Object(
  {
    name: t.Optional(
      nullable(text({ min: 1, max: TOKEN_NAME_MAX_CHARACTERS, trim: true, example: "backup" })),
    ),
    expires_in_days: t.Optional(
      nullable(t.Integer({ minimum: 1, maximum: TOKEN_MAX_DAYS, description: "Never, without it" })),
    ),
    scopes: t.Optional(nullable(scopes())),
  },
  { $id: "PersonalTokenInput" },
);

export const PersonalTokenView = t.Object(
  {
    id: id(),
    name: nullable(t.String()),
    prefix: t.String({ description: "The beginning of the token", example: "lk_u_0a1B2c3D" }),
    scopes: nullable(scopes()),
    last_used_at: nullable(time()),
    expires_at: nullable(time()),
    created_at: time(),
  },
  { $id: "PersonalToken" },
);

export const NewPersonalToken = t.Object(
  {
    ...PersonalTokenView.properties,
    token: t.String({ description: "Shown this once: keep it now" }),
  },
  { $id: "NewPersonalToken" },
);

const ACCOUNT = /^(?:user|admin):[1-9][0-9]{0,14}$/;
const moment = (description: string) =>
  text({
    description,
    format: "date-time",
    example: "2026-01-04T10:00:00Z",
    rule: (given) =>
      instantMs(given) === null ? "Input should be a time, as 2026-01-04T10:00:00Z, or a day" : null,
  });

export const AuditQuery = t.Object({
  event: t.Optional(t.Union(AUDIT_EVENTS.map((event) => t.Literal(event)))),
  account: t.Optional(
    text({
      description: "Who did it, or whom it happened to",
      example: "user:1",
      rule: (given) => (ACCOUNT.test(given) ? null : "Input should be an account, as user:1 or admin:1"),
    }),
  ),
  from: t.Optional(moment("From this time on")),
  to: t.Optional(moment("Up to this time, and not at it")),
  page_size: t.Optional(t.Integer({ minimum: 1, maximum: 100, default: 50 })),
  cursor: t.Optional(text({ max: 256, description: "A page's `next_cursor`" })),
});

export const AuditRowView = t.Object(
  {
    id: id(),
    time: time(),
    event: t.String({ example: "account.blocked" }),
    actor: t.Object({
      kind: t.String({ description: "user, admin, operator (at the shell), or nobody (not yet known)" }),
      id: nullable(id()),
    }),
    subject: nullable(t.Object({ realm: t.String({ description: "user or admin" }), id: nullable(id()) })),
    client_address: nullable(t.String()),
    request_id: nullable(t.String()),
    detail: t.Unknown({ description: "What the event has to say besides" }),
    hash: t.String({ description: "SHA-256 over the row and the one before it, in hex" }),
  },
  { $id: "AuditRow" },
);

export const AuditPage = t.Object(
  {
    items: t.Array(AuditRowView),
    page_size: t.Integer(),
    next_cursor: nullable(t.String()),
  },
  { $id: "AuditPage" },
);
