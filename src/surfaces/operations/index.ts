import type { Core } from "../../core/core.ts";
import { dialect } from "../../http/dialect.ts";
import { detailPhrases, detailSchemas } from "../../http/detail-dialect.ts";
import type { Surface } from "../../http/surface.ts";
import { docsRoutes } from "./docs/routes.ts";
import type { Documentation } from "./docs/routes.ts";
import { guideRoutes } from "./guides/routes.ts";
import { healthRoutes } from "./health.ts";
import type { Health } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";
import type { MetricsAccess } from "./metrics.ts";
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
  /** Null where they are not to be had here. */
  metrics: MetricsAccess | null;
}): Surface {
  const { health, core, publicUrl, about, documentation, metrics } = parts;
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
      ...(metrics === null ? [] : metricsRoutes(metrics)),
      ...(documentation === null ? [] : [...docsRoutes(documentation), ...guideRoutes]),
    ],
  };
}

/** The metrics alone, for a port of their own that strangers do not reach. */
export function metricsAlone(render: () => Promise<string>): Surface {
  return {
    name: "metrics",
    prefixes: [],
    dialect: operationsDialect,
    routes: metricsRoutes({ render, token: null }),
  };
}
