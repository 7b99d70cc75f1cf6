import type { Core } from "../../core/core.ts";
import { AT_LEAST_8 } from "../../core/passwords.ts";
import { TAGGED, unlessKnown } from "../../http/etag.ts";
import { once } from "../../http/once.ts";
import { ok } from "../../http/reply.ts";
import { caller, json, limited, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { AccessToken, Login, nameIn, Registration, UserView } from "./schemas.ts";
import { CREATED_USER, createdUser } from "./users.ts";
import { userView } from "./views.ts";

export function authRoutes({ accounts, accessTokens, logins, passwordRule }: Core): readonly Route[] {
  return [
    route("POST", "/auth/register", {
      summary: "Register a new user",
      operation: "register",
      takes: { limit: limited("register"), body: json(Registration(passwordRule(AT_LEAST_8))), once },
      returns: { 201: UserView },
      sends: CREATED_USER,
      fails: ["conflict", "overloaded"],
      run: ({ body, once }, { actor }) => {
        const { full_name: fullName = null, ...given } = body;
        const user = { ...given, name: nameIn(fullName) };
        return once(body, (also) => accounts.register("user", user, actor, { also }), createdUser);
      },
    }),

    route("POST", "/auth/login", {
      summary: "Log in and get an access token",
      operation: "login",
      takes: { limit: limited("login"), body: json(Login) },
      returns: { 200: AccessToken },
      fails: ["login_failed", "deactivated", "locked", "overloaded"],
      run: async ({ body }, { actor }) => {
        const { username, password } = body;
        const account = await logins.login("user", username, password, actor, async (_tx, found) => found);
        return ok({
          access_token: accessTokens.issue("v1", account, null),
          token_type: "bearer",
          expires_in: accessTokens.lifetimeSeconds("v1"),
        });
      },
    }),

    route("GET", "/auth/me", {
      summary: "Read one's own account",
      operation: "readOwnUser",
      takes: { caller: caller("user", "account:read") },
      returns: { 200: UserView, 304: null },
      sends: TAGGED,
      run: ({ caller }, exchange) => unlessKnown(exchange, caller.account, userView(caller.account)),
    }),
  ];
}
