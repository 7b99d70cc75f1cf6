import { basename } from "node:path";
import type { Config, DatabaseTarget } from "../config.ts";
import { backUpSqlite, restoreSqlite } from "../storage/sqlite-backup.ts";
import type { Inspection } from "../storage/sqlite-backup.ts";
import { parseArguments } from "./arguments.ts";
import { bucketFile, isInBucket, localFile } from "./backup-files.ts";
import type { BackupFile } from "./backup-files.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure, Refusal } from "./failures.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

export const backupCommand: Command = {
  name: "backup",
  summary: "Copy the database into a file or a bucket, beside a running server",
  usage: "latchkey backup FILE [--force] [--from DATABASE] [--env-file FILE]",
  options: [
    ["FILE", "where to: it appears once it is whole and checked, and only its owner may read it"],
    ["s3://…", "a file in a bucket instead, with the key of the settings (S3_ACCESS_KEY_ID and so on)"],
    ["--force", "overwrite FILE"],
    ["--from DATABASE", "the SQLite file to copy, instead of the one in the settings"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey backup /backups/app-$(date +%F).db", "latchkey backup s3://bucket/backups/app.db"],
  run(args, terminal) {
    return withFile(this, args, terminal, async ({ database, s3, file, force }) => {
      const startedMs = performance.now();
      const source = sqliteFile(
        database,
        (address) => `pg_dump --format=custom --file=${quoted(nameHere(file))} ${address}`,
      );
      const options = { overwrites: force };
      const inspection = await fileAt(file, s3, source).write(
        (path) => backUpSqlite(source, path, options),
        options,
      );
      const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
      terminal.out(`${file}: ${described(inspection)}, checked, in ${seconds} s`);
      terminal.out("It holds neither SECRET_KEY, nor the keys in KEYS_DIR, nor uploads: keep those too.");
    });
  },
};

export const restoreCommand: Command = {
  name: "restore",
  summary: "Put a backup in the database's place, while no server runs",
  usage: "latchkey restore FILE [--force] [--env-file FILE]",
  options: [
    ["FILE", "what `latchkey backup` made, also s3://…; it is checked first"],
    ["--force", "also where there is a database, which is kept under another name"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey restore /backups/app-2026-01-04.db --force"],
  run(args, terminal) {
    return withFile(this, args, terminal, async ({ database, s3, file, force }) => {
      const target = sqliteFile(database, (address) => postgresRestore(nameHere(file), address));
      const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
      const restored = await fileAt(file, s3, target).read((path) =>
        restoreSqlite(path, target, { overwrites: force, asideEnding: `.before-${stamp}` }),
      );
      terminal.out(`${target}: ${described(restored)}, checked`);
      if (restored.asideFile !== null) terminal.out(`The database before it is now ${restored.asideFile}`);
      if (restored.wasUnreadable) {
        terminal.err(
          "It could not be read, so nobody can tell whether a server still has it open: make sure.",
        );
      }
    });
  },
};

interface Task {
  readonly database: DatabaseTarget;
  readonly s3: Config["s3"];
  readonly file: string;
  readonly force: boolean;
}

async function withFile(
  command: Command,
  args: readonly string[],
  terminal: Terminal,
  work: (task: Task) => Promise<void>,
): Promise<number> {
  const given = parseArguments({
    args,
    options: { force: { type: "boolean" }, from: { type: "string" }, "env-file": { type: "string" } },
    allowPositionals: true,
  });
  if (!given.ok) return refuseUsage(command, given.message, terminal);
  const { from, force = false, "env-file": envFile } = given.values;
  const [file, extra] = given.positionals;
  if (file === undefined || file === "") return refuseUsage(command, "takes a file", terminal);
  if (extra !== undefined) return refuseUsage(command, `${command.name} does not take "${extra}"`, terminal);
  if (from !== undefined && command !== backupCommand) {
    return refuseUsage(command, `${command.name} does not take --from`, terminal);
  }
  const told = from === undefined ? null : ({ engine: "sqlite", path: from } as const);
  // Who names both files needs no settings, sound or not; a bucket has its key there.
  const settings =
    told === null || isInBucket(file) ? settingsOf(envFile, terminal) : { database: told, s3: null };
  if (settings === null) return exitCodes.config;
  try {
    await work({ database: told ?? settings.database, s3: settings.s3, file, force });
    return exitCodes.ok;
  } catch (error) {
    return explainFailure(error, terminal);
  }
}

/** `beside` is where a copy of the database has room. */
function fileAt(file: string, s3: Config["s3"], beside: string): BackupFile {
  return isInBucket(file) ? bucketFile(file, s3, beside) : localFile(file);
}

/** The database's file; for PostgreSQL it says which of its own tools to use, and how. */
function sqliteFile(database: DatabaseTarget, postgresCommand: (address: string) => string): string {
  if (database.engine === "sqlite" && database.path !== ":memory:") return database.path;
  if (database.engine === "sqlite") throw new Refusal("a database in memory has no file", exitCodes.failure);
  const { hostname, port, pathname, username } = new URL(database.url);
  const words = [
    `--host=${quoted(hostname.replace(/^\[|\]$/g, ""))}`,
    ...(port === "" ? [] : [`--port=${port}`]),
    ...(username === "" ? [] : [`--username=${quoted(decodeURIComponent(username))}`]),
    `--dbname=${quoted(decodeURIComponent(pathname.slice(1)))}`,
  ];
  throw new Refusal(
    `PostgreSQL has tools of its own for this, consistent beside a running server:\n  ${postgresCommand(words.join(" "))}`,
    exitCodes.failure,
  );
}

/**
 * `pg_restore --clean` drops what the dump knows, and what later migrations made stays behind, in the way of the next
 * upgrade. So all goes, in the transaction in which the dump takes its place.
 */
function postgresRestore(dump: string, address: string): string {
  const script = quoted(`${dump}.sql`);
  return (
    `pg_restore --no-owner --file=${script} ${quoted(dump)} &&\n` +
    `  psql --single-transaction --set=ON_ERROR_STOP=1 --output=/dev/null --command=${quoted(EMPTY_SCHEMA)} ` +
    `--file=${script} ${address}`
  );
}

/** The right that every role has on a new database's; what a dump says of rights is said in relation to it. */
const EMPTY_SCHEMA =
  "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC";

/** PostgreSQL's tools know no buckets: what they make is copied there by other means. */
function nameHere(file: string): string {
  return isInBucket(file) ? basename(file) : file;
}

/** As a shell reads it. */
function quoted(word: string): string {
  return /^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function described({ bytes, rows }: Inspection): string {
  const counts = Object.entries(rows).map(([table, count]) => `${count} ${table.replaceAll("_", " ")}`);
  return `${(bytes / 1_000_000).toFixed(1)} MB, ${counts.join(", ")}`;
}
