import { warnings } from "../config.ts";
import type { Config } from "../config.ts";
import { SECOND_MS, systemClock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import { KeysRefused } from "../key-files.ts";
import { createLog, standardOutputWriter } from "../log.ts";
import { assemble } from "../program.ts";
import type { Program } from "../program.ts";
import { DatabaseRefused } from "../storage/database.ts";
import { MigrationRefused } from "../storage/migrations.ts";
import { VERSION } from "../version.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { keptSecret, keptSecretPath } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { refuseUsage, withSettings } from "./with-settings.ts";

export const serveCommand: Command = {
  name: "serve",
  summary: "Migrate the database and serve until told to stop",
  usage: "latchkey serve [--env-file FILE]",
  options: [ENV_FILE_OPTION],
  examples: ["latchkey serve", "PORT=9000 DATABASE_URL=postgres://localhost/app latchkey serve"],

  run(args, terminal) {
    return withSettings(this, args, terminal, async (config, [word]) =>
      word === undefined
        ? serve(config, terminal)
        : refuseUsage(this, `serve does not take "${word}"`, terminal),
    );
  },
};

async function serve(config: Config, terminal: Terminal): Promise<number> {
  const output = standardOutputWriter();
  const log = createLog({
    level: config.logLevel,
    json: config.logJson,
    colors: terminal.isInteractive,
    clock: systemClock,
    write: output.write,
  });
  let program: Program | null = null;
  try {
    program = assemble(config, { clock: systemClock, log, secret: secretOf(config) });
    await program.start();
    program.startTasks();
    const { url } = program.app.listen(config);
    // The log has its own way out: what it told so far belongs above.
    await output.flush();
    announce(config, url, log, terminal);
    await stopRequested(log);
    await stop(program, config, log);
    return exitCodes.ok;
  } catch (error) {
    await program?.close();
    return explainFailure(error, terminal);
  } finally {
    await output.flush();
  }
}

/** What a person needs to know at a start; machines read the log's line below it. */
function announce(config: Config, url: URL, log: Log, terminal: Terminal): void {
  const address = reachable(config.host, url);
  const facts: readonly (readonly [string, string])[] = [
    ["address", address],
    ...(config.debug ? [["docs", `${address}/docs`] as const] : []),
    ["health", `${address}/health`],
    ["database", describeDatabase(config)],
  ];
  terminal.out("");
  terminal.out(`  Latchkey ${VERSION}`);
  for (const [name, fact] of facts) terminal.out(`  ${name.padEnd(10)}${fact}`);
  const unfit = warnings(config);
  if (unfit.length > 0) terminal.out("\n  Not fit for production:");
  for (const line of unfit) terminal.out(`  - ${line}`);
  terminal.out("");
  log.info("server.started", { version: VERSION, port: Number(url.port), database: config.database.engine });
}

/** An address that can be opened, where the server listens on all of them. */
function reachable(host: string, url: URL): string {
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : url.hostname;
  return `http://${name}:${url.port}`;
}

function describeDatabase({ database }: Config): string {
  if (database.engine === "sqlite") return `SQLite, ${database.path}`;
  const { host, pathname } = new URL(database.url);
  return `PostgreSQL, ${host}${pathname}`;
}

/** Fulfils at the first signal to stop; a second one ends the process at once. */
function stopRequested(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(exitCodes.failure);
      asked = true;
      log.info("server.stopping", { signal });
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

async function stop(program: Program, config: Config, log: Log): Promise<void> {
  program.announceStop();
  await program.app.stop(config.shutdownTimeoutSeconds * SECOND_MS);
  await program.close();
  log.info("server.stopped");
}

/** Outside production a missing secret is made once, and kept where the data is. */
function secretOf({ secretKey, database }: Config): string {
  if (secretKey !== null) return secretKey;
  try {
    return keptSecret(keptSecretPath(database));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseRefused(
      `SECRET_KEY is not set, and none can be kept beside the database: ${reason}`,
      error,
    );
  }
}

function explainFailure(error: unknown, terminal: Terminal): number {
  if (error instanceof KeysRefused) {
    terminal.err(`latchkey: ${error.message}`);
    return exitCodes.config;
  }
  if (error instanceof MigrationRefused) {
    terminal.err(`latchkey: ${error.message}`);
    return exitCodes.failure;
  }
  if (error instanceof DatabaseRefused) {
    terminal.err(`latchkey: ${error.message}; see DATABASE_URL`);
    return exitCodes.unavailable;
  }
  if (Fault.is(error, "unavailable")) {
    terminal.err("latchkey: the database cannot be reached or did not answer in time: see DATABASE_URL");
    return exitCodes.unavailable;
  }
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    terminal.err("latchkey: the address is in use: another program serves there; see PORT and HOST");
    return exitCodes.unavailable;
  }
  throw error;
}
