import type { Core } from "../../core/core.ts";
import type { Surface } from "../../http/surface.ts";
import { adminUserRoutes } from "./admin-users.ts";
import { auditRoutes } from "./audit.ts";
import { authRoutes } from "./auth.ts";
import { rootDialect } from "./dialect.ts";
import { ownDeletionRoute, profileRoutes } from "./profile.ts";
import { ADMINS, USERS } from "./realms.ts";
import { tokenRoutes } from "./tokens.ts";
import { accountViews } from "./views.ts";

export interface RootOptions {
  /** The address that clients use, for absolute links; links are paths without it. */
  readonly publicUrl: string | null;
  readonly maxUploadMb: number;
}

/** The one file that a form may bring along. */
export interface Upload {
  readonly field: string;
  readonly maxBytes: number;
}

/** The contract of seed 001: CONTRACT.md beside this file. */
export function root(core: Core, { publicUrl, maxUploadMb }: RootOptions): Surface {
  const shared = {
    upload: { field: "avatar", maxBytes: maxUploadMb * 1024 * 1024 },
    view: accountViews(publicUrl),
  };
  const ofBothRealms = [USERS, ADMINS].flatMap((place) => [
    ...authRoutes(core, place, shared),
    ...profileRoutes(core, place, shared),
    ...tokenRoutes(core, place),
  ]);
  return {
    name: "root",
    about:
      "Users and administrators in realms of their own, avatars, personal access tokens. Answers stand in `data`.",
    prefixes: ["/auth", "/users", "/admin"],
    dialect: rootDialect,
    routes: [
      ...ofBothRealms,
      ownDeletionRoute(core, USERS),
      ...adminUserRoutes(core, shared),
      ...auditRoutes(core),
    ],
  };
}
