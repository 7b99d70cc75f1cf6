import type { Config } from "../config.ts";
import { Audit, AUDIT_EVENTS } from "../core/audit.ts";
import type { AuditFilter } from "../core/audit.ts";
import { AuditSealer } from "../core/audit-chain.ts";
import type { AuditRow, ChainHead } from "../core/audit-chain.ts";
import { systemClock } from "../core/clock.ts";
import { instantMs } from "../core/instant.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { existingSecret } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { firstLine, readFile } from "./secret-input.ts";
import { Refusal } from "./failures.ts";
import { hint } from "./nearest.ts";
import { SEALS_NOTHING, withStore } from "./with-core.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

const OPTIONS = {
  "env-file": { type: "string" },
  "without-secret": { type: "boolean" },
  "old-secret-file": { type: "string", multiple: true },
  noted: { type: "string" },
  event: { type: "string" },
  account: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  limit: { type: "string" },
  json: { type: "boolean" },
} as const;

const TAKEN_BY: Readonly<Record<string, readonly string[]>> = {
  verify: ["without-secret", "old-secret-file", "noted"],
  list: ["event", "account", "from", "to", "limit", "json"],
};

interface Given {
  readonly "without-secret"?: boolean | undefined;
  readonly "old-secret-file"?: readonly string[] | undefined;
  readonly noted?: string | undefined;
  readonly event?: string | undefined;
  readonly account?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly limit?: string | undefined;
  readonly json?: boolean | undefined;
}

export const auditCommand: Command = {
  name: "audit",
  summary: "Prove that nobody changed the audit trail, or read it",
  usage: "latchkey audit verify [--noted SEQ:HASH] | list [--event EVENT] [--account user:ID]",
  options: [
    ["verify", "look at every row; exit code 1 and the first broken row where one is"],
    ["--noted SEQ:HASH", "what `verify` printed before: shows that the end was not cut off since"],
    ["--old-secret-file FILE", "a SECRET_KEY of earlier; may be given more than once"],
    ["--without-secret", "look at the hashes alone: less is proved, and no secret is needed"],
    ["list", "print rows, newest first"],
    ["--event EVENT, --account user:ID", "only these; an account that did it, or to which it was done"],
    ["--from TIME, --to TIME", "only from this time on, and before that"],
    ["--limit N, --json", "at most N rows (50); one JSON object a line"],
    ENV_FILE_OPTION,
  ],
  examples: [
    "latchkey audit verify",
    "latchkey audit verify --noted 1042:9f2c…",
    "latchkey audit list --event login.failed --from 2026-01-04T10:00:00Z",
    "latchkey audit list --account admin:1 --limit 500 --json",
  ],

  async run(args, terminal) {
    const parsed = parseArguments({ args, options: OPTIONS, allowPositionals: true });
    if (!parsed.ok) return refuseUsage(this, parsed.message, terminal);
    const { "env-file": envFile, ...given } = parsed.values;
    const [verb, extra] = parsed.positionals;
    const taken = verb === undefined || !Object.hasOwn(TAKEN_BY, verb) ? undefined : TAKEN_BY[verb];
    if (taken === undefined) {
      return refuseUsage(this, `takes verify or list${hint(verb, Object.keys(TAKEN_BY))}`, terminal);
    }
    const foreign = Object.keys(given).find((option) => !taken.includes(option));
    if (foreign !== undefined) return refuseUsage(this, `${verb} does not take --${foreign}`, terminal);
    if (extra !== undefined) return refuseUsage(this, `${verb} does not take "${extra}"`, terminal);

    const config = settingsOf(envFile, terminal);
    if (config === null) return exitCodes.config;
    return withStore(config.database, SEALS_NOTHING, terminal, (store) => {
      const audit = new Audit({ store, clock: systemClock });
      return verb === "verify" ? verify(audit, config, given, terminal) : list(audit, given, terminal);
    });
  },
};

