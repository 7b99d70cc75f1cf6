import type { Account } from "../../core/accounts.ts";
import type { Actor } from "../../core/actor.ts";
import { isAdmin } from "../../core/caller.ts";
import type { Core } from "../../core/core.ts";
import { Fault } from "../../core/fault.ts";
import { ALPHANUMERIC_8_TO_30 } from "../../core/passwords.ts";
import { clearCookie, setCookie } from "../../http/cookies.ts";
import type { CookiePolicy } from "../../http/cookies.ts";
import { once } from "../../http/once.ts";
import { noContent, ok } from "../../http/reply.ts";
import { caller, cookies, id, json, limited, ownOrigin, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import {
  AccessToken,
  AccountView,
  EmailLogin,
  Message,
  PasswordChange,
  RegisteredUser,
  UserRegistration,
} from "./schemas.ts";
import { accountView, registeredUser } from "./views.ts";

const REFRESH_COOKIE = "refresh_token";

/** Accounts by e-mail, with the refresh token in a cookie (seed 000). */
export function userRoutes(core: Core, cookiePolicy: CookiePolicy): readonly Route[] {
  const { accounts, logins, sessions, accessTokens, passwordRule } = core;

  /** By the first that is good; else as the first was refused. */
  const refreshByAny = async (refreshTokens: readonly string[], by: Actor) => {
    let refusal: unknown = null;
    for (const refreshToken of refreshTokens) {
      try {
        return await sessions.refreshCookie(refreshToken, by);
      } catch (error) {
        if (!Fault.is(error, "refresh_failed")) throw error;
        refusal ??= error;
      }
    }
    throw refusal ?? Fault.of({ kind: "refresh_failed", why: "missing" });
  };

  return [
    route("POST", "/users/register", {
      summary: "Create an account by e-mail",
      operation: "registerUser",
      takes: {
        limit: limited("register"),
        body: json(UserRegistration(passwordRule(ALPHANUMERIC_8_TO_30))),
        once,
      },
      returns: { 200: RegisteredUser },
      fails: ["conflict", "overloaded"],
      run: ({ body, once }, { actor }) =>
        once(
          body,
          (also) => accounts.register("user", body, actor, { also }),
          (made: Account) => ok(registeredUser(made)),
        ),
    }),

    route("POST", "/users/login", {
      summary: "Log in and get a refresh cookie",
      operation: "loginUser",
      takes: { limit: limited("login"), body: json(EmailLogin) },
      returns: { 200: AccessToken },
      sends: { "Set-Cookie": "`refresh_token`, for scripts out of reach (HttpOnly)" },
      fails: ["login_failed", "deactivated", "locked", "overloaded"],
      run: async ({ body }, { actor }) => {
        const { email, password } = body;
        const { account, opened } = await logins.login(
          "user",
          email,
          password,
          actor,
          async (tx, account) => ({
            account,
            opened: await sessions.open(tx, "cookie", account, actor),
          }),
        );
        return {
          ...ok({
            access_token: accessTokens.issue("cookie", account, opened.session.id),
            token_type: "bearer",
          }),
          cookies: setCookie(REFRESH_COOKIE, opened.refreshToken, opened.refreshSeconds, cookiePolicy),
        };
      },
    }),

    route("POST", "/users/refresh", {
      summary: "Get a new access token by the refresh cookie",
      operation: "refreshUserSession",
      takes: { limit: limited("refresh"), own: ownOrigin, refreshTokens: cookies(REFRESH_COOKIE) },
      returns: { 200: AccessToken },
      fails: (["missing", "invalid", "expired"] as const).map((why) => ({ kind: "refresh_failed", why })),
      run: async ({ refreshTokens }, { actor }) => {
        const { account, session } = await refreshByAny(refreshTokens, actor);
        return ok({ access_token: accessTokens.issue("cookie", account, session.id), token_type: "bearer" });
      },
    }),

    route("POST", "/users/logout", {
      summary: "End the session and clear the cookie",
      operation: "logoutUser",
      takes: { own: ownOrigin, refreshTokens: cookies(REFRESH_COOKIE, { isOptional: true }) },
      returns: { 200: Message },
      sends: { "Set-Cookie": "Clears `refresh_token`" },
      run: async ({ refreshTokens }, { actor }) => {
        for (const refreshToken of refreshTokens) await sessions.revoke("cookie", refreshToken, actor);
        return {
          ...ok({ message: "Successfully logged out" }),
          cookies: clearCookie(REFRESH_COOKIE, cookiePolicy),
        };
      },
    }),

    route("GET", "/users/me", {
      summary: "Read one's own account",
      operation: "readOwnAccount",
      takes: { caller: caller("user", "account:read") },
      returns: { 200: AccountView },
      run: ({ caller }) => ok(accountView(caller.account)),
    }),

    route("POST", "/users/me/password", {
      summary: "Change one's password",
      description:
        "Ends all sessions, this one too, and all access tokens; personal access tokens stay good.",
      operation: "changeOwnPassword",
      takes: {
        caller: caller("user", "account:write"),
        body: json(PasswordChange(passwordRule(ALPHANUMERIC_8_TO_30))),
      },
      returns: { 204: null },
      fails: ["wrong_current_password", "locked", "overloaded"],
      run: async ({ caller, body }, { actor }) => {
        const entitlement = { current: body.current_password ?? undefined };
        await accounts.update(caller.account, {}, { password: body.new_password, entitlement }, actor);
        return noContent();
      },
    }),

    route("GET", "/users/:user_id", {
      summary: "Read an account: one's own, or any as an administrator",
      operation: "readUser",
      takes: { caller: caller("user", "account:read"), userId: id("user_id", "user") },
      returns: { 200: RegisteredUser },
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "user", id: 7 } }],
      run: async ({ caller, userId }) => {
        if (caller.account.id === userId) return ok(registeredUser(caller.account));
        // Refused before looking, so that a refusal does not tell which ids exist.
        if (!isAdmin(caller))
          throw Fault.of({ kind: "forbidden", why: { rule: "not_yours", noun: "user", id: userId } });
        return ok(registeredUser(await accounts.getLive("user", userId)));
      },
    }),
  ];
}
