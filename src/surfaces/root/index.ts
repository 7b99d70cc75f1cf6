import type { Core } from "../../core/core.ts";
import type { Surface } from "../../http/surface.ts";
import { loginRoutes } from "./auth.ts";
import { rootDialect } from "./dialect.ts";
import { profileRoutes } from "./profile.ts";
import { ADMINS, USERS } from "./realms.ts";
import { tokenRoutes } from "./tokens.ts";
import { accountViews } from "./views.ts";

export interface RootOptions {
  /** The address that clients use, for absolute links; links are paths without it. */
  readonly publicUrl: string | null;
}

/** The contract of seed 001: CONTRACT.md beside this file. */
export function root(core: Core, options: RootOptions): Surface {
  const view = accountViews(options.publicUrl);
  return {
    name: "root",
    prefixes: ["/auth", "/users", "/admin"],
    dialect: rootDialect,
    routes: [USERS, ADMINS].flatMap((place) => [
      ...loginRoutes(core, place),
      ...profileRoutes(place, view),
      ...tokenRoutes(core, place),
    ]),
  };
}
