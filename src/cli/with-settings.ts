import { loadConfigFromProcess, noteOfUnreadDotEnv } from "../config.ts";
import type { Config, DatabaseTarget } from "../config.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";

/** Reads the settings, and `words` from the command line, or says what is wrong with them. */
export async function withSettings(
  command: Pick<Command, "name" | "usage">,
  args: readonly string[],
  terminal: Terminal,
  run: (config: Config, words: readonly string[]) => Promise<number>,
): Promise<number> {
  const given = readWords(args);
  if (!given.ok) return refuseUsage(command, given.message, terminal);
  const config = settingsOf(given.values["env-file"], terminal);
  return config === null ? exitCodes.config : run(config, given.positionals);
}

/** A command line of words, with no other option than where the settings are. */
export function readWords(args: readonly string[]) {
  return parseArguments({ args, options: { "env-file": { type: "string" } }, allowPositionals: true });
}

/** The database that the settings name; null once it is said what is wrong with them. */
export function databaseOfSettings(envFile: string | undefined, terminal: Terminal): DatabaseTarget | null {
  return settingsOf(envFile, terminal)?.database ?? null;
}

/** Null once it is said what is wrong with them. */
export function settingsOf(envFile: string | undefined, terminal: Terminal): Config | null {
  const loaded = loadConfigFromProcess({ envFile });
  if (loaded.ok) return loaded.config;
  for (const mistake of loaded.mistakes) terminal.err(mistake);
  return null;
}

export function tellOfUnreadDotEnv(envFile: string | undefined, terminal: Pick<Terminal, "err">): void {
  const note = noteOfUnreadDotEnv(envFile);
  if (note !== null) terminal.err(note);
}

export function refuseUsage(
  command: Pick<Command, "name" | "usage">,
  problem: string,
  terminal: Pick<Terminal, "err">,
): number {
  terminal.err(`latchkey ${command.name}: ${problem}`);
  terminal.err(`usage: ${command.usage}`);
  return exitCodes.usage;
}
