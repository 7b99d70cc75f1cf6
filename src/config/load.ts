import type { LogLevel } from "../core/log.ts";
import { composePostgresUrl, databaseUrl, type DatabaseTarget, IN_MEMORY } from "./database-url.ts";
import { assembleS3, type BucketConfig, bucketOf, type S3Config } from "./buckets.ts";
import type { RateLimit } from "./kinds.ts";
import { SECRET_KEY_MIN_BYTES, secretKeyWeakness } from "./secret-strength.ts";
import { type Environment, type Known, type Setting, settings, settingTable } from "./settings.ts";
import { assembleTracing, type TracingConfig } from "./tracing.ts";
import { SettingReader, type SettingReport, type Sources } from "./sources.ts";

/** All that can be configured. Frozen, all the way down. */
export interface Config {
  readonly environment: Environment;
  readonly isProduction: boolean;
  readonly appName: string;
  readonly debug: boolean;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly publicUrl: string | null;
  readonly previousPublicUrls: readonly string[];
  readonly requestTimeoutSeconds: number;
  readonly shutdownTimeoutSeconds: number;
  readonly shutdownDelaySeconds: number;

  readonly database: DatabaseConfig;
  readonly uploadDir: string;
  /** Null: uploads are kept in `uploadDir`. */
  readonly uploadS3: BucketConfig | null;
  /** How any bucket is reached; null where there is no key. */
  readonly s3: S3Config | null;
  readonly maxUploadMb: number;

  /** Null only outside production: then one is made, and kept beside the database. */
  readonly secretKey: string | null;
  readonly keysDir: string;
  /** Null: each surface signs with its own. */
  readonly jwtAlgorithm: "HS256" | "RS256" | "ES256" | "EdDSA" | null;
  /** Null: each surface has its own. */
  readonly accessTokenExpireMinutes: number | null;
  readonly refreshTokenExpireDays: number;
  readonly refreshReuseGraceSeconds: number;
  /** Null: a family lives for as long as it is refreshed. */
  readonly refreshAbsoluteDays: number | null;
  readonly cookie: CookieConfig;

  /** Null: each surface's own rule alone. */
  readonly passwordMinLength: number | null;
  readonly hashConcurrency: number;
  readonly hashQueue: number;
  readonly maxLoginAttempts: number;
  readonly lockoutDurationMinutes: number;
  readonly rateLimits: RateLimitsConfig;
  /** Null: rate limits are kept in the process. */
  readonly redisUrl: string | null;
  /** How many proxies' `X-Forwarded-For` entries to believe. */
  readonly trustProxy: number;
  readonly corsOrigins: readonly string[];

  readonly adminSetupToken: string | null;
  /** Null: for ever. */
  readonly auditRetentionDays: number | null;
  /** Null: nobody but the operator makes any. */
  readonly backups: BackupsConfig | null;
  readonly metricsPort: number | null;
  readonly metricsToken: string | null;
  /** Null: requests are not traced. */
  readonly tracing: TracingConfig | null;
  readonly logLevel: LogLevel;
  readonly logJson: boolean;
}

export type DatabaseConfig = DatabaseTarget & {
  readonly poolMinConnections: number;
  readonly poolMaxConnections: number;
  readonly acquireTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly prepare: boolean;
  readonly echo: boolean;
  readonly autoMigrate: boolean;
};

export interface BackupsConfig {
  readonly schedule: string;
  readonly folder: string;
  /** Null: they are kept in `folder`. */
  readonly bucket: BucketConfig | null;
  readonly keep: number;
}

export interface CookieConfig {
  readonly secure: boolean;
  readonly sameSite: "lax" | "strict" | "none";
  /** Null: the cookie belongs to the host alone. */
  readonly domain: string | null;
}

export interface RateLimitsConfig {
  readonly enabled: boolean;
  readonly register: RateLimit;
  readonly login: RateLimit;
  readonly refresh: RateLimit;
  /** Logins on the root surface, users and admins each. */
  readonly rootLogin: RateLimit;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config; readonly report: readonly SettingReport[] }
  | { readonly ok: false; readonly mistakes: readonly string[] };

