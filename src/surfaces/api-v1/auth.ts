import type { Account } from "../../core/accounts.ts";
import type { Actor } from "../../core/actor.ts";
import type { Core } from "../../core/core.ts";
import { Fault } from "../../core/fault.ts";
import { AT_LEAST_6 } from "../../core/passwords.ts";
import type { OpenedSession } from "../../core/sessions.ts";
import type { Form } from "../../http/body.ts";
import { once } from "../../http/once.ts";
import { noContent, ok } from "../../http/reply.ts";
import type { Reply } from "../../http/reply.ts";
import {
  caller,
  form,
  formFields,
  json,
  jsonOrForm,
  limited,
  limitedByForm,
  route,
} from "../../http/route.ts";
import type { Failure, Part, Route } from "../../http/route.ts";
import type { Static } from "../../http/schema.ts";
import { speaking } from "../../http/surface.ts";
import { authDialect, tokenDialect } from "./dialect.ts";
import {
  AccessToken,
  AccountView,
  AuthRegistration,
  NameLogin,
  Nothing,
  RefreshGrant,
  RevocationForm,
  TokenForm,
  Tokens,
} from "./schemas.ts";
import { accountView } from "./views.ts";

/** Accounts by username, with rotating refresh tokens (seed 002) or with none (seed 003). */
export function authRoutes(core: Core): readonly Route[] {
  return [...speaking(tokenDialect, [tokenRoute(core)]), ...speaking(authDialect, otherRoutes(core))];
}

/** The OAuth2 token endpoint. Clients are public: their `client_id` and `client_secret` are read by nobody. */
function tokenRoute({ logins, sessions, accessTokens }: Core): Route {
  return route("POST", "/auth/token", {
    summary: "Get tokens by password, or by a refresh token",
    operation: "token",
    takes: { limit: limitedByForm("login", budgetOf), grant },
    returns: { 200: Tokens },
    fails: ["login_failed", "refresh_failed", UNSUPPORTED_GRANT, "deactivated", "locked", "overloaded"],
    run: async ({ grant }, { actor }) => {
      if (grant.type === "refresh_token")
        return tokens(accessTokens, await sessions.rotate(grant.refresh_token, actor));
      const { username, password } = grant;
      const opened = await logins.login("user", username, password, actor, async (tx, account) => ({
        account,
        ...(await sessions.open(tx, "rotating", account, actor)),
      }));
      return tokens(accessTokens, opened);
    },
  });
}

function otherRoutes(core: Core): readonly Route[] {
  const { accounts, authentication, sessions, accessTokens, passwordRule } = core;
  return [
    route("POST", "/auth/register", {
      summary: "Create an account with a username",
      operation: "register",
      takes: { limit: limited("register"), body: json(AuthRegistration(passwordRule(AT_LEAST_6))), once },
      returns: { 200: AccountView },
      fails: [
        "conflict",
        { kind: "conflict", noun: "user", field: "username", value: "alice" },
        "overloaded",
      ],
      run: ({ body, once }, { actor }) =>
        once(
          body,
          (also) => accounts.register("user", body, actor, { also }),
          (made: Account) => ok(accountView(made)),
        ),
    }),

    route("POST", "/auth/refresh", {
      summary: "Exchange a refresh token for new tokens",
      description: "The token that was given is spent. Given again, it ends the session.",
      operation: "refreshTokens",
      takes: { limit: limited("refresh"), body: json(RefreshGrant) },
      returns: { 200: Tokens },
      fails: ["refresh_failed"],
      run: async ({ body }, { actor }) =>
        tokens(accessTokens, await sessions.rotate(body.refresh_token, actor)),
    }),

    route("POST", "/auth/revoke", {
      summary: "End the session of a token, known or not",
      operation: "revokeToken",
      takes: { body: jsonOrForm(RefreshGrant, RevocationForm) },
      returns: { 200: Nothing, 204: null },
      run: async ({ body }, { actor }) => {
        if ("json" in body) {
          await sessions.revoke("rotating", body.json.refresh_token, actor);
          return noContent();
        }
        // RFC 7009 knows access tokens too; one that belongs to a session ends with it, and no other way.
        const { token } = body.form;
        const sessionId = authentication.sessionOf("user", token);
        if (sessionId === null) await sessions.revoke("rotating", token, actor);
        else await sessions.revokeById("rotating", sessionId, actor);
        return ok({});
      },
    }),

    route("GET", "/auth/me", {
      summary: "Read one's own account",
      operation: "readMe",
      takes: { caller: caller("user", "account:read") },
      returns: { 200: AccountView },
      run: ({ caller }) => ok(accountView(caller.account)),
    }),

    route("POST", "/auth/login", {
      summary: "Log in by a form, for an access token alone",
      operation: "login",
      takes: { limit: limited("login"), login: form(NameLogin) },
      returns: { 200: AccessToken },
      fails: ["login_failed", "deactivated", "locked", "overloaded"],
      run: ({ login }, { actor }) => loginWithoutSession(core, login, actor),
    }),

    route("POST", "/auth/login-json", {
      summary: "Log in by JSON, for an access token alone",
      operation: "loginJson",
      takes: { limit: limited("login"), login: json(NameLogin) },
      returns: { 200: AccessToken },
      fails: ["login_failed", "deactivated", "locked", "overloaded"],
      run: ({ login }, { actor }) => loginWithoutSession(core, login, actor),
    }),
  ];
}

const UNSUPPORTED_GRANT: Failure = {
  kind: "invalid",
  problems: [{ where: "form", name: "grant_type", message: "Input should be 'password' or 'refresh_token'" }],
};

type Grant =
  | ({ readonly type: "password" } & Static<typeof NameLogin>)
  | ({ readonly type: "refresh_token" } & Static<typeof RefreshGrant>);

/** The grant that the form asks for. A parameter without a value counts as left out (RFC 6749, section 3.2). */
const grant: Part<Grant> = {
  kind: "input",
  documents: { form: TokenForm },
  async read(exchange) {
    const fields = new Map([...(await exchange.form())].filter(([, value]) => value !== ""));
    switch (fields.get("grant_type") ?? "password") {
      case "password":
        return { type: "password", ...formFields(NameLogin, fields) };
      case "refresh_token":
        return { type: "refresh_token", ...formFields(RefreshGrant, fields) };
      default:
        throw Fault.invalid("form", "grant_type", "Input should be 'password' or 'refresh_token'");
    }
  },
};

function budgetOf(form: Form): "login" | "refresh" {
  return form.get("grant_type") === "refresh_token" ? "refresh" : "login";
}

function tokens(accessTokens: Core["accessTokens"], opened: { account: Account } & OpenedSession): Reply {
  const body: Static<typeof Tokens> = {
    access_token: accessTokens.issue("token", opened.account, opened.session.id),
    refresh_token: opened.refreshToken,
    token_type: "bearer",
    expires_in: accessTokens.lifetimeSeconds("token"),
  };
  return ok(body);
}

async function loginWithoutSession(
  { logins, accessTokens }: Core,
  { username, password }: Static<typeof NameLogin>,
  actor: Actor,
): Promise<Reply> {
  const account = await logins.login("user", username, password, actor, async (_tx, account) => account);
  return ok({ access_token: accessTokens.issue("token", account, null), token_type: "bearer" });
}
