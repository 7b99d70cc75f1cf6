import type { DatabaseTarget } from "../config.ts";
import { backUpSqlite, restoreSqlite } from "../storage/sqlite-backup.ts";
import type { Inspection } from "../storage/sqlite-backup.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure, Refusal } from "./failures.ts";
import { databaseOfSettings, refuseUsage } from "./with-settings.ts";

export const backupCommand: Command = {
  name: "backup",
  summary: "Copy the database into a file, beside a running server",
  usage: "latchkey backup FILE [--force] [--from DATABASE] [--env-file FILE]",
  options: [
    ["FILE", "where to: it appears once it is whole and checked, and only its owner may read it"],
    ["--force", "overwrite FILE"],
    ["--from DATABASE", "the SQLite file to copy, instead of the one in the settings"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey backup /backups/app-$(date +%F).db"],
  run(args, terminal) {
    return withFile(this, args, terminal, ({ database, file, force }) => {
      const startedMs = performance.now();
      const source = sqliteFile(database, `pg_dump --format=custom --file=${quoted(file)}`);
      const inspection = backUpSqlite(source, file, { overwrites: force });
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
    ["FILE", "what `latchkey backup` made; it is checked first"],
    ["--force", "also where there is a database, which is kept under another name"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey restore /backups/app-2026-01-04.db --force"],
  run(args, terminal) {
    return withFile(this, args, terminal, ({ database, file, force }) => {
      const target = sqliteFile(
        database,
        `pg_restore --clean --if-exists --no-owner --single-transaction ${quoted(file)}`,
      );
      const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
      const restored = restoreSqlite(file, target, {
        overwrites: force,
        asideEnding: `.before-${stamp}`,
      });
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
  readonly file: string;
  readonly force: boolean;
}

async function withFile(
  command: Command,
  args: readonly string[],
  terminal: Terminal,
  work: (task: Task) => void,
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
  const found =
    from === undefined ? databaseOfSettings(envFile, terminal) : ({ engine: "sqlite", path: from } as const);
  if (found === null) return exitCodes.config;
  try {
    work({ database: found, file, force });
    return exitCodes.ok;
  } catch (error) {
    return explainFailure(error, terminal);
  }
}

/** The database's file; for PostgreSQL it says which of its own tools to use, and how. */
function sqliteFile(database: DatabaseTarget, postgresCommand: string): string {
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
    `PostgreSQL has tools of its own for this, consistent beside a running server:\n  ${postgresCommand} ${words.join(" ")}`,
    exitCodes.failure,
  );
}

/** As a shell reads it. */
function quoted(word: string): string {
  return /^[\w./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function described({ bytes, rows }: Inspection): string {
  const counts = Object.entries(rows).map(([table, count]) => `${count} ${table.replaceAll("_", " ")}`);
  return `${(bytes / 1_000_000).toFixed(1)} MB, ${counts.join(", ")}`;
}
