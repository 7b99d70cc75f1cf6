import type { Realm } from "./accounts.ts";
import { OPERATOR } from "./actor.ts";
import type { Actor } from "./actor.ts";
import { ChainCheck, PRUNED, released } from "./audit-chain.ts";
import type { AuditRow, AuditSealer, ChainBreak, ChainHead } from "./audit-chain.ts";
import type { Clock } from "./clock.ts";
import { AHEAD_MS, DAY_MS } from "./clock.ts";
import { inSteps } from "./in-steps.ts";
import type { Listing } from "./pages.ts";
import type { ChainedRow, Store } from "./store.ts";

/** What the trail tells of. Its words are kept for ever: an event is never renamed. */
export const AUDIT_EVENTS = [
  "login.succeeded",
  "login.failed",
  "login.locked",
  "login.refused",
  "password.confirmation_failed",
  "password.changed",
  "session.refresh_reused",
  "account.registered",
  "account.changed",
  "account.role_changed",
  "account.blocked",
  "account.activated",
  "account.unlocked",
  "account.deleted",
  "account.restored",
  "account.purged",
  "token.created",
  "token.revoked",
  "todo.changed",
  "todo.deleted",
  "item.changed",
  "item.deleted",
  "import.started",
  "import.finished",
  PRUNED,
] as const;
export type AuditEvent = (typeof AUDIT_EVENTS)[number];

/** What an operation tells the trail, within the write that it tells of. */
export interface AuditEntry {
  readonly event: AuditEvent;
  readonly atMs: number;
  readonly by: Actor;
  /** Whom it happened to; `id` is null for a name that no account has. */
  readonly subject: { readonly realm: Realm; readonly id: number | null } | null;
  /** Plain values, never a password, a token, or what somebody typed. */
  readonly detail?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

/** The same as it is kept. */
export interface AuditRecord {
  readonly atMs: number;
  readonly event: string;
  readonly actor: { readonly kind: Realm | "operator" | "nobody"; readonly id: number | null };
  readonly subject: { readonly realm: Realm; readonly id: number | null } | null;
  readonly clientAddress: string | null;
  readonly requestId: string | null;
  /** JSON, as it was written: the hash is over this very text. */
  readonly detail: string;
}

export interface AuditFilter {
  readonly event: string | null;
  /** Rows in which this account did something, or something was done to it. */
  readonly account: { readonly realm: Realm; readonly id: number } | null;
  readonly fromMs: number | null;
  /** Up to this time, and not at it. */
  readonly untilMs: number | null;
}

export type AuditVerdict = {
  readonly rows: number;
  readonly firstSeq: number | null;
  readonly last: ChainHead | null;
} & ({ readonly sound: true } | { readonly sound: false; readonly broken: ChainBreak });

const VERIFIED_AT_ONCE = 1_000;
const PRUNED_AT_ONCE = 1_000;

export class Audit {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(parts: { store: Store; clock: Clock }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** Newest first, to be read in pages by cursor. */
  listing(filter: AuditFilter): Listing<AuditRow, "seq"> {
    const { event, account, fromMs, untilMs } = filter;
    const { audit } = this.#store.read;
    return {
      scope: ["audit", event, account?.realm ?? null, account?.id ?? null, fromMs, untilMs],
      order: { key: "seq", descending: true },
      rows: ({ after, limit }) => audit.list(filter, after?.id ?? null, limit),
      count: () => Promise.reject(new Error("the trail is read by cursor, and never counted")),
      position: ({ seq }) => ({ value: seq, id: seq }),
    };
  }

  /** Newest first, from below `beforeSeq`. */
  list(filter: AuditFilter, beforeSeq: number | null, limit: number): Promise<readonly AuditRow[]> {
    return this.#store.read.audit.list(filter, beforeSeq, limit);
  }

  /**
   * Proves the chain from its first row to its last. Without sealers anybody can, and proves less: that nobody
   * changed a row and left the later ones as they were. `noted` is the end of the trail as it was seen before, kept
   * where whoever writes the database cannot reach: it shows that the end was not cut off since.
   */
  async verify(sealers: readonly AuditSealer[] | null, noted: ChainHead | null): Promise<AuditVerdict> {
    for (;;) {
      const [begins] = await this.#store.read.audit.chain(0, 1);
      const verdict = await this.#verifyOnce(sealers, noted);
      if (verdict.sound) return verdict;
      // It is read in portions, and retention may have overtaken them: what it removed was not missing.
      const [beginsNow] = await this.#store.read.audit.chain(0, 1);
      if (begins?.seq === beginsNow?.seq) return verdict;
    }
  }

  async #verifyOnce(sealers: readonly AuditSealer[] | null, noted: ChainHead | null): Promise<AuditVerdict> {
    const check = new ChainCheck(sealers);
    const head = await this.#store.read.audit.head();
    const broken = (await this.#firstBreak(check, noted)) ?? check.finish(head) ?? unseen(check, noted);
    const { rows, firstSeq, last } = check;
    return broken === null
      ? { sound: true, rows, firstSeq, last }
      : { sound: false, rows, firstSeq, last, broken };
  }

  /**
   * Deletes what is older than so many days, some rows a write; answers how many. It begins once the oldest is a day
   * older than that, so that a quiet trail is not kept alive by its own notes about what was deleted.
   */
  async prune(retentionDays: number, stopping?: AbortSignal): Promise<number> {
    const nowMs = this.#clock.nowMs();
    const keptFromMs = nowMs - retentionDays * DAY_MS;
    const believed = await this.#store.read.audit.firstUntil(nowMs + AHEAD_MS);
    if (believed?.row == null || believed.row.atMs >= keptFromMs - DAY_MS) return 0;
    const rule = { keptFromMs, nowMs, believedSeq: believed.seq };
    return inSteps(PRUNED_AT_ONCE, () => this.#pruneSome(rule), stopping);
  }

  /**
   * The deleted rows' place is held by a new one, sealed like any, that names the last of them. Rows that were written
   * while the clock was ahead are no younger than the one behind them, and go with it: else nothing would until their date.
   */
  #pruneSome({ keptFromMs, nowMs, believedSeq }: PruneRule): Promise<number> {
    return this.#store.write(async (tx) => {
      const oldest = await tx.audit.chain(0, PRUNED_AT_ONCE);
      const isOld = ({ seq, row }: ChainedRow) =>
        row !== null && (row.atMs < keptFromMs || seq < believedSeq);
      const isAhead = ({ row }: ChainedRow) => row !== null && row.atMs > nowMs + AHEAD_MS;
      const kept = oldest.findIndex((each) => !isOld(each) && !isAhead(each));
      const before = kept === -1 ? oldest : oldest.slice(0, kept);
      const old = before.slice(0, before.findLastIndex(isOld) + 1);
      const last = old.at(-1)?.row;
      if (last == null || !(await tx.audit.deleteThrough(last.seq))) return 0;
      tx.audit.record({ event: PRUNED, atMs: nowMs, by: OPERATOR, subject: null, detail: released(last) });
      return old.length;
    });
  }

