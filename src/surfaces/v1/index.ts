import type { Core } from "../../core/core.ts";
import { under } from "../../http/surface.ts";
import type { Surface } from "../../http/surface.ts";
import { authRoutes } from "./auth.ts";
import { v1Dialect } from "./dialect.ts";
import { healthRoutes } from "./health.ts";
import type { About } from "./health.ts";
import { todoRoutes } from "./todos.ts";
import { userRoutes } from "./users.ts";

const PREFIX = "/v1";

/** The contract of seed 004: CONTRACT.md beside this file. */
export function v1(core: Core, about: About): Surface {
  return {
    name: "v1",
    about: 'Seed 004: users and todos, RS256 tokens, pages, conditional requests. Errors: `{"error": {…}}`.',
    prefixes: [PREFIX],
    dialect: v1Dialect,
    routes: under(PREFIX, [
      ...healthRoutes(core, about),
      ...authRoutes(core),
      ...userRoutes(core),
      ...todoRoutes(core),
    ]),
  };
}
