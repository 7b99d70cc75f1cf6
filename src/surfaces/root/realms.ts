import type { Realm } from "../../core/accounts.ts";
import type { LimitName } from "../../http/exchange.ts";

/**
 * Users and administrators have the same routes at different places. What is alike is written once, as a function
 * of this; nothing else tells the realms apart.
 */
export interface RealmPlace {
  readonly realm: Realm;
  /** Where to register and log in. */
  readonly auth: string;
  /** Where the signed-in account is. */
  readonly me: string;
  readonly loginLimit: LimitName;
  /** As in `loginUser`: what the routes are called in generated clients. */
  readonly named: "User" | "Admin";
}

export const USERS: RealmPlace = {
  realm: "user",
  auth: "/auth",
  me: "/users/me",
  loginLimit: "root_login",
  named: "User",
};

export const ADMINS: RealmPlace = {
  realm: "admin",
  auth: "/admin/auth",
  me: "/admin/me",
  loginLimit: "admin_login",
  named: "Admin",
};