/** Settings from their sources, with every mistake at once. `cores` is what the machine has. */
export function loadConfig(sources: Sources & { readonly cores: number }): LoadedConfig {
  const reader = new SettingReader(sources);
  const known = readKnown(reader, sources.cores);
  const config = assemble(reader, known);
  complainOfContradictions(reader, config);
  if (reader.mistakes.length > 0) return { ok: false, mistakes: reader.mistakes };
  return { ok: true, config: deepFreeze(config), report: inTableOrder(reader.report) };
}

function readKnown(reader: SettingReader, cores: number): Known {
  const least: Known = { environment: "development", cores, hashConcurrency: cores };
  const environment = reader.read(settings.environment, least);
  const hashConcurrency = reader.read(settings.hashConcurrency, { ...least, environment });
  return { environment, cores, hashConcurrency };
}

function assemble(reader: SettingReader, known: Known): Config {
  const read = <T>(setting: Setting<T>): T => reader.read(setting, known);
  const s3 = assembleS3(reader, known);
  return {
    environment: known.environment,
    isProduction: known.environment === "production",
    appName: read(settings.appName),
    debug: read(settings.debug),
    host: read(settings.host),
    port: read(settings.port),
    publicUrl: read(settings.publicUrl),
    previousPublicUrls: read(settings.previousPublicUrls),
    requestTimeoutSeconds: read(settings.requestTimeoutSeconds),
    shutdownTimeoutSeconds: read(settings.shutdownTimeoutSeconds),
    shutdownDelaySeconds: read(settings.shutdownDelaySeconds),
    database: assembleDatabase(reader, known),
    uploadDir: read(settings.uploadDir),
    uploadS3: bucketOf(settings.uploadUrl, s3, reader, known),
    s3,
    maxUploadMb: read(settings.maxUploadMb),
    secretKey: read(settings.secretKey),
    keysDir: read(settings.keysDir),
    jwtAlgorithm: read(settings.jwtAlgorithm),
    accessTokenExpireMinutes: read(settings.accessTokenExpireMinutes),
    refreshTokenExpireDays: read(settings.refreshTokenExpireDays),
    refreshReuseGraceSeconds: read(settings.refreshReuseGraceSeconds),
    refreshAbsoluteDays: read(settings.refreshAbsoluteDays),
    cookie: {
      secure: read(settings.cookieSecure),
      sameSite: read(settings.cookieSameSite),
      domain: read(settings.cookieDomain),
    },
    passwordMinLength: read(settings.passwordMinLength),
    hashConcurrency: known.hashConcurrency,
    hashQueue: read(settings.hashQueue),
    maxLoginAttempts: read(settings.maxLoginAttempts),
    lockoutDurationMinutes: read(settings.lockoutDurationMinutes),
    rateLimits: assembleRateLimits(reader, known),
    redisUrl: read(settings.redisUrl),
    trustProxy: read(settings.trustProxy),
    corsOrigins: read(settings.corsOrigins),
    adminSetupToken: read(settings.adminSetupToken),
    auditRetentionDays: read(settings.auditRetentionDays),
    backups: assembleBackups(s3, reader, known),
    metricsPort: read(settings.metricsPort),
    metricsToken: read(settings.metricsToken),
    tracing: assembleTracing(reader, known),
    logLevel: read(settings.logLevel),
    logJson: read(settings.logJson),
  };
}

function assembleRateLimits(reader: SettingReader, known: Known): RateLimitsConfig {
  return {
    enabled: reader.read(settings.rateLimitEnabled, known),
    register: reader.read(settings.rateLimitRegister, known),
    login: reader.read(settings.rateLimitLogin, known),
    refresh: reader.read(settings.rateLimitRefresh, known),
    rootLogin: {
      requests: reader.read(settings.rateLimitAttempts, known),
      windowMs: reader.read(settings.rateLimitWindowMinutes, known) * 60_000,
    },
  };
}