async function verify(audit: Audit, config: Config, given: Given, terminal: Terminal): Promise<number> {
  const isSealed = given["without-secret"] !== true;
  const verdict = await audit.verify(isSealed ? sealersOf(config, given) : null, notedHead(given));
  if (!verdict.sound) {
    terminal.err(`latchkey: the audit trail is broken at row ${verdict.broken.seq}: ${verdict.broken.why}`);
    terminal.err(`latchkey: ${verdict.rows} rows before it are sound`);
    return exitCodes.failure;
  }
  const { rows, firstSeq, last } = verdict;
  if (last === null) {
    terminal.out("the audit trail is sound, and empty");
    return exitCodes.ok;
  }
  const proof = isSealed ? "hashes and seals" : "hashes alone: the seals were not looked at";
  terminal.out(`the audit trail is sound: ${rows} rows, ${firstSeq} to ${last.seq} (${proof})`);
  terminal.out(`to show later that its end was not cut off: --noted ${last.seq}:${hex(last.hash)}`);
  return exitCodes.ok;
}

function sealersOf(config: Config, given: Given): readonly AuditSealer[] {
  const old = given["old-secret-file"] ?? [];
  return [existingSecret(config), ...old.map((path) => firstLine(readFile(path, "--old-secret-file")))].map(
    (each) => new AuditSealer(each),
  );
}

function notedHead({ noted }: Given): ChainHead | null {
  if (noted === undefined) return null;
  const { seq, hash } = /^(?<seq>[1-9]\d{0,14}):(?<hash>[0-9a-f]{64})$/.exec(noted)?.groups ?? {};
  if (seq === undefined || hash === undefined) {
    throw new Refusal("--noted takes SEQ:HASH, as `latchkey audit verify` prints it", exitCodes.usage);
  }
  return { seq: Number(seq), hash: Buffer.from(hash, "hex") };
}

async function list(audit: Audit, given: Given, terminal: Terminal): Promise<number> {
  const limit = given.limit ?? "50";
  if (!/^[1-9]\d{0,5}$/.test(limit))
    throw new Refusal("--limit takes a number from 1 to 999999", exitCodes.usage);
  const rows = await audit.list(filterOf(given), null, Number(limit));
  for (const row of rows) terminal.out(given.json === true ? asJson(row) : asLine(row));
  return exitCodes.ok;
}

function filterOf({ event, account, from, to }: Given): AuditFilter {
  if (event !== undefined && !AUDIT_EVENTS.some((known) => known === event)) {
    throw new Refusal(`--event takes one of ${AUDIT_EVENTS.join(", ")}`, exitCodes.usage);
  }
  return {
    event: event ?? null,
    account: account === undefined ? null : accountOf(account),
    fromMs: from === undefined ? null : timeOf("--from", from),
    untilMs: to === undefined ? null : timeOf("--to", to),
  };
}

function accountOf(text: string): NonNullable<AuditFilter["account"]> {
  const { realm, id } = /^(?<realm>user|admin):(?<id>[1-9]\d{0,14})$/.exec(text)?.groups ?? {};
  if (realm === "user" || realm === "admin") return { realm, id: Number(id) };
  throw new Refusal("--account takes user:ID or admin:ID", exitCodes.usage);
}

function timeOf(option: string, text: string): number {
  const ms = instantMs(text);
  if (ms !== null) return ms;
  throw new Refusal(`${option} takes a time, as 2026-01-04T10:00:00Z, or a day`, exitCodes.usage);
}

function asLine({ seq, atMs, event, actor, subject, clientAddress, requestId, detail }: AuditRow): string {
  const by = actor.id === null ? actor.kind : `${actor.kind}:${actor.id}`;
  const to = subject === null ? "" : `${subject.realm}:${subject.id ?? "?"}`;
  const rest = [detail === "{}" ? "" : detail, clientAddress ?? "", requestId ?? ""].filter(
    (text) => text !== "",
  );
  return [String(seq).padStart(6), new Date(atMs).toISOString(), event.padEnd(22), `${by} → ${to}`, ...rest]
    .join("  ")
    .trimEnd();
}

function asJson(row: AuditRow): string {
  const { seq, atMs, event, actor, subject, clientAddress, requestId, detail, hash } = row;
  return JSON.stringify({
    seq,
    time: new Date(atMs).toISOString(),
    event,
    actor,
    subject,
    client_address: clientAddress,
    request_id: requestId,
    detail,
    hash: hex(hash),
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
