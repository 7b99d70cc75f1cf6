import { warnings } from "../config.ts";
import type { Config } from "../config.ts";
import { SECOND_MS, systemClock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { createLog, standardOutputWriter } from "../log.ts";
import type { Program } from "../program.ts";
import { VERSION } from "../version.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { programSecret } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { explainFailure } from "./failures.ts";
import { assembleHere } from "./with-core.ts";
import { readWords, refuseUsage, settingsOf, tellOfUnreadDotEnv } from "./with-settings.ts";

export const serveCommand: Command = {
  name: "serve",
  summary: "Migrate the database and serve until told to stop",
  usage: "latchkey serve [--env-file FILE]",
  options: [ENV_FILE_OPTION],
  examples: ["latchkey serve", "PORT=9000 DATABASE_URL=postgres://localhost/app latchkey serve"],

  async run(args, terminal) {
    const given = readWords(args);
    if (!given.ok) return refuseUsage(this, given.message, terminal);
    const [word] = given.positionals;
    if (word !== undefined) return refuseUsage(this, `serve does not take "${word}"`, terminal);
    const envFile = given.values["env-file"];
    tellOfUnreadDotEnv(envFile, terminal);
    const config = settingsOf(envFile, terminal);
    return config === null ? exitCodes.config : serve(config, terminal);
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
  logStrayFailures(log);
  let program: Program | null = null;
  try {
    program = await assembleHere(config, programSecret(config), log);
    await program.start();
    // From before anybody can know that it serves: a signal must find somebody who finishes what has begun.
    const stopping = stopRequested(log);
    program.startTasks();
    const { url } = program.app.listen(config);
    const metrics = listenForMetrics(program, config);
    announce(config, url, metrics, output.write);
    log.info("server.started", {
      version: VERSION,
      port: Number(url.port),
      database: config.database.engine,
    });
    await stopping;
    await stop(program, config, log);
    return exitCodes.ok;
  } catch (error) {
    await program?.close();
    return explainFailure(error, terminal);
  } finally {
    await told(output);
  }
}

/** As long as whoever reads the log may take for the last of it: one who has stopped reading holds up no stop. */
const LAST_LINES_MS = SECOND_MS;

async function told(output: { flush(): Promise<void> }): Promise<void> {
  await Promise.race([output.flush(), Bun.sleep(LAST_LINES_MS)]);
}

/** What a person needs to know at a start; machines read the log's line below it. */
function announce(config: Config, url: URL, metrics: URL | null, tell: (line: string) => void): void {
  const address = reachable(config.host, url);
  const facts: readonly (readonly [string, string])[] = [
    ["address", address],
    ...(config.debug ? [["docs", `${address}/docs`] as const] : []),
    ["health", `${address}/health`],
    ...(metrics === null ? [] : [["metrics", `${reachable(config.host, metrics)}/metrics`] as const]),
    ["database", describeDatabase(config)],
  ];
  tell("");
  tell(`  Latchkey ${VERSION}`);
  for (const [name, fact] of facts) tell(`  ${name.padEnd(10)}${fact}`);
  const unfit = warnings(config);
  if (unfit.length > 0) tell("\n  Not fit for production:");
  for (const line of unfit) tell(`  - ${line}`);
  tell("");
}

function listenForMetrics({ metricsApp }: Program, { host, metricsPort }: Config): URL | null {
  if (metricsApp === null || metricsPort === null) return null;
  return metricsApp.listen({ host, port: metricsPort }).url;
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

/** What a timer throws, or a promise that nobody awaits, is a mistake of ours; the requests beside it go on. */
function logStrayFailures(log: Log): void {
  const onFailure = (error: unknown) => log.error("background.failed", {}, error);
  process.on("uncaughtException", onFailure);
  process.on("unhandledRejection", onFailure);
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
  const limitMs = config.shutdownTimeoutSeconds * SECOND_MS;
  const delayMs = config.shutdownDelaySeconds * SECOND_MS;
  const endsAtMs = performance.now() + delayMs + limitMs;
  await program.app.stop(limitMs, delayMs);
  // Last, so that the last of the requests are still seen.
  await program.metricsApp?.stop(0);
  await program.close(Math.max(0, endsAtMs - performance.now()));
  log.info("server.stopped");
}