function assembleDatabase(reader: SettingReader, known: Known): DatabaseConfig {
  const read = <T>(setting: Setting<T>): T => reader.read(setting, known);
  return {
    ...databaseTarget(reader, known),
    poolMinConnections: read(settings.dbPoolMinConn),
    poolMaxConnections: read(settings.dbPoolMaxConn),
    acquireTimeoutMs: read(settings.dbAcquireTimeoutMs),
    statementTimeoutMs: read(settings.dbStatementTimeoutMs),
    prepare: read(settings.dbPrepare),
    echo: read(settings.dbEcho),
    autoMigrate: read(settings.autoMigrate),
  };
}

/** DATABASE_URL or, where it is not set and PGHOST is, the address made of the PG settings. */
function databaseTarget(reader: SettingReader, known: Known): DatabaseTarget {
  const named = reader.read(settings.databaseUrl, known);
  const host = reader.read(settings.pgHost, known);
  const port = reader.read(settings.pgPort, known);
  const database = reader.read(settings.pgDatabase, known);
  const user = reader.read(settings.pgUser, known);
  const password = reader.read(settings.pgPassword, known);
  if (host === null || reader.find(settings.databaseUrl) !== undefined) return named;

  const composed: DatabaseTarget = {
    engine: "postgres",
    url: composePostgresUrl({ host, port, database, user, password }),
  };
  reader.replaceDefault(settings.databaseUrl, databaseUrl.show(composed), settings.pgHost);
  return composed;
}

function assembleBackups(s3: S3Config | null, reader: SettingReader, known: Known): BackupsConfig | null {
  const schedule = reader.read(settings.backupSchedule, known);
  const folder = reader.read(settings.backupDir, known);
  const bucket = bucketOf(settings.backupUrl, s3, reader, known);
  const keep = reader.read(settings.backupKeep, known);
  return schedule === null ? null : { schedule, folder, bucket, keep };
}

/** The rules that one value alone cannot break. */
function complainOfContradictions(reader: SettingReader, config: Config): void {
  const { database, cookie } = config;
  if (database.engine === "sqlite" && database.path === IN_MEMORY && config.environment !== "test") {
    reader.complain(
      settings.databaseUrl,
      "a database in memory is lost at every stop: name a file, such as sqlite:///./app.db (in memory only with ENVIRONMENT=test)",
    );
  }
  if (database.poolMinConnections > database.poolMaxConnections) {
    reader.complain(
      settings.dbPoolMinConn,
      `${database.poolMinConnections} is more than the ${database.poolMaxConnections} of DB_POOL_MAX_CONN: at most as many`,
    );
  }
  if (cookie.sameSite === "none" && !cookie.secure) {
    reader.complain(
      settings.cookieSameSite,
      '"none" without COOKIE_SECURE=true is refused by browsers: lax or strict, or COOKIE_SECURE=true',
    );
  }
  if (config.metricsPort !== null && config.metricsPort !== 0 && config.metricsPort === config.port) {
    reader.complain(
      settings.metricsPort,
      `${config.metricsPort} is the port of the API itself: a port other than PORT`,
    );
  }
  if (config.backups !== null && database.engine !== "sqlite") {
    reader.complain(
      settings.backupSchedule,
      "PostgreSQL is backed up by its own tools: leave it out, and see latchkey backup",
    );
  }
  if (config.isProduction) complainOfSecretKey(reader, config.secretKey);
}

function complainOfSecretKey(reader: SettingReader, secretKey: string | null): void {
  // A key that could not be read has been complained of already.
  if (secretKey === null && reader.find(settings.secretKey)?.is === "mistaken") return;
  const problem = secretKey === null ? "is required" : secretKeyWeakness(secretKey);
  if (problem === null) return;
  reader.complain(
    settings.secretKey,
    `${problem} in production: ${SECRET_KEY_MIN_BYTES} random bytes or more, such as "openssl rand -base64 48" prints`,
  );
}

function inTableOrder(report: readonly SettingReport[]): readonly SettingReport[] {
  const place = new Map(settingTable.map(({ name }, index) => [name, index]));
  return report.toSorted((a, b) => (place.get(a.name) ?? 0) - (place.get(b.name) ?? 0));
}

function deepFreeze<T extends object>(value: T): T {
  const parts: readonly unknown[] = Object.values(value);
  for (const part of parts) {
    if (typeof part === "object" && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
