import type { Core } from "../../core/core.ts";
import { caller, id, json, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";
import { Success, success } from "./envelope.ts";
import type { RealmPlace } from "./realms.ts";
import { NewPersonalToken, PersonalTokenInput, PersonalTokenView } from "./schemas.ts";
import { personalTokenView } from "./views.ts";

/** The personal access tokens of the signed-in account of either realm. */
export function tokenRoutes({ personalTokens }: Core, place: RealmPlace): readonly Route[] {
  const { realm, me, named } = place;
  return [
    route("GET", `${me}/tokens`, {
      summary: "List one's personal access tokens, newest first",
      operation: `list${named}Tokens`,
      takes: { caller: caller(realm, "account:read") },
      returns: { 200: Success(t.Array(PersonalTokenView)) },
      run: async ({ caller }) =>
        success("Tokens retrieved", (await personalTokens.list(caller.account)).map(personalTokenView)),
    }),

    route("POST", `${me}/tokens`, {
      summary: "Make a personal access token",
      description: "`token` is shown this once. Without `scopes` it may do all that its owner may.",
      operation: `create${named}Token`,
      takes: { caller: caller(realm, "account:write"), body: json(PersonalTokenInput) },
      returns: { 201: Success(NewPersonalToken) },
      run: async ({ caller, body }, { actor }) => {
        const { name = null, expires_in_days: expiresInDays = null, scopes = null } = body;
        const made = await personalTokens.create(caller, { name, expiresInDays, scopes }, actor);
        return success("Token created", { ...personalTokenView(made.token), token: made.secret }, 201);
      },
    }),

    route("DELETE", `${me}/tokens/:token_id`, {
      summary: "Revoke a personal access token",
      operation: `revoke${named}Token`,
      takes: { caller: caller(realm, "account:write"), tokenId: id("token_id", "token") },
      returns: { 200: Success(t.Null()) },
      run: async ({ caller, tokenId }, { actor }) => {
        await personalTokens.revoke(caller, tokenId, actor);
        return success("Token revoked", null);
      },
    }),
  ];
}
