import type { Config } from "../config.ts";
import type { Core } from "../core/core.ts";
import { Fault } from "../core/fault.ts";
import type { Database } from "../storage/database.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";
import { refuseReadOnly, withCore } from "./with-core.ts";
import { refuseUsage, withSettings } from "./with-settings.ts";

export const maintenanceCommand: Command = {
  name: "maintenance",
  summary: "Remove what has expired now, or pictures that nobody has",
  usage: "latchkey maintenance run | avatars [--env-file FILE]",
  options: [
    [
      "run",
      "expired tokens, dead sessions, forgotten login attempts, audit rows past their retention; on SQLite, tidies the index of searches",
    ],
    ["avatars", "avatars in UPLOAD_DIR or UPLOAD_URL that no account names, once they are a day old"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey maintenance run", "latchkey maintenance avatars"],

  run(args, terminal) {
    return withSettings(this, args, terminal, async (config, [verb = "", extra]) => {
      const task = TASKS.get(verb);
      if (task === undefined) return refuseUsage(this, "takes run or avatars", terminal);
      if (extra !== undefined) return refuseUsage(this, `${verb} does not take "${extra}"`, terminal);
      return withCore(config, terminal, (core, database) => task({ core, database, config, terminal }));
    });
  },
};

const TASKS = new Map([
  ["run", removeExpired],
  ["avatars", removeOrphanedAvatars],
]);

interface Task {
  readonly core: Core;
  readonly database: Database;
  readonly config: Config;
  readonly terminal: Terminal;
}

async function removeExpired({ core: { housekeeping }, database, terminal }: Task): Promise<number> {
  // Each of its parts goes on whatever becomes of the others, and would fail at the same.
  await refuseReadOnly(database);
  const report = Object.entries(await housekeeping.run());
  const width = Math.max(...report.map(([task]) => task.length));
  for (const [task, removed] of report) {
    terminal.out(`${task.padEnd(width)}  ${removed === null ? "failed" : `${removed} removed`}`);
  }
  await housekeeping.mergeSearchIndex();
  return report.some(([, removed]) => removed === null) ? exitCodes.failure : exitCodes.ok;
}

async function removeOrphanedAvatars({
  core: { orphanedAvatars },
  config: { uploadS3 },
  terminal,
}: Task): Promise<number> {
  const place = uploadS3 === null ? "UPLOAD_DIR" : "UPLOAD_URL";
  const refuse = (error: unknown) => refuseUnavailable(error, place);
  const { removed, failed } = await orphanedAvatars.remove().catch(refuse);
  terminal.out(`avatars  ${removed} removed${failed === 0 ? "" : `, ${failed} could not be`}`);
  return failed === 0 ? exitCodes.ok : exitCodes.failure;
}

/** Else it would be said of the database alone. */
function refuseUnavailable(error: unknown, place: string): never {
  if (!Fault.is(error, "unavailable")) throw error;
  const reason = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  throw new Refusal(
    `the avatars or the database cannot be reached${reason}; see ${place} and DATABASE_URL`,
    exitCodes.unavailable,
  );
}
