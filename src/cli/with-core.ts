import { migrationFiles } from "../../migrations/index.ts";
import type { Config } from "../config.ts";
import { systemClock } from "../core/clock.ts";
import type { Core } from "../core/core.ts";
import { createLog } from "../log.ts";
import { assemble } from "../program.ts";
import type { Program } from "../program.ts";
import { migrationStatus, parseMigrations } from "../storage/migrations.ts";
import type { Terminal } from "./command.ts";
import { programSecret } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure, Refusal } from "./failures.ts";

/**
 * Runs `work` on the database that the settings name, as the server would; a server may be running beside it. With
 * `migrates` the schema is brought up to date first, unless the settings leave that to someone else.
 */
export async function withCore(
  config: Config,
  terminal: Terminal,
  options: { readonly migrates: boolean },
  work: (core: Core) => Promise<number>,
): Promise<number> {
  const log = createLog({
    level: "error",
    json: false,
    colors: false,
    clock: systemClock,
    write: terminal.err,
  });
  let program: Program | null = null;
  try {
    program = await assemble(config, { clock: systemClock, log, secret: programSecret(config) });
    if (options.migrates) await program.start();
    const migrations = await migrationStatus(program.database, parseMigrations(migrationFiles));
    if (migrations.some(({ appliedAtMs }) => appliedAtMs === null)) {
      throw new Refusal(
        "the database's schema is not up to date: run `latchkey migrate up`",
        exitCodes.failure,
      );
    }
    return await work(program.core);
  } catch (error) {
    return explainFailure(error, terminal);
  } finally {
    await program?.close();
  }
}
