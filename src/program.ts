import { createApp, createMetricsApp } from "./app.ts";
import { bucketPlace, folderPlace } from "./backup-places.ts";
import type { Config } from "./config.ts";
import type { ProfileName, Profile } from "./core/access-tokens.ts";
import { AuditSealer } from "./core/audit-chain.ts";
import { HOUR_MS, MINUTE_MS, monotonicClock, SECOND_MS } from "./core/clock.ts";
import type { Clock } from "./core/clock.ts";
import { createCore } from "./core/core.ts";
import type { Core, CorePolicy } from "./core/core.ts";
import { hmacKey } from "./core/keyring.ts";
import type { Algorithm } from "./core/keyring.ts";
import type { Log } from "./core/log.ts";
import { createHasher } from "./core/passwords.ts";
import type { JobWatch } from "./core/bounded-queue.ts";
import type { HashCost, Hasher } from "./core/passwords.ts";
import { MemoryRateLimitStore } from "./core/rate-limit.ts";
import { Recurring } from "./core/recurring.ts";
import type { HttpServer } from "./http/server.ts";
import { KeyFolder } from "./key-files.ts";
import { LiveKeys } from "./live-keys.ts";
import { LiveSchema } from "./live-schema.ts";
import { Meters } from "./metrics.ts";
import { PoolPriority } from "./pool-priority.ts";
import { RedisRateLimitStore } from "./redis/rate-limits.ts";
import { ScheduledBackups } from "./scheduled-backups.ts";
import type { Database } from "./storage/database.ts";
import { openFiles } from "./storage/files.ts";
import { openDatabase } from "./storage/open.ts";
import { BackupBucket } from "./storage/s3-backups.ts";
import { openStore } from "./storage/store.ts";
import type { Tracing } from "./tracing/tracing.ts";

/** The one surface whose tokens are for others to verify as well. */
export const V1_ALGORITHM = "RS256";

/** The whole program, put together from one Config: what `latchkey serve` runs, and what the tests do. */
export interface Program {
  readonly core: Core;
  readonly database: Database;
  readonly app: HttpServer;
  /** What answers on METRICS_PORT; null where there is none. */
  readonly metricsApp: HttpServer | null;
  readonly keys: LiveKeys;
  /** Applies the migrations, unless the settings leave that to someone else. */
  start(): Promise<void>;
  /** Begins what runs beside the requests, until `close`. */
  startTasks(): void;
  /** From now on readiness says no, so that a load balancer sends nothing more. */
  announceStop(): void;
  /** Also writes down what is only kept in memory. A backup under way may take so long to become whole. */
  close(limitMs?: number): Promise<void>;
}

/**
 * `clock` tells the time of day, which may be set back; `steadyClock` only goes forward: what is waited for goes by it. Passwords
 * cost what they must where no other cost is given. Fails with `KeysRefused` where the key files cannot be used.
 */
export async function assemble(
  config: Config,
  parts: { clock: Clock; steadyClock: Clock; log: Log; secret: string; hashCost?: HashCost },
): Promise<Program> {
  const { clock, steadyClock, secret } = parts;
  const meters = new Meters(clock);
  const metered = meters.listeningTo(parts.log);
  const tracing = await openTracing(config, clock, metered);
  const log = tracing?.named(metered) ?? metered;
  const keys = openKeys(config, secret, log);
  const opened = openDatabase(config.database, log, meters.onStatement);
  const database = tracing?.database(opened) ?? opened;
  const hasher = openHasher(config, parts.hashCost, meters, tracing, log);
  const core = createCore({
    store: openStore(database, new AuditSealer(secret), meters.onWrite),
    files: openFiles(config, tracing?.outgoing()),
    hasher,
    keyring: keys.keyring,
    clock,
    log,
    secret,
    policy: corePolicy(config),
  });

  const ownLimits = new MemoryRateLimitStore(steadyClock);
  const sharedLimits =
    config.redisUrl === null || !config.rateLimits.enabled
      ? null
      : new RedisRateLimitStore({ url: config.redisUrl, own: ownLimits, log, onAsked: tracing?.onRedis });

  const recurring = new Recurring(log);
  const schema = new LiveSchema({
    database,
    clock,
    log,
    onCurrent: () =>
      core.adminSetup.announce().catch((error: unknown) => {
        log.error("admin.setup_not_announced", {}, error);
      }),
  });
  const backups = scheduledBackups(config, clock, log);
  let isStopping = false;
  const health = {
    checks: {
      database: () => database.ping(),
      ...(sharedLimits === null ? {} : { redis: () => sharedLimits.ping() }),
    },
    isStarted: () => schema.isCurrent(),
    isStopping: () => isStopping,
  };
  const renderMetrics = () => meters.render();
  const limits = sharedLimits ?? ownLimits;
  const follow = tracing?.follow;
  const app = createApp({ core, config, health, limits, steadyClock, renderMetrics, log, follow });
  const metricsApp =
    config.metricsPort === null ? null : createMetricsApp({ core, config, steadyClock, renderMetrics, log });
  meters.watch({
    engine: database.engine,
    hasher,
    connections: () => database.connections(),
    inFlight: () => app.inFlight(),
    sessionsOpen: () => core.store.read.sessions.countOpen(),
    rateLimitWindows: () => ownLimits.size,
    spans: tracing === null ? null : () => tracing.spans(),
  });

  return {
    core,
    database,
    app,
    metricsApp,
    keys,
    async start() {
      tracing?.start();
      await sharedLimits?.start();
      await (config.database.autoMigrate ? schema.migrate() : schema.expectMigrated());
      keys.start();
    },
    startTasks() {
      const { housekeeping, tokenUses } = core;
      meters.start();
      backups?.start();
      recurring.every("token_uses", MINUTE_MS, MINUTE_MS, () => tokenUses.flush());
      recurring.every("housekeeping", HOUR_MS, MINUTE_MS, async (stopping) => {
        await housekeeping.run(stopping);
        await housekeeping.noteTrail();
        await housekeeping.mergeSearchIndex(stopping);
      });
    },
    announceStop() {
      isStopping = true;
    },
    async close(limitMs = 0) {
      keys.stop();
      meters.stop();
      sharedLimits?.close();
      await recurring.stop();
      await backups?.stop(limitMs);
      await core.tokenUses.flush().catch((error: unknown) => log.error("token_uses.lost", {}, error));
      await database.close();
      await tracing?.close();
    },
  };
}

