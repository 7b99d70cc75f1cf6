import { randomBytes, randomInt } from "node:crypto";
import { systemClock } from "../core/clock.ts";
import { demoEmail, makeDemo } from "../core/demo.ts";
import { silentLog } from "../core/log.ts";
import { createHasher } from "../core/passwords.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { Progress } from "./progress.ts";
import { withCore } from "./with-core.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

const DEFAULT_USERS = 10;
const DEFAULT_TODOS = 1_000;
const MOST = 10_000_000;
const PASSWORD_CHARACTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const PASSWORD_LENGTH = 16;

export const seedCommand: Command = {
  name: "seed",
  summary: "Make users with todos to try things out with",
  usage: "latchkey seed [--users N] [--todos N] [--force] [--env-file FILE]",
  options: [
    ["--users N", `how many users (${DEFAULT_USERS}); they share one password, which is printed`],
    ["--todos N", `how many todos, of all of them together (${DEFAULT_TODOS})`],
    ["--force", "in production too"],
    ENV_FILE_OPTION,
  ],
  examples: ["latchkey seed", "latchkey seed --users 1000 --todos 100000"],
  async run(args, terminal) {
    const given = parseArguments({
      args,
      options: {
        users: { type: "string" },
        todos: { type: "string" },
        force: { type: "boolean" },
        "env-file": { type: "string" },
      },
    });
    if (!given.ok) return refuseUsage(this, given.message, terminal);
    const users = amount(given.values.users ?? String(DEFAULT_USERS), 1);
    const todos = amount(given.values.todos ?? String(DEFAULT_TODOS), 0);
    if (users === null) return refuseUsage(this, `--users takes a number from 1 to ${MOST}`, terminal);
    if (todos === null) return refuseUsage(this, `--todos takes a number from 0 to ${MOST}`, terminal);
    const config = settingsOf(given.values["env-file"], terminal);
    if (config === null) return exitCodes.config;
    if (config.isProduction && given.values.force !== true) {
      terminal.err(
        "latchkey: ENVIRONMENT is production, where demo users are strangers with a key: see --force",
      );
      return exitCodes.failure;
    }
    return withCore(config, terminal, async ({ store }) => {
      const password = randomPassword();
      const tag = randomBytes(3).toString("hex");
      const hasher = createHasher({ concurrency: 1, maxQueued: 0, log: silentLog });
      const passwordHash = await hasher.hash(password);
      await make({ store, clock: systemClock }, { users, todos, tag, passwordHash }, terminal);
      const last = users === 1 ? "" : ` to ${demoEmail(tag, users)}`;
      terminal.out(`log in as ${demoEmail(tag, 1)}${last}, password ${password}`);
      return exitCodes.ok;
    });
  },
};

async function make(
  parts: Parameters<typeof makeDemo>[0],
  options: Parameters<typeof makeDemo>[1],
  terminal: Terminal,
): Promise<void> {
  const progress = {
    users: new Progress(terminal, "users", options.users),
    todos: new Progress(terminal, "todos", options.todos),
  };
  const startedMs = performance.now();
  await makeDemo(parts, options, (made) => {
    if (made.todos === 0) progress.users.show(made.users);
    else progress.todos.show(made.todos);
  });
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  terminal.out(`made ${options.users} users and ${options.todos} todos in ${seconds} s`);
}

function amount(text: string, least: number): number | null {
  const number = Number(text);
  return /^\d{1,8}$/.test(text) && number >= least && number <= MOST ? number : null;
}

/** Letters and digits that nobody mistakes for one another: every surface takes it. */
function randomPassword(): string {
  return Array.from(
    { length: PASSWORD_LENGTH },
    () => PASSWORD_CHARACTERS[randomInt(PASSWORD_CHARACTERS.length)],
  ).join("");
}
