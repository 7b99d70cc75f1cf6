import type { Command, Terminal } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { hint } from "./nearest.ts";
import { refuseUsage } from "./with-settings.ts";
import { VERSION } from "../version.ts";

const versionCommand: Command = {
  name: "version",
  summary: "Print the version",
  usage: "latchkey version",
  examples: ["latchkey version"],
  async run(args, terminal) {
    if (args.length > 0) return refuseUsage(this, `version does not take "${args[0]}"`, terminal);
    terminal.out(`latchkey ${VERSION} (bun ${Bun.version})`);
    return exitCodes.ok;
  },
};

const helpCommand: Command = {
  name: "help",
  summary: "Explain a command",
  usage: "latchkey help [COMMAND]",
  examples: ["latchkey help", "latchkey help migrate"],
  async run([name, word], terminal) {
    if (word !== undefined) return refuseUsage(this, `help does not take "${word}"`, terminal);
    if (name === undefined) {
      for (const line of await overview()) terminal.out(line);
      return exitCodes.ok;
    }
    const command = await load(name);
    if (command === undefined) return refuseUnknown(name, terminal);
    for (const line of explain(command)) terminal.out(line);
    return exitCodes.ok;
  },
};

/** In the order of the list. Each is loaded when it is asked for: a start of the server waits for no other's code. */
const loaders: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ["serve", async () => (await import("./serve.ts")).serveCommand],
  ["migrate", async () => (await import("./migrate.ts")).migrateCommand],
  ["keys", async () => (await import("./keys.ts")).keysCommand],
  ["admin", async () => (await import("./accounts.ts")).adminCommand],
  ["user", async () => (await import("./accounts.ts")).userCommand],
  ["audit", async () => (await import("./audit.ts")).auditCommand],
  ["maintenance", async () => (await import("./maintenance.ts")).maintenanceCommand],
  ["backup", async () => (await import("./backup.ts")).backupCommand],
  ["restore", async () => (await import("./backup.ts")).restoreCommand],
  ["copy", async () => (await import("./copy.ts")).copyCommand],
  ["import", async () => (await import("./import.ts")).importCommand],
  ["seed", async () => (await import("./seed.ts")).seedCommand],
  ["config", async () => (await import("./config.ts")).configCommand],
  ["doctor", async () => (await import("./doctor.ts")).doctorCommand],
  ["healthcheck", async () => (await import("./healthcheck.ts")).healthcheckCommand],
  ["version", async () => versionCommand],
  ["help", async () => helpCommand],
]);

export const commandNames: readonly string[] = [...loaders.keys()];

/**
 * Runs what the words after `latchkey` say; answers the exit code. What no command expected is told whole, and is
 * never left to the process: a server keeps going whatever is thrown beside it, and would end as if all were well.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    terminal.err(`latchkey: ${Bun.inspect(error)}`);
    return exitCodes.internal;
  }
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [word, ...rest] = args;
  if (word === undefined || word === "--help" || word === "-h") return helpCommand.run(rest, terminal);
  if (word === "--version" || word === "-V" || word === "-v") return versionCommand.run(rest, terminal);
  const command = await load(word);
  if (command === undefined) return refuseUnknown(word, terminal);
  if (rest.includes("--help") || rest.includes("-h")) return helpCommand.run([command.name], terminal);
  return command.run(rest, terminal);
}

/** Nothing where there is none of this name. */
async function load(name: string): Promise<Command | undefined> {
  return loaders.get(name)?.();
}

function refuseUnknown(word: string, terminal: Terminal): number {
  terminal.err(`latchkey: there is no command "${word}"${hint(word, commandNames)}`);
  terminal.err("usage: latchkey help");
  return exitCodes.usage;
}

async function overview(): Promise<readonly string[]> {
  const commands = await Promise.all([...loaders.values()].map((loader) => loader()));
  const width = Math.max(...commandNames.map((name) => name.length));
  return [
    "Latchkey: accounts, sessions and todos behind one binary.",
    "",
    "usage: latchkey COMMAND [OPTION ...]",
    "",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "`latchkey COMMAND --help` explains one of them; `latchkey config` prints the settings in force.",
  ];
}

function explain({ summary, usage, options = [], examples }: Command): readonly string[] {
  const width = Math.max(0, ...options.map(([flag]) => flag.length));
  return [
    summary,
    "",
    `usage: ${usage}`,
    ...(options.length === 0
      ? []
      : ["", ...options.map(([flag, meaning]) => `  ${flag.padEnd(width)}  ${meaning}`)]),
    "",
    "examples:",
    ...examples.map((example) => `  ${example}`),
  ];
}
