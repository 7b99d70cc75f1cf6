import { dialect } from "../../http/dialect.ts";
import { detailPhrases } from "../../http/detail-dialect.ts";
import type { Surface } from "../../http/surface.ts";
import { healthRoutes } from "./health.ts";
import type { Health } from "./health.ts";

export const operationsDialect = dialect(detailPhrases);

/** What stands outside the contracts: for those who run the server, and for the machines that watch it. */
export function operations(health: Health): Surface {
  return { name: "operations", prefixes: [], dialect: operationsDialect, routes: healthRoutes(health) };
}
