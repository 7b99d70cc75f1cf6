import type { Core } from "../../core/core.ts";
import { AT_LEAST_6 } from "../../core/passwords.ts";
import { caller, jsonOrMultipart, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";
import { accountChange } from "./changes.ts";
import { Success, success } from "./envelope.ts";
import type { Upload } from "./index.ts";
import type { RealmPlace } from "./realms.ts";
import { AccountView, OwnChange } from "./schemas.ts";
import type { ViewAccount } from "./views.ts";

/** What a signed-in account of either realm does with itself. */
export function profileRoutes(
  core: Core,
  { realm, me, named }: RealmPlace,
  { upload, view }: { upload: Upload; view: ViewAccount },
): readonly Route[] {
  const { accounts, avatars, passwordRule } = core;
  return [
    route("GET", me, {
      summary: "Read one's own account",
      operation: `readOwn${named}Account`,
      takes: { caller: caller(realm, "account:read") },
      returns: { 200: Success(AccountView) },
      run: ({ caller }) => success("Profile retrieved", view(caller.account)),
    }),

    route("PUT", me, {
      summary: "Change one's own account",
      description: "What is absent stays as it is. A new password needs the current one.",
      operation: `updateOwn${named}Account`,
      takes: {
        caller: caller(realm, "account:write"),
        body: jsonOrMultipart(OwnChange(passwordRule(AT_LEAST_6)), upload),
      },
      returns: { 200: Success(AccountView) },
      fails: ["wrong_current_password", "locked", "conflict", "overloaded"],
      run: async ({ caller, body: { fields, file } }, { actor }) => {
        const { account } = caller;
        const { password, current_password } = fields;
        const entitlement = { current: current_password ?? undefined };
        const newPassword = password == null ? null : { password, entitlement };
        const updated = await avatars.keep(file, async (avatar) =>
          accounts.update(account, accountChange(account, fields, avatar), newPassword, actor),
        );
        return success("Profile updated", view(updated));
      },
    }),
  ];
}

/** Only users delete themselves: an administrator is taken away by whoever runs the server. */
export function ownDeletionRoute({ accounts }: Core, { realm, me, named }: RealmPlace): Route {
  return route("DELETE", me, {
    summary: "Delete one's own account",
    operation: `deleteOwn${named}Account`,
    takes: { caller: caller(realm, "account:write") },
    returns: { 200: Success(t.Null()) },
    run: async ({ caller }, { actor }) => {
      await accounts.delete(caller.account, actor);
      return success("Account deleted", null);
    },
  });
}
