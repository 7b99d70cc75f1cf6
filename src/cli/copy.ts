import { migrationFiles } from "../../migrations/index.ts";
import { databaseUrl, IN_MEMORY } from "../config.ts";
import type { DatabaseTarget } from "../config.ts";
import { SECOND_MS, systemClock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import { silentLog } from "../core/log.ts";
import { copyDatabase } from "../storage/copy.ts";
import type { CopyReport } from "../storage/copy.ts";
import { requireSource } from "../storage/copy-target.ts";
import { DatabaseRefused } from "../storage/database.ts";
import type { Database } from "../storage/database.ts";
import { parseMigrations } from "../storage/migrations.ts";
import { openDatabase, openReadOnly } from "../storage/open.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { databaseAddress } from "./database-address.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure, Refusal } from "./failures.ts";
import { interruptible } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { databaseOfSettings, refuseUsage } from "./with-settings.ts";

const SIDES = ["from", "to"] as const;
type Side = (typeof SIDES)[number];

export const copyCommand: Command = {
  name: "copy",
  summary: "Copy everything into another database, SQLite or PostgreSQL, and compare the two",
  usage: "latchkey copy [--from URL] [--to URL] [--env-file FILE]",
  options: [
    [
      "--from URL",
      "what to copy, as DATABASE_URL has it; it is only read, and a server may be running on it",
    ],
    ["--to URL", "where to: an empty database, or one to which this copy was begun before"],
    ["", "one of the two may be left out: that one is the database of the settings"],
    ENV_FILE_OPTION,
  ],
  examples: [
    "latchkey copy --to postgres://latchkey@db/latchkey",
    "latchkey copy --from sqlite:///./app.db",
    "latchkey copy --from postgres://latchkey@db/latchkey --to sqlite:////backups/app.db",
  ],

  async run(args, terminal) {
    const given = parseArguments({
      args,
      options: { from: { type: "string" }, to: { type: "string" }, "env-file": { type: "string" } },
    });
    if (!given.ok) return refuseUsage(this, given.message, terminal);
    const { from, to, "env-file": envFile } = given.values;
    if (from === undefined && to === undefined) {
      return refuseUsage(this, "takes --from, --to or both", terminal);
    }
    const named: { [side in Side]: DatabaseTarget | null } = { from: null, to: null };
    for (const side of SIDES) {
      const url = given.values[side];
      if (url === undefined) continue;
      const address = databaseAddress(url);
      if (!address.ok) return refuseUsage(this, `--${side} ${address.problem}`, terminal);
      named[side] = address.value;
    }
    const source = named.from ?? databaseOfSettings(envFile, terminal);
    const target = named.to ?? databaseOfSettings(envFile, terminal);
    if (source === null || target === null) return exitCodes.config;
    try {
      await copy(source, target, terminal);
      return exitCodes.ok;
    } catch (error) {
      // What failed is told on a line of its own.
      terminal.overwrite?.("");
      return explainFailure(error, terminal);
    }
  },
};

async function copy(from: DatabaseTarget, to: DatabaseTarget, terminal: Terminal): Promise<void> {
  if ([from, to].some((side) => side.engine === "sqlite" && side.path === IN_MEMORY)) {
    throw new Refusal("a database in memory is of no use here: name a file", exitCodes.usage);
  }
  terminal.out(`copying ${String(databaseUrl.show(from))} to ${String(databaseUrl.show(to))}`);
  const startedMs = performance.now();
  const migrations = parseMigrations(migrationFiles);
  const source = openReadOnly({ ...from, ...LIMITS }, silentLog);
  try {
    // Before a file is made for the other.
    await reached("--from", () =>
      source.snapshot((reader) => requireSource({ engine: source.engine, reader }, migrations)),
    );
    const report = await withTarget(to, (target) =>
      interruptible((signal) =>
        copyDatabase({
          source,
          target,
          migrations,
          clock: systemClock,
          signal,
          onCopied: progress("rows", terminal),
          onChecked: progress("rows checked", terminal),
        }),
      ),
    );
    tell(report, performance.now() - startedMs, terminal);
  } finally {
    await source.close();
  }
}

const LIMITS = {
  poolMinConnections: 0,
  poolMaxConnections: 1,
  acquireTimeoutMs: 10 * SECOND_MS,
  statementTimeoutMs: 60 * SECOND_MS,
  // So that PgBouncer may stand between.
  prepare: false,
  echo: false,
} as const;

async function withTarget<T>(to: DatabaseTarget, work: (target: Database) => Promise<T>): Promise<T> {
  const target = await reached("--to", async () => openDatabase({ ...to, ...LIMITS }, silentLog));
  try {
    await reached("--to", () => target.ping());
    return await reached("--from or --to", () => work(target));
  } finally {
    await target.close();
  }
}

/** Which of the two it is that cannot be opened. */
async function reached<T>(side: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (error instanceof DatabaseRefused)
      throw new Refusal(`${side}: ${error.message}`, exitCodes.unavailable);
    if (!Fault.is(error, "unavailable")) throw error;
    const reason = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    throw new Refusal(`${side}: the database cannot be reached${reason}`, exitCodes.unavailable);
  }
}

function progress(noun: string, terminal: Terminal): (rows: number, total: number) => void {
  let shown: Progress | null = null;
  return (rows, total) => {
    shown ??= new Progress(terminal, noun, total);
    shown.show(rows);
  };
}

function tell({ tables, rowsBefore }: CopyReport, tookMs: number, terminal: Terminal): void {
  const widths = {
    name: Math.max(...tables.map(({ name }) => name.length)),
    rows: Math.max(...tables.map(({ rows }) => String(rows).length)),
  };
  for (const { name, rows, checksum } of tables) {
    terminal.out(`${name.padEnd(widths.name)}  ${String(rows).padStart(widths.rows)}  sha256 ${checksum}`);
  }
  const total = tables.reduce((sum, { rows }) => sum + rows, 0);
  const earlier = rowsBefore === 0 ? "" : `, ${rowsBefore} of them before`;
  terminal.out(`${total} rows${earlier}, in ${(tookMs / SECOND_MS).toFixed(1)} s: both sides are alike`);
  terminal.out(
    "SECRET_KEY, the keys in KEYS_DIR and uploads are in no database: a server on the copy needs them too.",
  );
}
