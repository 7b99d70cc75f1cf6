import type { LogLevel } from "../core/log.ts";
import { databaseUrl, type DatabaseTarget } from "./database-url.ts";
import * as kinds from "./kinds.ts";
import { type Kind, optional, type Shown } from "./kinds.ts";
import * as otel from "./otel.ts";

export type Environment = "development" | "production" | "test";

/** What a default may depend on. */
export interface Known {
  readonly environment: Environment;
  readonly cores: number;
  readonly hashConcurrency: number;
}

/** What can be said of a setting without knowing its type: enough for the documentation. */
export interface SettingFacts {
  readonly name: string;
  /** Other names it goes by, in order of precedence, after its own. */
  readonly aliases: readonly string[];
  /** One line, without a full stop. */
  readonly about: string;
  /** Secret settings are masked wherever they are shown, and may come from the file that `NAME_FILE` names. */
  readonly isSecret: boolean;
  /** For a default that depends on the machine. */
  readonly defaultInWords: string | undefined;
  shownDefault(known: Known): Shown;
}

export interface Setting<T> extends SettingFacts {
  readonly kind: Kind<T>;
  defaultFor(known: Known): T;
}

interface SettingDescription<T> {
  readonly aliases?: readonly string[];
  readonly kind: Kind<T>;
  readonly default: (known: Known) => T;
  readonly defaultInWords?: string;
  readonly about: string;
}

function setting<T>(name: string, description: SettingDescription<T>): Setting<T> {
  const { kind, default: defaultFor } = description;
  return {
    name,
    aliases: description.aliases ?? [],
    about: description.about,
    isSecret: kind.isSecret,
    defaultInWords: description.defaultInWords,
    kind,
    defaultFor,
    shownDefault: (known) => kind.show(defaultFor(known)),
  };
}

const inProduction = ({ environment }: Known) => environment === "production";
const notSet = () => null;

const DEFAULT_DATABASE: DatabaseTarget = { engine: "sqlite", path: "./app.db" };
const WAITING_FOR_EACH_HASH = 64;

