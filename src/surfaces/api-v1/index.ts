import type { Core } from "../../core/core.ts";
import type { CookiePolicy } from "../../http/cookies.ts";
import { under } from "../../http/surface.ts";
import type { Surface } from "../../http/surface.ts";
import { authRoutes } from "./auth.ts";
import { apiV1Dialect } from "./dialect.ts";
import { itemRoutes } from "./items.ts";
import { sessionRoutes } from "./sessions.ts";
import { todoRoutes } from "./todos.ts";
import { userRoutes } from "./users.ts";

const PREFIX = "/api/v1";

/** The contract of seeds 000, 002 and 003: CONTRACT.md beside this file. */
export function apiV1(core: Core, cookies: CookiePolicy): Surface {
  return {
    name: "api-v1",
    about: 'Accounts with cookie sessions or rotating tokens, and their todos. Errors: `{"detail": "…"}`.',
    prefixes: [PREFIX],
    dialect: apiV1Dialect,
    routes: under(PREFIX, [
      ...userRoutes(core, cookies),
      ...sessionRoutes(core),
      ...authRoutes(core),
      ...todoRoutes(core),
      ...itemRoutes(core),
    ]),
  };
}
