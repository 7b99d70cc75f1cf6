import type { Core } from "../../core/core.ts";
import { dialect } from "../../http/dialect.ts";
import { detailPhrases, detailSchemas } from "../../http/detail-dialect.ts";
import type { Surface } from "../../http/surface.ts";
import { docsRoutes } from "./docs/routes.ts";
import type { Documentation } from "./docs/routes.ts";
import { healthRoutes } from "./health.ts";
import type { Health } from "./health.ts";
import { pageRoutes } from "./page/routes.ts";
import type { About } from "./page/routes.ts";
import { uploadRoutes } from "./uploads.ts";
import { wellKnownRoutes } from "./well-known.ts";

export const operationsDialect = dialect(detailPhrases, detailSchemas);

/** What stands outside the contracts: for those who run the server, and for the machines that watch it. */
export function operations(parts: {
  health: Health;
  core: Core;
  publicUrl: string | null;
  about: About;
  documentation: Documentation | null;
}): Surface {
  const { health, core, publicUrl, about, documentation } = parts;
  return {
    name: "operations",
    about: 'What the server tells about itself. Errors: `{"detail": "…"}`.',
    prefixes: [],
    dialect: operationsDialect,
    routes: [
      ...pageRoutes(about),
      ...healthRoutes(health),
      ...wellKnownRoutes(core, publicUrl),
      ...uploadRoutes(core.avatars),
      ...(documentation === null ? [] : docsRoutes(documentation)),
    ],
  };
}