  async #firstBreak(check: ChainCheck, noted: ChainHead | null): Promise<ChainBreak | null> {
    for (let afterSeq = 0; ;) {
      const rows = await this.#store.read.audit.chain(afterSeq, VERIFIED_AT_ONCE);
      for (const { seq, row } of rows) {
        const broken = check.add(seq, row);
        if (broken !== null) return broken;
        if (row !== null && seq === noted?.seq && !Buffer.from(row.hash).equals(noted.hash)) {
          return { seq, why: "it is not the row that was noted" };
        }
        afterSeq = seq;
      }
      if (rows.length < VERIFIED_AT_ONCE) return null;
    }
  }
}

interface PruneRule {
  readonly keptFromMs: number;
  readonly nowMs: number;
  /** The first row whose date can be believed: it is old, and so is all before it. */
  readonly believedSeq: number;
}

function unseen({ firstSeq, last }: ChainCheck, noted: ChainHead | null): ChainBreak | null {
  if (noted === null) return null;
  if (firstSeq !== null && noted.seq < firstSeq) {
    return {
      seq: noted.seq,
      why: "it was noted, and retention has removed it since: nothing is proved by it",
    };
  }
  return noted.seq > (last?.seq ?? 0) ? { seq: noted.seq, why: "it was noted, and is missing" } : null;
}

export function recordOf({ event, atMs, by, subject, detail = {} }: AuditEntry): AuditRecord {
  return {
    atMs,
    event,
    actor: actorOf(by),
    subject: subject === null ? null : { realm: subject.realm, id: subject.id },
    clientAddress: by.clientAddress,
    requestId: by.requestId,
    detail: JSON.stringify(detail),
  };
}

/** What comes by no request comes from the operator's shell, or from the program's own tasks. */
function actorOf({ account, requestId }: Actor): AuditRecord["actor"] {
  if (account !== null) return { kind: account.realm, id: account.id };
  return { kind: requestId === null ? "operator" : "nobody", id: null };
}
