import { type LoadedConfig, loadConfigFromProcess, type SettingReport, type Shown } from "../config.ts";
import { parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { refuseUsage, tellOfUnreadDotEnv } from "./with-settings.ts";

export const ENV_FILE_OPTION = ["--env-file FILE", "read settings from FILE, below the environment"] as const;

export const configCommand: Command = makeConfigCommand(loadConfigFromProcess);

export function makeConfigCommand(
  load: (options: { readonly envFile?: string | undefined }) => LoadedConfig,
): Command {
  return {
    name: "config",
    summary: "Print every setting in force and where it came from, secrets masked",
    usage: "latchkey config [--json] [--env-file FILE]",
    options: [["--json", "print one JSON object, for scripts"], ENV_FILE_OPTION],
    examples: [
      "latchkey config",
      "PORT=9000 latchkey config --json",
      "latchkey config --env-file /etc/latchkey.env",
    ],
    async run(args, terminal) {
      const given = parseArguments({
        args,
        options: { json: { type: "boolean" }, "env-file": { type: "string" } },
      });
      if (!given.ok) return refuseUsage(this, given.message, terminal);
      const envFile = given.values["env-file"];
      tellOfUnreadDotEnv(envFile, terminal);
      const loaded = load({ envFile });
      if (!loaded.ok) {
        for (const mistake of loaded.mistakes) terminal.err(mistake);
        return exitCodes.config;
      }
      terminal.out(
        given.values.json === true ? describeAsJson(loaded.report) : describeConfig(loaded.report),
      );
      return exitCodes.ok;
    },
  };
}

/** `NAME  value  source`, in columns. The report holds no secret, so neither does this. */
export function describeConfig(report: readonly SettingReport[]): string {
  const rows = report.map(({ name, value, source }) => ({ name, value: inWords(value), source }));
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  // A long list of origins must not push every other line's source off the screen.
  const valueWidth = Math.min(48, Math.max(...rows.map(({ value }) => value.length)));
  return rows
    .map(({ name, value, source }) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${source}`)
    .join("\n");
}

function inWords(value: Shown): string {
  if (value === null || (typeof value === "object" && value.length === 0)) return "(not set)";
  return typeof value === "object" ? value.join(", ") : String(value);
}

export function describeAsJson(report: readonly SettingReport[]): string {
  const settings = report.map(({ name, value, source }) => [name, { value, source }] as const);
  return JSON.stringify(Object.fromEntries(settings), null, 2);
}