/** Loaded only where it is asked for: what nobody uses takes neither memory nor time. */
async function openTracing({ tracing }: Config, clock: Clock, log: Log): Promise<Tracing | null> {
  if (tracing === null) return null;
  const loaded = await import("./tracing/tracing.ts");
  return new loaded.Tracing(tracing, { clock, log });
}

function openHasher(
  { hashConcurrency: concurrency, hashQueue: maxQueued }: Config,
  cost: HashCost | undefined,
  meters: Meters,
  tracing: Tracing | null,
  log: Log,
): Hasher {
  const poolPriority = new PoolPriority(log);
  const watch: JobWatch = {
    began: () => poolPriority.began(),
    ended: (durationMs) => {
      meters.onHash(durationMs);
      poolPriority.ended(durationMs);
      tracing?.onHash(durationMs);
    },
  };
  const hasher = createHasher({ concurrency, maxQueued, cost, clock: monotonicClock, log, watch });
  return tracing?.hasher(hasher) ?? hasher;
}

/** In production the operator makes the keys, so that a lost volume is noticed rather than papered over. */
function openKeys(config: Config, secret: string, log: Log): LiveKeys {
  const folder = new KeyFolder(config.keysDir);
  const signsWith = config.jwtAlgorithm ?? V1_ALGORITHM;
  if (!config.isProduction) folder.makeMissing(signsWith === "HS256" ? V1_ALGORITHM : signsWith);
  return new LiveKeys({ folder, secretKeys: [hmacKey(secret, "HS256")], signsWith, log });
}

function scheduledBackups({ database, backups }: Config, clock: Clock, log: Log): ScheduledBackups | null {
  if (backups === null || database.engine !== "sqlite") return null;
  const { schedule, folder, bucket, keep } = backups;
  const place = bucket === null ? folderPlace(folder) : bucketPlace(new BackupBucket(bucket), database.path);
  return new ScheduledBackups({ database: database.path, plan: { schedule, place, keep }, clock, log });
}

function corePolicy(config: Config): CorePolicy {
  return {
    lockout: {
      maxAttempts: config.maxLoginAttempts,
      lockMs: config.lockoutDurationMinutes * MINUTE_MS,
    },
    sessions: {
      refreshTokenDays: config.refreshTokenExpireDays,
      reuseGraceSeconds: config.refreshReuseGraceSeconds,
      absoluteDays: config.refreshAbsoluteDays,
    },
    auditRetentionDays: config.auditRetentionDays,
    passwordFloor: config.passwordMinLength ?? 0,
    accessTokens: accessTokenProfiles(config),
    issuer: {
      ...(config.publicUrl === null ? {} : { issuer: config.publicUrl }),
      earlierIssuers: config.previousPublicUrls,
    },
    adminSetupToken: config.adminSetupToken,
  };
}

/** What each surface signs with and for how long, where no setting says otherwise for all of them. */
function accessTokenProfiles(config: Config): Readonly<Record<ProfileName, Profile>> {
  const profile = (algorithm: Algorithm, minutes: number, subject: Profile["subject"]): Profile => ({
    algorithm: config.jwtAlgorithm ?? algorithm,
    lifetimeSeconds: ((config.accessTokenExpireMinutes ?? minutes) * MINUTE_MS) / SECOND_MS,
    subject,
  });
  return {
    cookie: profile("HS256", 30, "email"),
    token: profile("HS256", 30, "username"),
    root: profile("HS256", 60, "username"),
    v1: profile(V1_ALGORITHM, 24 * 60, "id"),
  };
}