/** Every setting there is, in the order in which it is documented. */
export const settings = {
  // What runs
  environment: setting("ENVIRONMENT", {
    kind: kinds.oneOf("an environment", "development, production or test", {
      development: "development",
      dev: "development",
      production: "production",
      prod: "production",
      test: "test",
      testing: "test",
    }),
    default: (): Environment => "development",
    about: "development, production or test; production refuses what is not fit for it",
  }),
  appName: setting("APP_NAME", {
    kind: kinds.line("a name", "one line of text"),
    default: () => "Latchkey",
    about: "The name shown in the documentation",
  }),
  debug: setting("DEBUG", {
    kind: kinds.boolean,
    default: (known) => !inProduction(known),
    about: "Serves the API's documentation at /docs, /redoc and /openapi.json, and the guides",
  }),
  host: setting("HOST", {
    kind: kinds.listenHost,
    default: () => "0.0.0.0",
    about: "The address to listen on",
  }),
  port: setting("PORT", {
    aliases: ["APP_PORT"],
    kind: kinds.port,
    default: () => 8000,
    about: "The port to listen on; 0 for any free one",
  }),
  publicUrl: setting("PUBLIC_URL", {
    kind: optional(kinds.publicUrl),
    default: notSet,
    about: "The address that clients use: for absolute links, and as the issuer in tokens",
  }),
  previousPublicUrls: setting("PREVIOUS_PUBLIC_URLS", {
    kind: kinds.publicUrls,
    default: () => [],
    about: "Earlier values of PUBLIC_URL, as a comma list: their tokens stay good",
  }),
  requestTimeoutSeconds: setting("REQUEST_TIMEOUT_SECONDS", {
    kind: kinds.integer(1, 3_600),
    default: () => 30,
    about: "The longest that a request may take",
  }),
  shutdownTimeoutSeconds: setting("SHUTDOWN_TIMEOUT_SECONDS", {
    kind: kinds.integer(1, 3_600),
    default: () => 20,
    about: "The longest that a stopping server waits for requests in flight",
  }),
  shutdownDelaySeconds: setting("SHUTDOWN_DELAY_SECONDS", {
    kind: kinds.integer(0, 600),
    default: () => 0,
    about: "How long a server told to stop serves on before that, while its balancer takes notice",
  }),

  // Where things are kept
  databaseUrl: setting("DATABASE_URL", {
    kind: databaseUrl,
    default: () => DEFAULT_DATABASE,
    about:
      "sqlite:///path or postgres://user:password@host:port/database; SQLAlchemy's +drivers are accepted",
  }),
  pgHost: setting("PGHOST", {
    kind: optional(kinds.remoteHost),
    default: notSet,
    about: "The PostgreSQL server, where DATABASE_URL is not set",
  }),
  pgPort: setting("POSTGRES_PORT", {
    aliases: ["PGPORT"],
    kind: kinds.remotePort,
    default: () => 5432,
    about: "Its port, with PGHOST",
  }),
  pgDatabase: setting("PGDATABASE", {
    kind: kinds.line("a database", "the name of a database"),
    default: () => "postgres",
    about: "Its database, with PGHOST",
  }),
  pgUser: setting("PGUSER", {
    kind: kinds.line("a user", "the name of a user"),
    default: () => "postgres",
    about: "The user to log in as, with PGHOST",
  }),
  pgPassword: setting("PGPASSWORD", {
    kind: optional(kinds.secret),
    default: notSet,
    about: "The user's password, with PGHOST",
  }),
  dbPoolMinConn: setting("DB_POOL_MIN_CONN", {
    kind: kinds.integer(0, 1_000),
    default: () => 1,
    about: "PostgreSQL connections kept open",
  }),
  dbPoolMaxConn: setting("DB_POOL_MAX_CONN", {
    aliases: ["DB_POOL_SIZE"],
    kind: kinds.integer(1, 1_000),
    default: () => 10,
    about: "PostgreSQL connections at most",
  }),
  dbAcquireTimeoutMs: setting("DB_ACQUIRE_TIMEOUT_MS", {
    kind: kinds.integer(1, 600_000),
    default: () => 2_000,
    about: "The longest wait for a free connection",
  }),
  dbStatementTimeoutMs: setting("DB_STATEMENT_TIMEOUT_MS", {
    kind: kinds.integer(1, 600_000),
    default: () => 5_000,
    about: "The longest that one statement may take",
  }),
  dbPrepare: setting("DB_PREPARE", {
    kind: kinds.boolean,
    default: () => true,
    about: "Named prepared statements; false behind PgBouncer in transaction mode",
  }),
  dbEcho: setting("DB_ECHO", {
    kind: kinds.boolean,
    default: () => false,
    about: "Logs each SQL statement with its duration, never its values",
  }),
  autoMigrate: setting("AUTO_MIGRATE", {
    kind: kinds.boolean,
    default: () => true,
    about: "Applies outstanding migrations at start",
  }),
  uploadDir: setting("UPLOAD_DIR", {
    kind: kinds.folder,
    default: () => "uploads",
    about: "The folder that avatars are kept in",
  }),
  uploadUrl: setting("UPLOAD_URL", {
    kind: optional(kinds.s3Location),
    default: notSet,
    about: "Keeps avatars in a bucket, s3://bucket/prefix, in place of UPLOAD_DIR",
  }),
  s3Endpoint: setting("S3_ENDPOINT", {
    aliases: ["AWS_ENDPOINT"],
    kind: optional(kinds.s3Endpoint),
    default: notSet,
    about: "The server of the buckets, where it is not Amazon's own",
  }),
  s3Region: setting("S3_REGION", {
    aliases: ["AWS_REGION"],
    kind: kinds.identifier("the name of a region"),
    default: () => "us-east-1",
    about: "The region of the buckets",
  }),
  s3AccessKeyId: setting("S3_ACCESS_KEY_ID", {
    aliases: ["AWS_ACCESS_KEY_ID"],
    kind: optional(kinds.identifier("the id of a key")),
    default: notSet,
    about: "The key to the buckets, with UPLOAD_URL, BACKUP_URL or a backup by hand",
  }),
  s3SecretAccessKey: setting("S3_SECRET_ACCESS_KEY", {
    aliases: ["AWS_SECRET_ACCESS_KEY"],
    kind: optional(kinds.secret),
    default: notSet,
    about: "The secret of that key",
  }),
  s3SessionToken: setting("S3_SESSION_TOKEN", {
    aliases: ["AWS_SESSION_TOKEN"],
    kind: optional(kinds.secret),
    default: notSet,
    about: "The token that goes with a temporary key",
  }),
  maxUploadMb: setting("MAX_UPLOAD_MB", {
    kind: kinds.integer(1, 1_024),
    default: () => 10,
    about: "The largest upload",
  }),

  // Tokens
  secretKey: setting("SECRET_KEY", {
    kind: optional(kinds.secret),
    default: notSet,
    about: "Signs HS256 tokens: 32 random bytes or more; required in production, else made and kept",
  }),
  keysDir: setting("KEYS_DIR", {
    kind: kinds.folder,
    default: () => "keys",
    about:
      "The folder of private_key.pem, public_key.pem and older public keys; required in production, else made",
  }),
  jwtAlgorithm: setting("JWT_ALGORITHM", {
    aliases: ["ALGORITHM"],
    kind: optional(
      kinds.oneOf("an algorithm", "HS256, RS256, ES256 or EdDSA", {
        hs256: "HS256",
        rs256: "RS256",
        es256: "ES256",
        eddsa: "EdDSA",
      }),
    ),
    default: notSet,
    about: "HS256, RS256, ES256 or EdDSA on every surface; without it RS256 on /v1 and HS256 elsewhere",
  }),
  accessTokenExpireMinutes: setting("ACCESS_TOKEN_EXPIRE_MINUTES", {
    kind: optional(kinds.integer(1, 525_600)),
    default: notSet,
    about: "Life of an access token on every surface; without it 30 on /api/v1, 60 on root, 1440 on /v1",
  }),
  refreshTokenExpireDays: setting("REFRESH_TOKEN_EXPIRE_DAYS", {
    kind: kinds.integer(1, 3_650),
    default: () => 7,
    about: "Life of a refresh token",
  }),
  refreshReuseGraceSeconds: setting("REFRESH_REUSE_GRACE_SECONDS", {
    kind: kinds.integer(0, 3_600),
    default: () => 0,
    about: "Forgives a refresh token presented twice within so many seconds",
  }),
  refreshAbsoluteDays: setting("REFRESH_ABSOLUTE_DAYS", {
    kind: optional(kinds.integer(1, 36_500)),
    default: notSet,
    about: "The longest that a session can be kept alive by refreshing; without it for ever",
  }),
  cookieSecure: setting("COOKIE_SECURE", {
    kind: kinds.boolean,
    default: inProduction,
    about: "Sends the refresh cookie over HTTPS only",
  }),
  cookieSameSite: setting("COOKIE_SAMESITE", {
    kind: kinds.oneOf("a SameSite rule", "lax, strict or none (none only with COOKIE_SECURE=true)", {
      lax: "lax",
      strict: "strict",
      none: "none",
    }),
    default: (known) => (inProduction(known) ? "strict" : "lax"),
    about: "The SameSite rule of the refresh cookie: lax, strict or none",
  }),
  cookieDomain: setting("COOKIE_DOMAIN", {
    kind: optional(kinds.cookieDomain),
    default: notSet,
    about: "The domain of the refresh cookie; without it the host alone",
  }),

  // Passwords and guessing
  passwordMinLength: setting("PASSWORD_MIN_LENGTH", {
    kind: optional(kinds.integer(1, 30)),
    default: notSet,
    about: "Raises the shortest password that may be set, on every surface; 30 at most",
  }),
  hashConcurrency: setting("HASH_CONCURRENCY", {
    kind: kinds.integer(1, 256),
    default: ({ cores }) => cores,
    defaultInWords: "number of cores",
    about: "Passwords hashed at once; each takes a core and 19 MB",
  }),
  hashQueue: setting("HASH_QUEUE", {
    kind: kinds.integer(0, 100_000),
    default: ({ hashConcurrency }) => WAITING_FOR_EACH_HASH * hashConcurrency,
    defaultInWords: `${WAITING_FOR_EACH_HASH} × HASH_CONCURRENCY`,
    about: "Passwords that may wait to be hashed; beyond it logins answer 503",
  }),
  maxLoginAttempts: setting("MAX_LOGIN_ATTEMPTS", {
    kind: kinds.integer(1, 1_000),
    default: () => 5,
    about: "Failed logins in a row that lock an account",
  }),
  lockoutDurationMinutes: setting("LOCKOUT_DURATION_MINUTES", {
    kind: kinds.integer(1, 525_600),
    default: () => 30,
    about: "How long a locked account stays locked",
  }),
  rateLimitEnabled: setting("RATE_LIMIT_ENABLED", {
    kind: kinds.boolean,
    default: () => true,
    about: "false turns all rate limits off",
  }),
  rateLimitRegister: setting("RATE_LIMIT_REGISTER", {
    kind: kinds.rate,
    default: () => ({ requests: 5, windowMs: 60_000 }),
    about: "Registrations by one client, on every surface together",
  }),
  rateLimitLogin: setting("RATE_LIMIT_LOGIN", {
    kind: kinds.rate,
    default: () => ({ requests: 10, windowMs: 60_000 }),
    about: "Logins by one client on /api/v1 and /v1",
  }),
  rateLimitRefresh: setting("RATE_LIMIT_REFRESH", {
    kind: kinds.rate,
    default: () => ({ requests: 20, windowMs: 60_000 }),
    about: "Refreshes by one client on /api/v1",
  }),
  rateLimitAttempts: setting("RATE_LIMIT_ATTEMPTS", {
    kind: kinds.integer(1, 1_000_000),
    default: () => 5,
    about: "Logins by one client on the root surface, users and admins each, in the window below",
  }),
  rateLimitWindowMinutes: setting("RATE_LIMIT_WINDOW_MINUTES", {
    kind: kinds.integer(1, 43_200),
    default: () => 15,
    about: "The window of RATE_LIMIT_ATTEMPTS",
  }),
  redisUrl: setting("REDIS_URL", {
    kind: optional(kinds.redisUrl),
    default: notSet,
    about: "Keeps rate limits in Redis, for several instances; without it in the process",
  }),
  trustProxy: setting("TRUST_PROXY", {
    kind: kinds.integer(0, 32),
    default: () => 0,
    about: "How many proxies' X-Forwarded-For entries to believe",
  }),
  corsOrigins: setting("CORS_ORIGINS", {
    kind: kinds.origins,
    default: () => [],
    about: "Origins of front ends, as a JSON array or a comma list; never *",
  }),

  // Operation
  adminSetupToken: setting("ADMIN_SETUP_TOKEN", {
    kind: optional(kinds.headerSecret),
    default: notSet,
    about:
      "Lets the first admin register; without it one is printed at start while there is no admin, unless `LOG_LEVEL` is above WARNING",
  }),
  auditRetentionDays: setting("AUDIT_RETENTION_DAYS", {
    kind: optional(kinds.integer(1, 36_500)),
    default: notSet,
    about: "How long rows of the audit trail are kept; without it for ever",
  }),
  backupSchedule: setting("BACKUP_SCHEDULE", {
    kind: optional(kinds.schedule),
    default: notSet,
    about: 'Backs SQLite up by itself, as a crontab says when: "0 3 * * *" for each night at three',
  }),
  backupDir: setting("BACKUP_DIR", {
    kind: kinds.folder,
    default: () => "backups",
    about: "The folder of these backups; best on another disk",
  }),
  backupUrl: setting("BACKUP_URL", {
    kind: optional(kinds.s3Location),
    default: notSet,
    about: "Keeps these backups in a bucket, s3://bucket/prefix, in place of BACKUP_DIR",
  }),
  backupKeep: setting("BACKUP_KEEP", {
    kind: kinds.integer(1, 10_000),
    default: () => 7,
    about: "How many of these backups are kept",
  }),
  metricsPort: setting("METRICS_PORT", {
    kind: optional(kinds.port),
    default: notSet,
    about: "Serves /metrics on a port of its own",
  }),
  metricsToken: setting("METRICS_TOKEN", {
    kind: optional(kinds.headerSecret),
    default: notSet,
    about: "Serves /metrics on the main port, to this Bearer token",
  }),
  otlpEndpoint: setting("OTEL_EXPORTER_OTLP_ENDPOINT", {
    kind: optional(otel.collectorUrl),
    default: notSet,
    about:
      "Traces requests, to this OpenTelemetry collector: /v1/traces is added; without it nothing is traced",
  }),
  otlpTracesEndpoint: setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", {
    kind: optional(otel.collectorUrl),
    default: notSet,
    about: "The same with its whole path, in place of that",
  }),
  otlpHeaders: setting("OTEL_EXPORTER_OTLP_HEADERS", {
    kind: otel.headers,
    default: (): otel.NamedValues => ({}),
    about: "What the collector wants to see: name=value,name=value",
  }),
  otelServiceName: setting("OTEL_SERVICE_NAME", {
    kind: optional(kinds.line("a name", "one line of text")),
    default: notSet,
    about: "What traces call this server; without it service.name of the attributes below, or latchkey",
  }),
  otelResourceAttributes: setting("OTEL_RESOURCE_ATTRIBUTES", {
    kind: otel.attributes,
    default: (): otel.NamedValues => ({}),
    about: "What else traces tell of it: name=value,name=value",
  }),
  otelTracesSampler: setting("OTEL_TRACES_SAMPLER", {
    kind: kinds.oneOf(
      "a sampler",
      "always_on, always_off or traceidratio, also with parentbased_ before it",
      {
        always_on: "always_on",
        always_off: "always_off",
        traceidratio: "traceidratio",
        parentbased_always_on: "parentbased_always_on",
        parentbased_always_off: "parentbased_always_off",
        parentbased_traceidratio: "parentbased_traceidratio",
      },
    ),
    default: (): otel.SamplerName => "parentbased_always_on",
    about:
      "Which requests are traced: always_on, always_off, traceidratio; parentbased_… where the caller has not decided",
  }),
  otelTracesSamplerArg: setting("OTEL_TRACES_SAMPLER_ARG", {
    kind: otel.ratio,
    default: () => 1,
    about: "The share that traceidratio takes, 0 to 1",
  }),
  logLevel: setting("LOG_LEVEL", {
    kind: kinds.oneOf(
      "a log level",
      "DEBUG, INFO, WARNING or ERROR",
      {
        debug: "debug",
        info: "info",
        warning: "warning",
        warn: "warning",
        error: "error",
        critical: "error",
        fatal: "error",
      },
      (level) => level.toUpperCase(),
    ),
    default: (): LogLevel => "info",
    about: "The least that is logged: DEBUG, INFO, WARNING or ERROR",
  }),
  logJson: setting("LOG_JSON", {
    kind: kinds.boolean,
    default: inProduction,
    about: "Logs one JSON object a line, rather than text for people",
  }),
};

export const settingTable: readonly SettingFacts[] = Object.values(settings);
