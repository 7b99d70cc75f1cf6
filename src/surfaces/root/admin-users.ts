import type { Account } from "../../core/accounts.ts";
import type { Actor } from "../../core/actor.ts";
import { TO_GIVE_RIGHTS } from "../../core/caller.ts";
import type { Core } from "../../core/core.ts";
import { soughtText } from "../../core/identity.ts";
import { AT_LEAST_6 } from "../../core/passwords.ts";
import { pageOf, pageRequest, pageView } from "../../http/pages.ts";
import { caller, id, jsonOrMultipart, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { accountChange } from "./changes.ts";
import { Success, success } from "./envelope.ts";
import type { Upload } from "./index.ts";
import { AccountView, UserChange, UserQuery } from "./schemas.ts";
import type { ViewAccount } from "./views.ts";

const reader = () => caller("admin", "admin");
/** Who changes an account may give it rights, and a password by which they are had. */
const writer = () => caller("admin", ...TO_GIVE_RIGHTS);
const userId = () => id("user_id", "user");

/** Whatever another administrator does to the same user meanwhile. */
const EVEN_DELETED = { evenDeleted: true };

/** The back office: what an administrator does with the accounts of users, deleted ones among them. */
export function adminUserRoutes(
  core: Core,
  { upload, view }: { upload: Upload; view: ViewAccount },
): readonly Route[] {
  const { accounts, avatars, logins, passwordRule, userDirectory } = core;

  const action = (
    verb: string,
    spec: {
      summary: string;
      operation: string;
      message: string;
      act: (account: Account, by: Actor) => Promise<Account>;
    },
  ): Route =>
    route("PATCH", `/admin/users/:user_id/${verb}`, {
      summary: spec.summary,
      operation: spec.operation,
      takes: { admin: writer(), userId: userId() },
      returns: { 200: Success(AccountView) },
      run: async ({ userId }, { actor }) =>
        success(spec.message, view(await spec.act(await accounts.get("user", userId), actor))),
    });

  return [
    route("GET", "/admin/users", {
      summary: "List and search the users, newest first",
      operation: "listUserAccounts",
      takes: { admin: reader(), query: query(UserQuery) },
      returns: { 200: Success(pageOf(AccountView)) },
      run: async ({ query }) => {
        const { search = "", is_active: isActive = null, deleted = false } = query;
        const filter = { search: soughtText(search), isActive, deleted };
        const page = await userDirectory.list(filter, pageRequest(query));
        return success("Users retrieved", pageView(page, view));
      },
    }),

    route("GET", "/admin/users/:user_id", {
      summary: "Read a user, deleted or not",
      operation: "readUserAccount",
      takes: { admin: reader(), userId: userId() },
      returns: { 200: Success(AccountView) },
      run: async ({ userId }) => success("User retrieved", view(await accounts.get("user", userId))),
    }),

    route("PUT", "/admin/users/:user_id", {
      summary: "Change a user, deleted or not",
      description: "What is absent stays as it is. A new password ends the user's sessions.",
      operation: "updateUserAccount",
      takes: {
        admin: writer(),
        userId: userId(),
        body: jsonOrMultipart(UserChange(passwordRule(AT_LEAST_6)), upload),
      },
      returns: { 200: Success(AccountView) },
      fails: ["conflict", "overloaded"],
      run: async ({ userId, body: { fields, file } }, { actor }) => {
        const account = await accounts.get("user", userId);
        const { password, role } = fields;
        const newPassword = password == null ? null : { password, entitlement: "administrator" as const };
        const updated = await avatars.keep(file, async (avatar) => {
          const change = { ...accountChange(account, fields, avatar), ...(role == null ? {} : { role }) };
          return accounts.update(account, change, newPassword, actor, EVEN_DELETED);
        });
        return success("User updated", view(updated));
      },
    }),

    route("DELETE", "/admin/users/:user_id", {
      summary: "Delete a user",
      description: "The row stays, and with it the names: nobody else gets them.",
      operation: "deleteUserAccount",
      takes: { admin: writer(), userId: userId() },
      returns: { 200: Success(AccountView) },
      run: async ({ userId }, { actor }) =>
        success("User deleted", view(await accounts.delete(await accounts.get("user", userId), actor))),
    }),

    action("activate", {
      summary: "Let a blocked user log in again",
      operation: "activateUserAccount",
      message: "User activated",
      act: (account, by) => accounts.update(account, { isActive: true }, null, by, EVEN_DELETED),
    }),

    action("block", {
      summary: "Refuse a user's tokens and logins",
      operation: "blockUserAccount",
      message: "User blocked",
      act: (account, by) => accounts.update(account, { isActive: false }, null, by, EVEN_DELETED),
    }),

    action("unlock", {
      summary: "Take the lock of failed logins off a user",
      operation: "unlockUserAccount",
      message: "User unlocked",
      act: async (account, by) => {
        await logins.unlock(account, by);
        return account;
      },
    }),

    action("restore", {
      summary: "Take a deletion back",
      operation: "restoreUserAccount",
      message: "User restored",
      act: (account, by) => accounts.restore(account, by),
    }),
  ];
}
