import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { migrationFiles } from "../../migrations/index.ts";
import { loadConfigFromProcess, noteOfUnreadDotEnv, warnings } from "../config.ts";
import type { Config } from "../config.ts";
import { monotonicClock, SECOND_MS, systemClock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import { silentLog } from "../core/log.ts";
import { MemoryRateLimitStore } from "../core/rate-limit.ts";
import { systemCode } from "../core/system-code.ts";
import { KeyFolder, KeysRefused } from "../key-files.ts";
import type { KeyFile } from "../key-files.ts";
import { V1_ALGORITHM } from "../program.ts";
import { RedisRateLimitStore } from "../redis/rate-limits.ts";
import { whyReadOnly } from "../storage/catalogue.ts";
import { DatabaseRefused } from "../storage/database.ts";
import type { Database } from "../storage/database.ts";
import { MigrationRefused, migrationStatus, parseMigrations } from "../storage/migrations.ts";
import { openDatabase } from "../storage/open.ts";
import { BackupBucket } from "../storage/s3-backups.ts";
import { BackupRefused, inspectSqlite } from "../storage/sqlite-backup.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { existingSecret, keptSecretPath } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { refuseUsage } from "./with-settings.ts";

/** What was looked at, how it is, and what to do where it is not well. */
interface Finding {
  readonly state: "ok" | "warning" | "failed";
  readonly about: string;
  readonly what: string;
  readonly todo?: string;
}

export const doctorCommand: Command = {
  name: "doctor",
  summary: "Look at settings, keys, database, disk and clock, and say what to do",
  usage: "latchkey doctor [--env-file FILE]",
  options: [ENV_FILE_OPTION],
  examples: ["latchkey doctor", "latchkey doctor --env-file /etc/latchkey.env"],
  async run(args, terminal) {
    const given = parseArguments({ args, options: { "env-file": { type: "string" } } });
    if (!given.ok) return refuseUsage(this, given.message, terminal);
    const envFile = given.values["env-file"];
    const loaded = loadConfigFromProcess({ envFile });
    const findings = loaded.ok
      ? await examine(loaded.config)
      : loaded.mistakes.map((what) => failed("settings", what, "latchkey config shows those that are sound"));
    return report([...dotEnvFindings(envFile), ...findings], terminal);
  },
};

/** Looks and changes nothing: a server may be running. */
async function examine(config: Config): Promise<readonly Finding[]> {
  return [
    ...settingsFindings(config),
    ...secretFindings(config),
    ...keyFindings(config),
    ...(await databaseFindings(config)),
    ...uploadFindings(config),
    ...(await backupFindings(config)),
    ...diskFindings(config),
    ...(await redisFindings(config)),
  ];
}

function report(findings: readonly Finding[], terminal: Terminal): number {
  const width = Math.max(...findings.map(({ about }) => about.length));
  for (const { state, about, what, todo } of findings) {
    terminal.out(`${state.padEnd(7)}  ${about.padEnd(width)}  ${what}`);
    if (todo !== undefined) terminal.out(`${" ".repeat(width + 11)}-> ${todo}`);
  }
  const count = (wanted: Finding["state"]) => findings.filter(({ state }) => state === wanted).length;
  terminal.out(`\n${count("ok")} ok, ${count("warning")} to look at, ${count("failed")} failed`);
  return count("failed") > 0 ? exitCodes.failure : exitCodes.ok;
}

const ok = (about: string, what: string): Finding => ({ state: "ok", about, what });
const warning = (about: string, what: string, todo: string): Finding => ({
  state: "warning",
  about,
  what,
  todo,
});
const failed = (about: string, what: string, todo: string): Finding => ({
  state: "failed",
  about,
  what,
  todo,
});

function settingsFindings(config: Config): readonly Finding[] {
  const unfit = warnings(config);
  if (unfit.length === 0) return [ok("settings", `sound, for ${config.environment}`)];
  return unfit.map(settingsWarning);
}

function dotEnvFindings(envFile: string | undefined): readonly Finding[] {
  const note = noteOfUnreadDotEnv(envFile);
  return note === null ? [] : [settingsWarning(note)];
}

function settingsWarning(line: string): Finding {
  const [what = line, ...rest] = line.split(": ");
  return warning("settings", what, rest.join(": "));
}

const ANYBODY_ELSE = 0o077;

function secretFindings(config: Config): readonly Finding[] {
  const path = keptSecretPath(config.database);
  if (config.secretKey !== null) return [ok("secret", "SECRET_KEY is set")];
  if (!existsSync(path)) return [ok("secret", `none yet: the first start makes ${path}`)];
  try {
    existingSecret(config);
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    return [failed("secret", error.message, "let the server read it, or set SECRET_KEY")];
  }
  return [privacyOf("secret", path, `kept in ${path}`)];
}

function keyFindings(config: Config): readonly Finding[] {
  const folder = new KeyFolder(config.keysDir);
  try {
    if (!folder.isThere()) return [missingKeys(config)];
    const files = folder.read();
    return [keyFinding(config, files), ...files.filter(isExposed).map(exposedKey)];
  } catch (error) {
    if (!(error instanceof KeysRefused)) throw error;
    return [failed("keys", error.message, "see latchkey keys --help")];
  }
}

function missingKeys({ keysDir, isProduction }: Config): Finding {
  return isProduction
    ? failed(
        "keys",
        `there is no private key in ${keysDir}`,
        "latchkey keys generate, or put the folder back",
      )
    : ok("keys", `none yet: the first start makes them in ${keysDir}`);
}

function keyFinding({ keysDir, jwtAlgorithm }: Config, files: readonly KeyFile[]): Finding {
  const wanted = jwtAlgorithm ?? V1_ALGORITHM;
  const signing = files.find(({ use }) => use === "signs");
  if (wanted !== "HS256" && signing !== undefined && signing.key.algorithm !== wanted) {
    return failed(
      "keys",
      `the private key in ${keysDir} signs with ${signing.key.algorithm}, the settings want ${wanted}`,
      `JWT_ALGORITHM=${signing.key.algorithm}, or latchkey keys rotate --algorithm ${wanted}`,
    );
  }
  return ok("keys", files.map(({ file, use }) => `${file} ${use}`).join(", "));
}

const isExposed = ({ use, isReadableByAll }: KeyFile) => use !== "verifies" && isReadableByAll;
const exposedKey = ({ file }: KeyFile) => warning("keys", `everybody may read ${file}`, `chmod 600 ${file}`);

async function databaseFindings(config: Config): Promise<readonly Finding[]> {
  const { database: target } = config;
  if (target.engine === "sqlite") {
    const finding = sqliteFinding(target.path);
    if (finding.state !== "ok" || isNew(target.path)) return [finding];
    return [
      finding,
      privacyOf("database", target.path, "only its owner may read it"),
      ...(await schemaFindings(config)),
    ];
  }
  return schemaFindings(config);
}

/** The file itself, before anything opens it to write: a missing one would be made. */
function sqliteFinding(path: string): Finding {
  const folder = dirname(resolve(path));
  if (path === ":memory:")
    return warning("database", "in memory", "what it holds is gone when the server stops");
  if (!isWritable(folder)) {
    return failed(
      "database",
      `nothing can be written in ${folder}`,
      "make the folder, for the user that runs latchkey",
    );
  }
  if (isNew(path)) {
    return ok("database", `none yet: the first start makes ${path}`);
  }
  if (!isWritable(path))
    return failed("database", `${path} cannot be written`, "give it to the user that runs latchkey");
  try {
    const { bytes, rows } = inspectSqlite(path);
    const counts = ["users", "todos"].map((table) => `${rows[table] ?? 0} ${table}`);
    return ok("database", `SQLite, ${path}: sound, ${sizeOf(bytes)}, ${counts.join(", ")}`);
  } catch (error) {
    if (!(error instanceof BackupRefused)) throw error;
    return failed("database", error.message, "latchkey restore FILE puts a backup in its place");
  }
}

async function schemaFindings(config: Config): Promise<readonly Finding[]> {
  let database: Database | null = null;
  try {
    database = openDatabase(config.database, silentLog);
    return [
      await reachable(database),
      ...(await readOnlyFindings(database)),
      await migrationFinding(database, config),
      await clockFinding(database),
    ];
  } catch (error) {
    if (error instanceof DatabaseRefused) return [failed("database", error.message, "see DATABASE_URL")];
    if (error instanceof MigrationRefused)
      return [failed("schema", error.message, "see latchkey migrate status")];
    if (!Fault.is(error, "unavailable")) throw error;
    const why = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return [failed("database", `cannot be reached${why}`, "see DATABASE_URL, and whether the server runs")];
  } finally {
    await database?.close();
  }
}

async function reachable(database: Database): Promise<Finding> {
  const startedMs = performance.now();
  await database.ping();
  const ms = (performance.now() - startedMs).toFixed(1);
  return ok("database", `${database.engine === "sqlite" ? "SQLite" : "PostgreSQL"} answers, in ${ms} ms`);
}

async function readOnlyFindings({ reader, engine }: Database): Promise<readonly Finding[]> {
  const why = await whyReadOnly(reader, engine);
  if (why === null) return [];
  return [
    why === "standby"
      ? failed("database", "takes no writes: it is a standby", "see DATABASE_URL, or promote it")
      : failed(
          "database",
          "takes no writes: it is set read-only",
          "see default_transaction_read_only, and why it was set: a full disk, perhaps",
        ),
  ];
}

async function migrationFinding(database: Database, { database: { autoMigrate } }: Config): Promise<Finding> {
  const migrations = await migrationStatus(database, parseMigrations(migrationFiles));
  const missing = migrations.filter(({ appliedAtMs }) => appliedAtMs === null).length;
  if (missing === 0) return ok("schema", `all ${migrations.length} migrations are applied`);
  const how = autoMigrate ? "the next start applies them, or latchkey migrate up" : "latchkey migrate up";
  return warning("schema", `${missing} of ${migrations.length} migrations are not applied`, how);
}

/** Nobody has made this program before then. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);
const SKEW_WARNING_MS = 2 * SECOND_MS;
const SKEW_FAILED_MS = 60 * SECOND_MS;

async function clockFinding(database: Database): Promise<Finding> {
  const nowMs = systemClock.nowMs();
  const todo = "set the clock by NTP: tokens end by it";
  if (nowMs < EARLIEST_MS) return failed("clock", `it says ${new Date(nowMs).toISOString()}`, todo);
  const skewMs = Math.abs((await database.currentTimeMs()) - nowMs);
  const apart = `${(skewMs / SECOND_MS).toFixed(1)} s from the database's`;
  if (skewMs > SKEW_FAILED_MS) return failed("clock", apart, todo);
  return skewMs > SKEW_WARNING_MS ? warning("clock", apart, todo) : ok("clock", apart);
}

function uploadFindings({ uploadDir, uploadS3 }: Config): readonly Finding[] {
  if (uploadS3 !== null) return [ok("uploads", "in a bucket, which was not looked at")];
  return [folderFinding("uploads", uploadDir, "UPLOAD_DIR")];
}

function folderFinding(about: string, path: string, setting: string): Finding {
  const folder = existing(path);
  return isWritable(folder) && statSync(folder).isDirectory()
    ? ok(about, `${path} can be written`)
    : failed(about, `nothing can be written in ${folder}`, `see ${setting}, and whose folder it is`);
}

async function backupFindings({ backups }: Config): Promise<readonly Finding[]> {
  if (backups === null) return [];
  if (backups.bucket === null) return [folderFinding("backups", backups.folder, "BACKUP_DIR")];
  const bucket = new BackupBucket(backups.bucket, { stallMs: BUCKET_WAIT_MS });
  try {
    const { length } = await bucket.names("");
    return [ok("backups", `${bucket.addressOf("")} answers, with ${length} of them`)];
  } catch (error) {
    if (!(error instanceof BackupRefused)) throw error;
    return [failed("backups", error.message, "see BACKUP_URL, S3_ENDPOINT and the key")];
  }
}

const BUCKET_WAIT_MS = 5 * SECOND_MS;
const DISK_FAILED_BYTES = 100_000_000;
const DISK_WARNING_BYTES = 1_000_000_000;

function diskFindings({ database, uploadDir, uploadS3, backups }: Config): readonly Finding[] {
  const folders = [
    ...(database.engine === "sqlite" && database.path !== ":memory:"
      ? [dirname(resolve(database.path))]
      : []),
    ...(uploadS3 === null ? [resolve(uploadDir)] : []),
    ...(backups?.bucket === null ? [resolve(backups.folder)] : []),
  ].map(existing);
  return [...new Set(folders)].map((folder) => {
    const { bavail, bsize } = statfsSync(folder);
    const freeBytes = bavail * bsize;
    const what = `${sizeOf(freeBytes)} free at ${folder}`;
    if (freeBytes < DISK_FAILED_BYTES)
      return failed("disk", what, "make room: a full disk refuses every write");
    return freeBytes < DISK_WARNING_BYTES
      ? warning("disk", what, "make room before it is full")
      : ok("disk", what);
  });
}

async function redisFindings({ redisUrl }: Config): Promise<readonly Finding[]> {
  if (redisUrl === null) return [];
  const store = new RedisRateLimitStore({
    url: redisUrl,
    own: new MemoryRateLimitStore(monotonicClock),
    log: silentLog,
  });
  try {
    await store.start();
    await store.ping();
    return [ok("redis", "answers")];
  } catch (error) {
    if (!Fault.is(error, "unavailable")) throw error;
    return [warning("redis", "does not answer: each instance counts by itself", "see REDIS_URL")];
  } finally {
    store.close();
  }
}

function privacyOf(about: string, path: string, isPrivate: string): Finding {
  return (statSync(path).mode & ANYBODY_ELSE) === 0
    ? ok(about, isPrivate)
    : warning(about, `others than its owner may read ${path}`, `chmod 600 ${path}`);
}

/** The folder, or the nearest above it that is there: that is where it would be made. */
function existing(path: string): string {
  const folder = resolve(path);
  return existsSync(folder) ? folder : existing(dirname(folder));
}

function isNew(path: string): boolean {
  return !existsSync(path) || statSync(path).size === 0;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return false;
  }
}

function sizeOf(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
