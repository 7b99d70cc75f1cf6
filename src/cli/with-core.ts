import { migrationFiles } from "../../migrations/index.ts";
import type { Config } from "../config.ts";
import { AuditSealer } from "../core/audit-chain.ts";
import { monotonicClock, systemClock } from "../core/clock.ts";
import type { Core } from "../core/core.ts";
import type { Log } from "../core/log.ts";
import type { Store } from "../core/store.ts";
import { createLog } from "../log.ts";
import { assemble } from "../program.ts";
import type { Program } from "../program.ts";
import { whyReadOnly } from "../storage/catalogue.ts";
import type { Database } from "../storage/database.ts";
import { migrationStatus, parseMigrations } from "../storage/migrations.ts";
import { missingFile, openDatabase } from "../storage/open.ts";
import type { DatabaseTarget } from "../storage/open.ts";
import { openStore } from "../storage/store.ts";
import type { Terminal } from "./command.ts";
import { commandSecret } from "./command-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure, Refusal, TAKES_NO_WRITES } from "./failures.ts";

/**
 * Runs `work` on the database that the settings name, as the server would; a server may be running beside it. The
 * schema is brought up to date first, unless the settings leave that to someone else.
 */
export async function withCore(
  config: Config,
  terminal: Terminal,
  work: (core: Core, database: Database) => Promise<number>,
): Promise<number> {
  const log = commandLog(terminal);
  let program: Program | null = null;
  try {
    program = await assembleHere(config, await commandSecret(config, log), log);
    await program.start();
    await requireCurrentSchema(program.database);
    return await work(program.core, program.database);
  } catch (error) {
    return explainFailure(error, terminal);
  } finally {
    await program?.close();
  }
}

/**
 * Runs `work` on what is stored alone, without the parts of a server: nothing is made that is not there. What is written
 * to the audit trail is sealed with `secretOf()`.
 */
export async function withStore(
  target: DatabaseTarget,
  secretOf: () => string | Promise<string>,
  terminal: Terminal,
  work: (store: Store, engine: Database["engine"]) => Promise<number>,
): Promise<number> {
  const missing = missingFile(target);
  if (missing !== null) {
    terminal.err(`latchkey: there is no database ${missing} yet: \`latchkey migrate up\` makes it`);
    return exitCodes.failure;
  }
  let database: Database | null = null;
  try {
    const sealer = new AuditSealer(await secretOf());
    database = openDatabase(target, commandLog(terminal));
    await requireCurrentSchema(database);
    return await work(openStore(database, sealer), database.engine);
  } catch (error) {
    return explainFailure(error, terminal);
  } finally {
    await database?.close();
  }
}

/** For who only reads: no secret is needed then, and none made that is not there. */
export const SEALS_NOTHING = () => "";

/** By the clocks of this machine. */
export function assembleHere(config: Config, secret: string, log: Log): Promise<Program> {
  return assemble(config, {
    clock: systemClock,
    steadyClock: monotonicClock,
    log,
    secret,
  });
}

/** What a command hears of the parts below it: failures alone. */
export function commandLog(terminal: Pick<Terminal, "err">): Log {
  return createLog({
    level: "error",
    json: false,
    colors: false,
    clock: systemClock,
    write: terminal.err,
  });
}

export async function requireCurrentSchema(database: Database): Promise<void> {
  const migrations = await migrationStatus(database, parseMigrations(migrationFiles));
  if (migrations.some(({ appliedAtMs }) => appliedAtMs === null)) {
    throw new Refusal(
      "the database's schema is not up to date: run `latchkey migrate up`",
      exitCodes.failure,
    );
  }
}

export async function refuseReadOnly({ reader, engine }: Database): Promise<void> {
  if ((await whyReadOnly(reader, engine)) !== null) throw new Refusal(TAKES_NO_WRITES, exitCodes.unavailable);
}
