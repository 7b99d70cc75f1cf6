import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrationFiles } from "../../migrations/index.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { systemCode } from "../core/system-code.ts";
import type { Database } from "../storage/database.ts";
import {
  label,
  type Migration,
  migrateDown,
  migrateUp,
  type MigrationState,
  migrationStatus,
  parseMigrations,
} from "../storage/migrations.ts";
import { missingFile, openDatabase } from "../storage/open.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure } from "./failures.ts";
import { hint } from "./nearest.ts";
import { refuseUsage, withSettings } from "./with-settings.ts";

export interface MigrateDependencies {
  /** Whether there is a database: to ask where it stands is to make none. */
  readonly isThere: () => boolean;
  readonly openDatabase: () => Database | Promise<Database>;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  /** Where `new` writes: the folder `migrations` of a checkout. */
  readonly folder: string;
  readonly terminal: Pick<Terminal, "out" | "err">;
}

const INDEX = "index.ts";

/** `up`, `down [N]`, `status` and `new NAME`; answers the exit code. */
export async function runMigrate(
  args: readonly string[],
  dependencies: MigrateDependencies,
): Promise<number> {
  const [verb, operand, ...rest] = args;
  const misused = (problem: string) => refuseUsage(migrateCommand, problem, dependencies.terminal);
  if (rest.length > 0) return misused(`${verb} does not take "${rest[0]}"`);
  switch (verb) {
    case "up":
    case "status":
      if (operand !== undefined) return misused(`${verb} does not take "${operand}"`);
      if (verb === "status" && !dependencies.isThere()) return statusOfNone(dependencies);
      return withDatabase(dependencies, verb === "up" ? up : status);
    case "down": {
      const steps = Number(operand ?? "1");
      if (!/^[1-9]\d{0,3}$/.test(operand ?? "1")) return misused("down takes a number from 1 on");
      return withDatabase(dependencies, (database) => down(database, steps, dependencies));
    }
    case "new":
      if (operand === undefined || !/^[a-z][a-z0-9_]{0,59}$/.test(operand)) {
        return misused("new takes a name of a-z, 0-9 and _, such as add_user_locale");
      }
      return create(operand, dependencies);
    default:
      return misused(`takes up, down [N], status or new NAME${hint(verb, ["up", "down", "status", "new"])}`);
  }
}

export const migrateCommand: Command = {
  name: "migrate",
  summary: "Bring the database's schema up or down, or say where it stands",
  usage: "latchkey migrate up | down [N] | status | new NAME [--env-file FILE]",
  options: [
    ["up", "apply what is missing"],
    ["down [N]", "take back the last N migrations, one without N; what they held is lost"],
    ["status", "list the migrations and when each was applied"],
    ["new NAME", "start a migration, in a checkout of the project"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey migrate status", "latchkey migrate down 2", "latchkey migrate new add_user_locale"],

  run(args, terminal) {
    return withSettings(this, args, terminal, ({ database }, words) =>
      runMigrate(words, {
        isThere: () => missingFile(database) === null,
        openDatabase: () => openDatabase(database, silentLog),
        migrations: parseMigrations(migrationFiles),
        clock: systemClock,
        folder: "migrations",
        terminal,
      }),
    );
  },
};

/** The text of `index.ts`, which carries every file of the folder into the compiled binary. */
export function migrationIndex(files: readonly string[]): string {
  const sorted = files.filter((file) => file.endsWith(".sql")).toSorted();
  const imports = sorted.map(
    (file, index) => `import text${index} from "./${file}" with { type: "text" };\n`,
  );
  const entries = sorted.map((file, index) => `  "${file}": text${index},\n`);
  return (
    "// Written by `latchkey migrate new`, so that the compiled binary carries the files of this folder.\n" +
    `${imports.join("")}\nexport const migrationFiles: Readonly<Record<string, string>> = {\n${entries.join("")}};\n`
  );
}

type Task = (database: Database, dependencies: MigrateDependencies) => Promise<number>;

async function withDatabase(dependencies: MigrateDependencies, task: Task): Promise<number> {
  let database: Database | null = null;
  try {
    database = await dependencies.openDatabase();
    return await task(database, dependencies);
  } catch (error) {
    return explainFailure(error, dependencies.terminal);
  } finally {
    await database?.close();
  }
}

async function up(database: Database, { migrations, clock, terminal }: MigrateDependencies): Promise<number> {
  const applied = await migrateUp(database, migrations, clock);
  for (const { version, name } of applied) terminal.out(`applied ${label(version, name)}`);
  if (applied.length === 0) terminal.out("nothing to apply");
  return exitCodes.ok;
}

async function down(database: Database, steps: number, dependencies: MigrateDependencies): Promise<number> {
  const { migrations, terminal } = dependencies;
  const revoked = await migrateDown(database, migrations, { steps });
  for (const { version, name } of revoked) terminal.out(`took back ${label(version, name)}`);
  if (revoked.length === 0) terminal.out("nothing to take back");
  return exitCodes.ok;
}

async function status(database: Database, { migrations, terminal }: MigrateDependencies): Promise<number> {
  return tell(await migrationStatus(database, migrations), terminal);
}

function statusOfNone({ migrations, terminal }: MigrateDependencies): number {
  return tell(
    migrations.map(({ version, name }) => ({ version, name, appliedAtMs: null })),
    terminal,
  );
}

function tell(states: readonly MigrationState[], terminal: Pick<Terminal, "out">): number {
  for (const { version, name, appliedAtMs } of states) {
    const state = appliedAtMs === null ? "pending" : new Date(appliedAtMs).toISOString();
    terminal.out(`${state.padEnd(24)}  ${label(version, name)}`);
  }
  return exitCodes.ok;
}

function create(name: string, { folder, terminal }: MigrateDependencies): number {
  if (!existsSync(join(folder, INDEX))) {
    terminal.err(`${join(folder, INDEX)} is not here: make migrations at the top of a checkout`);
    return exitCodes.failure;
  }
  try {
    for (const file of startMigration(name, folder)) terminal.out(join(folder, file));
    return exitCodes.ok;
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    terminal.err(`cannot write into ${folder} (${code})`);
    return exitCodes.inputOutput;
  }
}

/** Answers the files that it wrote. */
function startMigration(name: string, folder: string): readonly string[] {
  const newest = Math.max(0, ...readdirSync(folder).map((file) => Number(/^(\d{4})_/.exec(file)?.[1] ?? 0)));
  const stem = label(newest + 1, name);
  writeFileSync(join(folder, `${stem}.up.sql`), "-- Why this change is made.\n", { flag: "wx" });
  writeFileSync(join(folder, `${stem}.down.sql`), "-- Takes back all that `up` made.\n", { flag: "wx" });
  writeFileSync(join(folder, INDEX), migrationIndex(readdirSync(folder)));
  return [`${stem}.up.sql`, `${stem}.down.sql`, INDEX];
}
