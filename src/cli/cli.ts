import { adminCommand, userCommand } from "./accounts.ts";
import { auditCommand } from "./audit.ts";
import { backupCommand, restoreCommand } from "./backup.ts";
import type { Command, Terminal } from "./command.ts";
import { configCommand } from "./config.ts";
import { copyCommand } from "./copy.ts";
import { doctorCommand } from "./doctor.ts";
import { exitCodes } from "./exit-codes.ts";
import { healthcheckCommand } from "./healthcheck.ts";
import { importCommand } from "./import.ts";
import { keysCommand } from "./keys.ts";
import { maintenanceCommand } from "./maintenance.ts";
import { migrateCommand } from "./migrate.ts";
import { hint } from "./nearest.ts";
import { seedCommand } from "./seed.ts";
import { serveCommand } from "./serve.ts";
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
  async run([name], terminal) {
    if (name === undefined) {
      for (const line of overview()) terminal.out(line);
      return exitCodes.ok;
    }
    const command = find(name);
    if (command === undefined) return refuseUnknown(name, terminal);
    for (const line of explain(command)) terminal.out(line);
    return exitCodes.ok;
  },
};

export const commands: readonly Command[] = [
  serveCommand,
  migrateCommand,
  keysCommand,
  adminCommand,
  userCommand,
  auditCommand,
  maintenanceCommand,
  backupCommand,
  restoreCommand,
  copyCommand,
  importCommand,
  seedCommand,
  configCommand,
  doctorCommand,
  healthcheckCommand,
  versionCommand,
  helpCommand,
];

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
  if (word === undefined || word === "--help" || word === "-h") return helpCommand.run([], terminal);
  if (word === "--version" || word === "-V" || word === "-v") return versionCommand.run([], terminal);
  const command = find(word);
  if (command === undefined) return refuseUnknown(word, terminal);
  if (rest.includes("--help") || rest.includes("-h")) return helpCommand.run([command.name], terminal);
  return command.run(rest, terminal);
}

function find(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}

function refuseUnknown(word: string, terminal: Terminal): number {
  const names = commands.map(({ name }) => name);
  terminal.err(`latchkey: there is no command "${word}"${hint(word, names)}`);
  terminal.err("usage: latchkey help");
  return exitCodes.usage;
}

function overview(): readonly string[] {
  const width = Math.max(...commands.map(({ name }) => name.length));
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
