import { realpathSync } from "node:fs";
import type { Config } from "../config.ts";
import type { DatabaseTarget } from "../config/database-url.ts";
import { systemClock } from "../core/clock.ts";
import { Importer } from "../core/import/importer.ts";
import { planImport } from "../core/import/plan.ts";
import type { ImportPlan } from "../core/import/plan.ts";
import type { Store } from "../core/store.ts";
import { openSource } from "../storage/source.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { commandSecret } from "./command-secret.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { databaseAddress } from "./database-address.ts";
import { exitCodes } from "./exit-codes.ts";
import { ImportReport, tellPlan, tellTallies } from "./import-report.ts";
import { interruptible } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { firstLine } from "./secret-input.ts";
import { commandLog, SEALS_NOTHING, withStore } from "./with-core.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

/** Longer than a writer on the same SQLite file waits between two looks at its lock. */
const PAUSE_BETWEEN_WRITES_MS = 25;
/** Nobody waits for an answer: on a busy machine a statement may take longer than one of a request. */
const STATEMENT_TIMEOUT_MS = 60_000;

export const importCommand: Command = {
  name: "import",
  summary: "Take users, administrators, todos and items from a database of one of the five backends",
  usage: "latchkey import DATABASE_URL [--apply] [--report FILE] [--source NAME] [--env-file FILE]",
  options: [
    ["DATABASE_URL", "the database to read, as SQLAlchemy has it; the settings name the one to write"],
    ["-", "reads that address from standard input, so that no list of processes shows its password"],
    ["--apply", "do it; without this, what would be done is shown, and nothing is written"],
    ["--report FILE", "what is left out or changed, and why, as one JSON object a line"],
    ["--source NAME", "the name by which a later run knows the source again; else its address"],
    ENV_FILE_OPTION,
  ],
  examples: [
    "latchkey import sqlite:///../old/app.db",
    "latchkey import postgresql+asyncpg://reader:secret@localhost/old --report report.jsonl",
    "latchkey import - --apply < /run/secrets/old-database-url",
  ],

  async run(args, terminal) {
    const given = parseArguments({
      args,
      options: {
        apply: { type: "boolean" },
        report: { type: "string" },
        source: { type: "string" },
        "env-file": { type: "string" },
      },
      allowPositionals: true,
    });
    if (!given.ok) return refuseUsage(this, given.message, terminal);
    const [url, extra] = given.positionals;
    if (url === undefined) return refuseUsage(this, "takes the DATABASE_URL to read", terminal);
    if (extra !== undefined) return refuseUsage(this, "takes one DATABASE_URL", terminal);
    const { "env-file": envFile, apply = false, report, source } = given.values;
    const address = databaseAddress(url === "-" ? firstLine(await Bun.stdin.text()) : url);
    if (!address.ok) return refuseUsage(this, `DATABASE_URL ${address.problem}`, terminal);
    const config = settingsOf(envFile, terminal);
    if (config === null) return exitCodes.config;
    const task = { address: address.value, name: source, apply, report, terminal };
    return withTarget(config, apply, terminal, (store, pauseMs) => importFrom(task, store, pauseMs));
  },
};

interface Task {
  readonly address: DatabaseTarget;
  readonly name: string | undefined;
  readonly apply: boolean;
  readonly report: string | undefined;
  readonly terminal: Terminal;
}

function withTarget(
  config: Config,
  applies: boolean,
  terminal: Terminal,
  work: (store: Store, pauseMs: number) => Promise<number>,
): Promise<number> {
  // A prepared statement keeps the plan that was best while the tables were empty.
  const target = { ...config.database, statementTimeoutMs: STATEMENT_TIMEOUT_MS, prepare: false };
  // A plan leaves no trace.
  const secretOf = applies ? () => commandSecret(config, commandLog(terminal)) : SEALS_NOTHING;
  return withStore(target, secretOf, terminal, (store, engine) =>
    work(store, engine === "sqlite" ? PAUSE_BETWEEN_WRITES_MS : 0),
  );
}

async function importFrom(task: Task, store: Store, pauseMs: number): Promise<number> {
  const source = await openSource(task.address);
  try {
    const name = task.name ?? nameOf(task.address);
    const plan = await planImport(source, name, store.read);
    tellPlan(plan, task.terminal);
    const importer = new Importer({ source, name, store, clock: systemClock });
    return await take(importer, plan, task, pauseMs);
  } finally {
    await source.close();
  }
}

async function take(
  importer: Importer,
  plan: ImportPlan,
  { apply, report: file, terminal }: Task,
  pauseMs: number,
): Promise<number> {
  const progress = new Map(
    plan.tables.map(({ mapping, rows }) => [mapping.table, new Progress(terminal, mapping.table, rows)]),
  );
  const report = new ImportReport(file);
  try {
    await interruptible(async (signal) => {
      const tallies = await importer.run(plan, {
        applies: apply,
        isStopped: () => signal.aborted,
        beforeKept: (findings) => report.write(findings),
        onFinding: (finding) => report.count(finding),
        onProgress: ({ mapping }, rows) => progress.get(mapping.table)?.show(rows),
        betweenWrites: () => Bun.sleep(pauseMs),
      });
      tellTallies(tallies, report, apply, terminal);
      signal.throwIfAborted();
    });
    return exitCodes.ok;
  } finally {
    report.close();
  }
}

/** The address of the database without who reads it: another password is no other source. */
function nameOf(address: DatabaseTarget): string {
  if (address.engine === "sqlite") return `sqlite:///${realpathSync(address.path)}`;
  const { hostname, port, pathname } = new URL(address.url);
  return `postgres://${hostname}:${port === "" ? "5432" : port}${pathname}`;
}
