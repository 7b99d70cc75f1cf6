import type { Config } from "./config.ts";
import { SECOND_MS } from "./core/clock.ts";
import type { Clock } from "./core/clock.ts";
import type { Core } from "./core/core.ts";
import type { Log } from "./core/log.ts";
import type { RateLimitRule, RateLimitStore } from "./core/rate-limit.ts";
import type { LimitName, Services } from "./http/exchange.ts";
import { openApiDocument } from "./http/openapi.ts";
import type { ResponderPolicy } from "./http/responder.ts";
import { createServer } from "./http/server.ts";
import type { Follow, HttpServer } from "./http/server.ts";
import type { Surface } from "./http/surface.ts";
import { apiV1 } from "./surfaces/api-v1/index.ts";
import { metricsAlone, operations, operationsDialect } from "./surfaces/operations/index.ts";
import type { Documentation } from "./surfaces/operations/docs/routes.ts";
import type { About } from "./surfaces/operations/page/routes.ts";
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
  steadyClock: Clock;
  renderMetrics: () => Promise<string>;
  log: Log;
  follow?: Follow | undefined;
}): HttpServer {
  const { core, config, health, limits, steadyClock, renderMetrics, log, follow } = parts;
  const { metricsToken, metricsPort } = config;
  const servesMetrics = metricsPort === null && metricsToken !== null;
  const surfaces: readonly Surface[] = [
    apiV1(core, config.cookie),
    v1(core, { version: VERSION, environment: config.environment }),
    root(core, config),
    operations({
      health,
      core,
      publicUrl: config.publicUrl,
      about: about(config),
      documentation: config.debug ? documentation(() => surfaces, config) : null,
      metrics: servesMetrics ? { render: renderMetrics, token: metricsToken } : null,
    }),
  ];
  return createServer({
    surfaces,
    fallback: operationsDialect,
    services: {
      ...unlimited(core, steadyClock),
      limits: config.rateLimits.enabled ? { store: limits, rules: limitRules(config) } : null,
      cors: { origins: config.corsOrigins },
      ownOrigin: ownOrigin(config),
      basePath: basePath(config),
    },
    policy: responderPolicy(config),
    log,
    follow,
  });
}

/** What answers on METRICS_PORT. */
export function createMetricsApp(parts: {
  core: Core;
  config: Config;
  steadyClock: Clock;
  renderMetrics: () => Promise<string>;
  log: Log;
}): HttpServer {
  const { core, config, steadyClock, renderMetrics, log } = parts;
  return createServer({
    surfaces: [metricsAlone(renderMetrics)],
    fallback: operationsDialect,
    services: unlimited(core, steadyClock),
    policy: responderPolicy(config),
    log,
  });
}

function unlimited({ authentication, idempotency }: Core, clock: Clock): Services {
  return {
    authentication,
    idempotency,
    clock,
    limits: null,
    cors: { origins: [] },
    ownOrigin: null,
    basePath: "",
  };
}

function ownOrigin({ publicUrl }: Config): string | null {
  return publicUrl === null ? null : new URL(publicUrl).origin;
}

function basePath({ publicUrl }: Config): string {
  return publicUrl === null ? "" : new URL(publicUrl).pathname.replace(/\/$/, "");
}

function responderPolicy(config: Config): ResponderPolicy {
  return {
    requestTimeoutMs: config.requestTimeoutSeconds * SECOND_MS,
    trustedProxies: config.trustProxy,
    strictTransport: config.isProduction,
  };
}

function about({ appName, database, debug }: Config): About {
  const engine = database.engine === "sqlite" ? "SQLite" : "PostgreSQL";
  return { name: appName, version: VERSION, database: engine, isDocumented: debug };
}

function documentation(surfaces: () => readonly Surface[], config: Config): Documentation {
  const { appName, publicUrl } = config;
  return {
    document: () =>
      openApiDocument(surfaces(), {
        title: appName,
        description: ABOUT,
        version: VERSION,
        serverUrl: publicUrl ?? "/",
        tokenPaths: { user: "/api/v1/auth/token", admin: "/admin/auth/login" },
      }),
    apiOrigin: ownOrigin(config),
  };
}

const ABOUT = `Accounts, sessions and todos behind one binary.

Each surface speaks a contract of its own and has one way to say that something failed. An access token of a user is
good on every surface; a user's token never opens an administrator's route, nor the other way round. Every answer
carries \`X-Request-ID\`, which finds the request in the server's log.`;

function limitRules({ rateLimits }: Config): Readonly<Record<LimitName, RateLimitRule>> {
  const { register, login, refresh, rootLogin } = rateLimits;
  return { register, login, refresh, root_login: rootLogin, admin_login: rootLogin };
}
