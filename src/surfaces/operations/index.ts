import type { Core } from "../../core/core.ts";
import { dialect } from "../../http/dialect.ts";
import { detailPhrases } from "../../http/detail-dialect.ts";
import type { Surface } from "../../http/surface.ts";
import { healthRoutes } from "./health.ts";
import type { Health } from "./health.ts";
import { uploadRoutes } from "./uploads.ts";
import { wellKnownRoutes } from "./well-known.ts";

export const operationsDialect = dialect(detailPhrases);

/** What stands outside the contracts: for those who run the server, and for the machines that watch it. */
export function operations(parts: { health: Health; core: Core; publicUrl: string | null }): Surface {
  const { health, core, publicUrl } = parts;
  return {
    name: "operations",
    prefixes: [],
    dialect: operationsDialect,
    routes: [...healthRoutes(health), ...wellKnownRoutes(core, publicUrl), ...uploadRoutes(core.avatars)],
  };
}
