import type { Account, AccountChange, PasswordChange } from "../../core/accounts.ts";
import { isAdmin, requireAdmin } from "../../core/caller.ts";
import type { Caller } from "../../core/caller.ts";
import type { Core } from "../../core/core.ts";
import { Fault } from "../../core/fault.ts";
import { AT_LEAST_8 } from "../../core/passwords.ts";
import { etag, ifMatch, TAGGED, unlessKnown } from "../../http/etag.ts";
import { once } from "../../http/once.ts";
import { LINKED, pageLinks, pageRequest, pageView } from "../../http/pages.ts";
import { created, noContent, ok } from "../../http/reply.ts";
import type { Reply } from "../../http/reply.ts";
import { caller, callerIfAny, id, json, limited, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import type { Static } from "../../http/schema.ts";
import { nameIn, UserChange, UserInput, UserPage, UserPageQuery, UserView } from "./schemas.ts";
import { userView } from "./views.ts";

const ADMIN_ONLY = { adminOnly: ["role", "is_active"] } as const;

export const CREATED_USER = { ...TAGGED, Location: "The path of the new user" };

export function userRoutes(core: Core): readonly Route[] {
  const { accounts, pages } = core;
  const rule = core.passwordRule(AT_LEAST_8);

  /** Oneself, or anyone who is there for an administrator; others are refused before anything is looked at. */
  const account = async (caller: Caller, userId: number): Promise<Account> => {
    if (caller.account.id === userId) return caller.account;
    if (isAdmin(caller)) return accounts.getLive("user", userId);
    throw Fault.of({ kind: "forbidden", why: { rule: "not_yours", noun: "user", id: userId } });
  };

  return [
    route("POST", "/users", {
      summary: "Create a user",
      description:
        "Open to anyone; an administrator may set `role` and `is_active` as well, with a token that has the scopes " +
        "`admin` and `account:write`.",
      operation: "createUser",
      takes: {
        limit: limited("register"),
        caller: callerIfAny("user"),
        body: json(UserInput(rule), ADMIN_ONLY),
        once,
      },
      returns: { 201: UserView },
      sends: CREATED_USER,
      fails: ["conflict", "overloaded"],
      run: ({ body, once }, { actor }) => {
        const { full_name: fullName = null, is_active: isActive, ...given } = body;
        const rights = isActive === undefined ? {} : { isActive };
        const user = { ...given, name: nameIn(fullName), ...rights };
        return once(body, (also) => accounts.register("user", user, actor, { also }), createdUser);
      },
    }),

    route("GET", "/users", {
      summary: "List users, the newest first, as an administrator",
      operation: "listUsers",
      takes: { caller: caller("user", "account:read"), query: query(UserPageQuery) },
      returns: { 200: UserPage },
      sends: LINKED,
      fails: ["forbidden"],
      run: async ({ caller, query }, exchange) => {
        requireAdmin(caller);
        const page = await pages.read(accounts.listing("user"), pageRequest(query));
        return ok(pageView(page, userView), pageLinks(exchange, query, page));
      },
    }),

    route("GET", "/users/:user_id", {
      summary: "Read a user: oneself, or anyone as an administrator",
      operation: "readUser",
      takes: { caller: caller("user", "account:read"), userId: id("user_id", "user") },
      returns: { 200: UserView, 304: null },
      sends: TAGGED,
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "user", id: 7 } }],
      run: async ({ caller, userId }, exchange) => {
        const found = await account(caller, userId);
        return unlessKnown(exchange, found, userView(found));
      },
    }),

    route("PATCH", "/users/:user_id", {
      summary: "Change a user: oneself, or anyone as an administrator",
      description:
        "What is absent stays as it is. A new `password` needs `current_password`, unless an administrator sets " +
        "it for someone else; `role` and `is_active` are an administrator's to set.",
      operation: "updateUser",
      takes: {
        caller: caller("user", "account:write"),
        userId: id("user_id", "user"),
        expected: ifMatch("user_id"),
        change: json(UserChange(rule), ADMIN_ONLY),
      },
      returns: { 200: UserView },
      sends: TAGGED,
      fails: [
        { kind: "forbidden", why: { rule: "not_yours", noun: "user", id: 7 } },
        "wrong_current_password",
        "locked",
        "conflict",
        "overloaded",
      ],
      run: async ({ caller, userId, expected, change }, { actor }) => {
        const found = await account(caller, userId);
        const isOwn = found.id === caller.account.id;
        const updated = await accounts.update(
          found,
          accountChange(change),
          passwordChange(change, isOwn),
          actor,
          { expected },
        );
        return ok(userView(updated), { etag: etag(updated) });
      },
    }),

    route("DELETE", "/users/:user_id", {
      summary: "Delete a user: oneself, or anyone as an administrator",
      operation: "deleteUser",
      takes: {
        caller: caller("user", "account:write"),
        userId: id("user_id", "user"),
        expected: ifMatch("user_id"),
      },
      returns: { 204: null },
      fails: [{ kind: "forbidden", why: { rule: "not_yours", noun: "user", id: 7 } }],
      run: async ({ caller, userId, expected }, { actor }) => {
        await accounts.delete(await account(caller, userId), actor, expected);
        return noContent();
      },
    }),
  ];
}

export function createdUser(account: Account): Reply {
  return created(userView(account), { location: `/v1/users/${account.id}`, etag: etag(account) });
}

type Change = Static<ReturnType<typeof UserChange>>;

function accountChange({
  email,
  username,
  full_name: fullName,
  role,
  is_active: isActive,
}: Change): AccountChange {
  return {
    ...(email === undefined ? {} : { email }),
    ...(username === undefined ? {} : { username }),
    ...(fullName === undefined ? {} : { name: nameIn(fullName) }),
    ...(role === undefined ? {} : { role }),
    ...(isActive === undefined ? {} : { isActive }),
  };
}

function passwordChange(
  { password, current_password: current }: Change,
  isOwn: boolean,
): PasswordChange | null {
  if (password === undefined) return null;
  return { password, entitlement: isOwn ? { current } : "administrator" };
}
