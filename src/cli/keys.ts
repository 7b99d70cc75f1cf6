import { loadConfigFromProcess } from "../config.ts";
import type { Config, LoadedConfig } from "../config.ts";
import { systemClock } from "../core/clock.ts";
import type { Clock } from "../core/clock.ts";
import type { AsymmetricAlgorithm } from "../core/keyring.ts";
import { KeyFolder, KeysRefused } from "../key-files.ts";
import type { KeyFile } from "../key-files.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { hint } from "./nearest.ts";
import { refuseUsage } from "./with-settings.ts";

type Load = (options: { readonly envFile?: string | undefined }) => LoadedConfig;

const ALGORITHMS: readonly AsymmetricAlgorithm[] = ["RS256", "ES256", "EdDSA"];

export const keysCommand: Command = makeKeysCommand(loadConfigFromProcess, systemClock);

export function makeKeysCommand(load: Load, clock: Clock): Command {
  return {
    name: "keys",
    summary: "Make, list, rotate and retire the keys that tokens are signed with",
    usage:
      "latchkey keys generate | list | rotate | retire KID [--algorithm NAME] [--next] [--env-file FILE]",
    options: [
      ["generate", "make a pair in KEYS_DIR; a pair that is there is never overwritten"],
      ["generate --next", "make the key that signs after the next rotation, and publish it already"],
      ["list", "show each key: its kid, algorithm, use, file and age"],
      ["rotate", "sign with the next key, or a new one; the old one still verifies, so that no session ends"],
      ["retire KID", "remove a key that verifies; tokens signed with it are void from then on"],
      ["--algorithm NAME", "RS256, ES256 or EdDSA; without it JWT_ALGORITHM's, the current key's, or RS256"],
      ENV_FILE_OPTION,
    ],
    examples: ["latchkey keys generate", "latchkey keys rotate --algorithm ES256", "latchkey keys list"],

    async run(args, terminal) {
      const given = parseArguments({
        args: kidsLast(args),
        options: {
          algorithm: { type: "string" },
          next: { type: "boolean" },
          "env-file": { type: "string" },
        },
        allowPositionals: true,
      });
      if (!given.ok) return refuseUsage(this, given.message, terminal);
      const algorithm = algorithmNamed(given.values.algorithm);
      if (algorithm === "unknown") {
        return refuseUsage(this, `--algorithm takes ${ALGORITHMS.join(", ")}`, terminal);
      }
      const task = taskOf(given.positionals, algorithm, given.values.next === true);
      if (typeof task === "string") return refuseUsage(this, task, terminal);

      const loaded = load({ envFile: given.values["env-file"] });
      if (!loaded.ok) {
        for (const mistake of loaded.mistakes) terminal.err(mistake);
        return exitCodes.config;
      }
      return perform(task, loaded.config, clock, terminal);
    },
  };
}

/** One kid in 64 begins with a hyphen, and would pass for an option. */
function kidsLast(args: readonly string[]): string[] {
  if (args.includes("--")) return [...args];
  const isKid = (word: string) => /^-[A-Za-z0-9_-]{42}$/.test(word);
  return [...args.filter((word) => !isKid(word)), "--", ...args.filter(isKid)];
}

/** Null where none was named. */
function algorithmNamed(name: string | undefined): AsymmetricAlgorithm | "unknown" | null {
  if (name === undefined) return null;
  return ALGORITHMS.find((each) => each.toLowerCase() === name.toLowerCase()) ?? "unknown";
}

type Task = (folder: KeyFolder, facts: { config: Config; clock: Clock; terminal: Terminal }) => void;

/** What the words ask for, or what is wrong with them. */
function taskOf(
  [verb, operand, ...more]: readonly string[],
  algorithm: AsymmetricAlgorithm | null,
  next: boolean,
): Task | string {
  const extra = verb === "retire" ? more[0] : operand;
  if (extra !== undefined) return `${verb} does not take "${extra}"`;
  if (next && verb !== "generate") return "--next goes with generate";
  if (algorithm !== null && verb !== "generate" && verb !== "rotate") {
    return "--algorithm goes with generate and rotate";
  }
  switch (verb) {
    case "generate":
      return (folder, facts) => generate(folder, facts.config, algorithm, next, facts.terminal);
    case "list":
      return (folder, { clock, terminal }) => list(folder, clock, terminal);
    case "rotate":
      return (folder, facts) => rotate(folder, facts.config, algorithm, facts.terminal);
    case "retire":
      if (operand === undefined) return "retire takes the kid of a key, as `latchkey keys list` shows it";
      return (folder, { terminal }) => retire(folder, operand, terminal);
    default:
      return `takes generate, list, rotate or retire KID${hint(verb, ["generate", "list", "rotate", "retire"])}`;
  }
}

function perform(task: Task, config: Config, clock: Clock, terminal: Terminal): number {
  try {
    task(new KeyFolder(config.keysDir), { config, clock, terminal });
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof KeysRefused)) throw error;
    terminal.err(`latchkey keys: ${error.message}`);
    return exitCodes.failure;
  }
}

function generate(
  folder: KeyFolder,
  config: Config,
  algorithm: AsymmetricAlgorithm | null,
  next: boolean,
  terminal: Terminal,
): void {
  const chosen = algorithm ?? configured(config);
  if (next) folder.announce(chosen ?? "RS256");
  else folder.generate(chosen ?? "RS256");
  const made = folder.read().find(({ use }) => use === (next ? "next" : "signs"));
  terminal.out(`made ${made?.key.kid} (${made?.key.algorithm}) in ${folder.path}`);
  if (next) terminal.out("It is published and verifies now, and signs after `latchkey keys rotate`.");
}

function rotate(
  folder: KeyFolder,
  config: Config,
  algorithm: AsymmetricAlgorithm | null,
  terminal: Terminal,
): void {
  const { old, current } = folder.rotate(algorithm ?? configured(config));
  terminal.out(`${current.kid} (${current.algorithm}) signs`);
  terminal.out(`${old.kid} (${old.algorithm}) still verifies`);
  if (current.algorithm !== old.algorithm) {
    terminal.out(
      `The algorithm has changed: start the servers anew with JWT_ALGORITHM=${current.algorithm}.`,
    );
  } else terminal.out("Running servers take this up within seconds; no session ends.");
}

function retire(folder: KeyFolder, kid: string, terminal: Terminal): void {
  for (const file of folder.retire(kid)) terminal.out(`removed ${file}`);
  terminal.out("Running servers take this up within seconds.");
}

function list(folder: KeyFolder, clock: Clock, terminal: Terminal): void {
  const rows = folder.read().map((file) => row(file, clock.nowMs()));
  const table = [["KID", "ALGORITHM", "USE", "AGE", "FILE"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)));
  for (const cells of table) {
    terminal.out(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  }
}

const USES = { signs: "signs", next: "signs next", verifies: "verifies" } as const;

function row({ file, use, key, changedAtMs }: KeyFile, nowMs: number): readonly string[] {
  return [key.kid, key.algorithm, USES[use], age(nowMs - changedAtMs), file];
}

function age(ms: number): string {
  const hours = Math.max(0, Math.floor(ms / 3_600_000));
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** What JWT_ALGORITHM says about key files, if anything. */
function configured({ jwtAlgorithm }: Config): AsymmetricAlgorithm | null {
  return jwtAlgorithm === "HS256" ? null : jwtAlgorithm;
}
