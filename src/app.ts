import type { Config } from "./config.ts";
import { SECOND_MS } from "./core/clock.ts";
import type { Core } from "./core/core.ts";
import type { Log } from "./core/log.ts";
import type { RateLimitRule, RateLimitStore } from "./core/rate-limit.ts";
import type { LimitName } from "./http/exchange.ts";
import { createServer } from "./http/server.ts";
import type { HttpServer } from "./http/server.ts";
import { apiV1 } from "./surfaces/api-v1/index.ts";
import { operations, operationsDialect } from "./surfaces/operations/index.ts";
import type { Health } from "./surfaces/operations/health.ts";
import { root } from "./surfaces/root/index.ts";
import { v1 } from "./surfaces/v1/index.ts";
import { VERSION } from "./version.ts";

/** The map of everything the server answers. */
export function createApp(parts: {
  core: Core;
  config: Config;
  health: Health;
  limits: RateLimitStore;
  log: Log;
}): HttpServer {
  const { core, config, health, limits, log } = parts;
  return createServer({
    surfaces: [
      apiV1(core, config.cookie),
      v1(core, { version: VERSION, environment: config.environment }),
      root(core, config),
      operations({ health, core, publicUrl: config.publicUrl }),
    ],
    fallback: operationsDialect,
    services: {
      authentication: core.authentication,
      idempotency: core.idempotency,
      limits: config.rateLimits.enabled ? { store: limits, rules: limitRules(config) } : null,
      cors: { origins: config.corsOrigins },
    },
    policy: {
      requestTimeoutMs: config.requestTimeoutSeconds * SECOND_MS,
      trustedProxies: config.trustProxy,
      strictTransport: config.isProduction,
    },
    log,
  });
}

function limitRules({ rateLimits }: Config): Readonly<Record<LimitName, RateLimitRule>> {
  const { register, login, refresh, rootLogin } = rateLimits;
  return { register, login, refresh, root_login: rootLogin, admin_login: rootLogin };
}
