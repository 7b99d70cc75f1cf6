import type { Command } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { withCore } from "./with-core.ts";
import { refuseUsage, withSettings } from "./with-settings.ts";

export const maintenanceCommand: Command = {
  name: "maintenance",
  summary: "Remove what has expired now, rather than at the server's next hour",
  usage: "latchkey maintenance run [--env-file FILE]",
  options: [
    ["run", "expired tokens, dead sessions, forgotten login attempts, and audit rows past their retention"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey maintenance run"],

  run(args, terminal) {
    return withSettings(this, args, terminal, async (config, [verb, extra]) => {
      if (verb !== "run") return refuseUsage(this, "takes run", terminal);
      if (extra !== undefined) return refuseUsage(this, `run does not take "${extra}"`, terminal);
      return withCore(config, terminal, { migrates: true }, async (core) => {
        const report = Object.entries(await core.housekeeping.run());
        const width = Math.max(...report.map(([task]) => task.length));
        for (const [task, removed] of report) {
          terminal.out(`${task.padEnd(width)}  ${removed === null ? "failed" : `${removed} removed`}`);
        }
        return report.some(([, removed]) => removed === null) ? exitCodes.failure : exitCodes.ok;
      });
    });
  },
};
