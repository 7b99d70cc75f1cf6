import type { Core } from "../../core/core.ts";
import { ok } from "../../http/reply.ts";
import { form, limited, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import type { RealmPlace } from "./realms.ts";
import { LoggedIn, Login } from "./schemas.ts";

/** How an account of either realm is let in. */
export function loginRoutes(core: Core, place: RealmPlace): readonly Route[] {
  const { logins, accessTokens } = core;
  return [
    route("POST", `${place.auth}/login`, {
      summary: "Log in by username or e-mail address",
      operation: `login${place.named}`,
      takes: { limit: limited(place.loginLimit), body: form(Login) },
      returns: { 200: LoggedIn },
      run: async ({ body }, { actor }) => {
        const { username, password } = body;
        const account = await logins.login(place.realm, username, password, actor, async (_, found) => found);
        const access_token = accessTokens.issue("root", account, null);
        const token_type = "bearer";
        const expires_in = accessTokens.lifetimeSeconds("root");
        const data = { access_token, token_type, expires_in };
        return ok({ success: true, message: "Login successful", data, access_token, token_type });
      },
    }),
  ];
}
