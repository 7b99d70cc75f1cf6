import type { Account, AccountChange, Realm } from "../core/accounts.ts";
import { OPERATOR } from "../core/actor.ts";
import type { Core } from "../core/core.ts";
import { emailProblem, fullNameProblem, normalPhone, usernameProblem } from "../core/identity.ts";
import { AT_LEAST_6, passwordProblem } from "../core/passwords.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { PASSWORD_OPTIONS, readNewPassword } from "./secret-input.ts";
import type { PasswordOptions } from "./secret-input.ts";
import { Refusal } from "./failures.ts";
import { hint } from "./nearest.ts";
import { withCore } from "./with-core.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

/** All options of the two commands; each verb says which of them it takes. */
const OPTIONS = {
  "env-file": { type: "string" },
  email: { type: "string" },
  username: { type: "string" },
  name: { type: "string" },
  phone: { type: "string" },
  "password-file": { type: "string" },
  generate: { type: "boolean" },
  deleted: { type: "boolean" },
  json: { type: "boolean" },
  yes: { type: "boolean" },
} as const;

type OptionName = keyof typeof OPTIONS;

interface Given extends PasswordOptions {
  readonly email?: string | undefined;
  readonly username?: string | undefined;
  readonly name?: string | undefined;
  readonly phone?: string | undefined;
  readonly deleted?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

interface Task {
  readonly core: Core;
  readonly realm: Realm;
  readonly given: Given;
  readonly terminal: Terminal;
}

/** One word after `admin` or `user`. Those of one account take its name, and say whether it may be a deleted one. */
type Verb = { readonly takes: readonly OptionName[] } & (
  | { readonly of: "nobody"; run(task: Task): Promise<void> }
  | { readonly of: "live" | "any"; run(task: Task, account: Account): Promise<void> }
);

const LISTED_AT_ONCE = 500;
const PASSWORD_FLAGS = ["password-file", "generate"] as const;

const change = (done: string, what: AccountChange): Verb => ({
  takes: [],
  of: "live",
  async run({ core, terminal }, account) {
    await core.accounts.update(account, what, null, OPERATOR);
    terminal.out(`${done} ${described(account)}`);
  },
});

/** What can be done with an account of either realm. */
const ofBoth: Readonly<Record<string, Verb>> = {
  list: { takes: ["deleted", "json"], of: "nobody", run: list },
  unlock: {
    takes: [],
    of: "live",
    async run({ core, terminal }, account) {
      await core.logins.unlock(account, OPERATOR);
      terminal.out(`unlocked ${described(account)}`);
    },
  },
  "reset-password": { takes: PASSWORD_FLAGS, of: "live", run: resetPassword },
  block: change("blocked", { isActive: false }),
  activate: change("activated", { isActive: true }),
  delete: {
    takes: [],
    of: "live",
    async run({ core, terminal }, account) {
      await core.accounts.delete(account, OPERATOR);
      terminal.out(`deleted ${described(account)}`);
    },
  },
  restore: {
    takes: [],
    of: "any",
    async run({ core, terminal }, account) {
      if (account.deletedAtMs === null) throw new Refusal(`${described(account)} is not deleted`);
      terminal.out(`restored ${described(await core.accounts.restore(account, OPERATOR))}`);
    },
  },
  purge: { takes: ["yes"], of: "any", run: purge },
};

const EITHER_USAGE =
  "list [--deleted] [--json] | unlock | reset-password | block | activate | delete | restore | purge --yes";
const EITHER_OPTIONS = [
  ["list", "all of them, oldest first; --deleted lists the deleted ones, --json one object a line"],
  ["unlock NAME", "take the lock of failed logins off"],
  ["reset-password NAME", "set a new password, unlock, and end what was open"],
  ["block NAME", "refuse logins and tokens; `activate` takes it back"],
  ["delete NAME", "as the API does: the names stay taken; `restore` takes it back"],
  ["purge NAME --yes", "remove a deleted account for good, with all that hangs on it"],
  ["NAME", "an e-mail address, a username, or id:NUMBER"],
] as const;

export const adminCommand = accountCommand({
  realm: "admin",
  name: "admin",
  summary: "Make administrators and look after them",
  usage: `latchkey admin create --email EMAIL [--username NAME] | ${EITHER_USAGE} NAME`,
  options: [
    ["create", "make one: --email EMAIL, and --username, --name, --phone as wanted"],
    ...EITHER_OPTIONS,
    ...PASSWORD_OPTIONS,
    ENV_FILE_OPTION,
  ],
  examples: [
    "latchkey admin create --email root@example.com --username root --generate",
    "latchkey admin reset-password root --password-file /run/secrets/root",
    "latchkey admin unlock root@example.com",
  ],
  verbs: {
    create: { takes: ["email", "username", "name", "phone", ...PASSWORD_FLAGS], of: "nobody", run: create },
    ...ofBoth,
  },
});

export const userCommand = accountCommand({
  realm: "user",
  name: "user",
  summary: "Look after the accounts of users",
  usage: `latchkey user promote | demote | ${EITHER_USAGE} NAME`,
  options: [
    ["promote NAME", "give the role admin; `demote` takes it back"],
    ...EITHER_OPTIONS,
    ...PASSWORD_OPTIONS,
    ENV_FILE_OPTION,
  ],
  examples: [
    "latchkey user promote alice@example.com",
    "latchkey user block id:42",
    "latchkey user delete alice && latchkey user purge alice --yes",
  ],
  verbs: {
    promote: change("promoted", { role: "admin" }),
    demote: change("demoted", { role: "user" }),
    ...ofBoth,
  },
});

function accountCommand(
  spec: Omit<Command, "run"> & { readonly realm: Realm; readonly verbs: Readonly<Record<string, Verb>> },
): Command {
  const { realm, verbs, ...explained } = spec;
  return {
    ...explained,
    async run(args, terminal) {
      const parsed = parseArguments({ args, options: OPTIONS, allowPositionals: true });
      if (!parsed.ok) return refuseUsage(this, parsed.message, terminal);
      const { "env-file": envFile, ...given } = parsed.values;
      const [word, ...operands] = parsed.positionals;
      const verb = word !== undefined && Object.hasOwn(verbs, word) ? verbs[word] : undefined;
      if (verb === undefined) {
        const known = Object.keys(verbs);
        return refuseUsage(this, `takes ${known.join(", ")}${hint(word, known)}`, terminal);
      }
      const misused = misuse(verb, operands, Object.keys(given));
      if (misused !== null) return refuseUsage(this, `${word} ${misused}`, terminal);

      const config = settingsOf(envFile, terminal);
      if (config === null) return exitCodes.config;
      return withCore(config, terminal, async (core) => {
        const task = { core, realm, given, terminal };
        if (verb.of === "nobody") await verb.run(task);
        else await verb.run(task, await named(core, realm, operands[0] ?? "", verb.of));
        return exitCodes.ok;
      });
    },
  };
}

function misuse(verb: Verb, operands: readonly string[], given: readonly string[]): string | null {
  const foreign = given.find((option) => !verb.takes.some((taken) => taken === option));
  if (foreign !== undefined) return `does not take --${foreign}`;
  const wanted = verb.of === "nobody" ? 0 : 1;
  if (operands.length > wanted) return `does not take "${operands[wanted]}"`;
  return operands.length < wanted ? "takes the NAME of an account" : null;
}

/** An account by e-mail address, username or `id:42`. */
async function named(core: Core, realm: Realm, name: string, which: "live" | "any"): Promise<Account> {
  const id = /^id:([1-9]\d{0,14})$/.exec(name)?.[1];
  const accounts = core.store.read.accounts(realm);
  const account = await (id === undefined ? accounts.byName(name) : accounts.byId(Number(id)));
  if (account === null) throw new Refusal(`there is no ${realm} ${name}`);
  if (which === "live" && account.deletedAtMs !== null) {
    throw new Refusal(
      `${described(account)} is deleted: \`latchkey ${realm} restore id:${account.id}\` takes it back`,
    );
  }
  return account;
}

function described({ realm, id, email }: Account): string {
  return `${realm} ${id} (${email})`;
}

async function create({ core, realm, given, terminal }: Task): Promise<void> {
  const { email, username, name, phone } = given;
  if (email === undefined) throw new Refusal("an account needs --email", exitCodes.usage);
  refuseProblem("--email", emailProblem(email));
  refuseProblem("--username", username === undefined ? null : usernameProblem(username));
  refuseProblem("--name", name === undefined ? null : fullNameProblem(name));
  const normal = phone === undefined ? null : normalPhone(phone);
  refuseProblem(
    "--phone",
    phone !== undefined && normal === null ? "takes a number such as +4915112345678" : null,
  );
  const password = await newPassword(core, given);
  const registration = {
    email,
    password,
    username: username ?? null,
    name: name?.trim() ?? null,
    phone: normal,
  };
  const account = await core.accounts.register(realm, registration, OPERATOR);
  terminal.out(`created ${described(account)}`);
  if (given.generate === true) terminal.out(`password: ${password}`);
}

/** Also takes the lock off: whoever asks for a new password has tried the old one. */
async function resetPassword({ core, given, terminal }: Task, account: Account): Promise<void> {
  const password = await newPassword(core, given);
  await core.accounts.update(account, {}, { password, entitlement: "administrator" }, OPERATOR);
  await core.logins.unlock(account, OPERATOR);
  terminal.out(`set a new password for ${described(account)}`);
  if (given.generate === true) terminal.out(`password: ${password}`);
}

async function newPassword(core: Core, given: Given): Promise<string> {
  const password = await readNewPassword(given);
  const problem = passwordProblem(core.passwordRule(AT_LEAST_6), password);
  if (problem !== null) throw new Refusal(problem);
  return password;
}

function refuseProblem(option: string, problem: string | null): void {
  if (problem !== null) throw new Refusal(`${option}: ${problem}`);
}

async function purge({ core, realm, given, terminal }: Task, account: Account): Promise<void> {
  if (account.deletedAtMs === null) {
    throw new Refusal(`${described(account)} is not deleted: \`latchkey ${realm} delete\` comes first`);
  }
  if (given.yes !== true) {
    throw new Refusal(
      `purging ${described(account)} cannot be taken back: say --yes if that is meant`,
      exitCodes.usage,
    );
  }
  await core.accounts.purge(account, OPERATOR);
  terminal.out(`purged ${described(account)}`);
}

async function list({ core, realm, given, terminal }: Task): Promise<void> {
  const isDeleted = given.deleted === true;
  for (let afterId = 0; ;) {
    const accounts = await core.store.read.accounts(realm).list(isDeleted, afterId, LISTED_AT_ONCE);
    for (const account of accounts) terminal.out(given.json === true ? asJson(account) : asLine(account));
    afterId = accounts.at(-1)?.id ?? 0;
    if (accounts.length < LISTED_AT_ONCE) return;
  }
}

function asLine(account: Account): string {
  const { id, email, username, role, createdAtMs } = account;
  const created = new Date(createdAtMs).toISOString();
  return [String(id).padStart(6), created, stateOf(account).padEnd(7), role.padEnd(5), email, username ?? ""]
    .join("  ")
    .trimEnd();
}

function asJson(account: Account): string {
  const { id, email, username, name, phone, role, createdAtMs } = account;
  const created_at = new Date(createdAtMs).toISOString();
  return JSON.stringify({ id, email, username, name, phone, role, state: stateOf(account), created_at });
}

function stateOf({ deletedAtMs, isActive }: Account): string {
  if (deletedAtMs !== null) return "deleted";
  return isActive ? "active" : "blocked";
}
