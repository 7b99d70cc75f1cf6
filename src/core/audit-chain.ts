import { timingSafeEqual } from "node:crypto";
import type { AuditRecord } from "./audit.ts";

/** A record in its place: it carries the hash of the one before it, its own hash, and the seal on that. */
export interface AuditRow extends AuditRecord {
  readonly seq: number;
  readonly previousHash: Uint8Array;
  /** SHA-256 over all of the row, `previousHash` too: anyone can reckon it. */
  readonly hash: Uint8Array;
  /** HMAC over `hash`: only who has the secret can. */
  readonly keyId: string;
  readonly seal: Uint8Array;
}

export interface ChainHead {
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** What the first row of all follows. */
export const CHAIN_START: ChainHead = { seq: 0, hash: new Uint8Array(32) };

/** Retention leaves this event behind; its detail names the last row that was deleted. */
export const PRUNED = "audit.pruned";

/**
 * Seals rows with a key made from the program's secret. Hashes alone prove only that nobody changed a row without
 * reckoning all later hashes anew, which takes a moment; the seal takes the secret, which is not in the database.
 */
export class AuditSealer {
  readonly keyId: string;
  readonly #keyed: Bun.CryptoHasher;

  constructor(secret: string) {
    const key = new Bun.CryptoHasher("sha256", secret).update("latchkey audit seal 1").digest();
    this.#keyed = new Bun.CryptoHasher("sha256", key);
    this.keyId = this.#keyed.copy().update("key id").digest("hex").slice(0, 16);
  }

  seal(hash: Uint8Array): Uint8Array {
    return this.#keyed.copy().update("row\n").update(hash).digest();
  }
}

export function linked(previous: ChainHead, record: AuditRecord, sealer: AuditSealer): AuditRow {
  const seq = previous.seq + 1;
  const hash = rowHash(seq, record, previous.hash);
  return { ...record, seq, previousHash: previous.hash, hash, keyId: sealer.keyId, seal: sealer.seal(hash) };
}

/** A list in JSON has one spelling, and no two rows have the same. */
function rowHash(seq: number, record: AuditRecord, previousHash: Uint8Array): Uint8Array {
  const { atMs, event, actor, subject, clientAddress, requestId, detail } = record;
  const encoded = JSON.stringify([
    1,
    seq,
    atMs,
    event,
    actor.kind,
    actor.id,
    subject?.realm ?? null,
    subject?.id ?? null,
    clientAddress,
    requestId,
    detail,
    Buffer.from(previousHash).toString("hex"),
  ]);
  return new Bun.CryptoHasher("sha256").update(encoded).digest();
}

export interface ChainBreak {
  /** The first row that is not what it should be. */
  readonly seq: number;
  readonly why: string;
}

/**
 * Looks at the rows of a trail in order, and answers the first that breaks it. Without sealers it looks at the
 * hashes alone.
 */
export class ChainCheck {
  readonly #sealers: ReadonlyMap<string, AuditSealer> | null;
  #first: AuditRow | null = null;
  #last: ChainHead | null = null;
  readonly #released: ChainHead[] = [];
  rows = 0;

  constructor(sealers: readonly AuditSealer[] | null) {
    this.#sealers = sealers === null ? null : new Map(sealers.map((sealer) => [sealer.keyId, sealer]));
  }

  get firstSeq(): number | null {
    return this.#first?.seq ?? null;
  }

  get last(): ChainHead | null {
    return this.#last;
  }

  /** `row` is null where what stands at `seq` cannot be read as a row. */
  add(seq: number, row: AuditRow | null): ChainBreak | null {
    const previous = this.#last;
    if (previous !== null && seq !== previous.seq + 1) return { seq: previous.seq + 1, why: "it is missing" };
    if (row === null) return { seq, why: "it holds what no row can" };
    if (previous !== null && !isSame(row.previousHash, previous.hash)) {
      return { seq, why: "it does not follow from the row before it" };
    }
    if (!isSame(rowHash(seq, row, row.previousHash), row.hash)) {
      return { seq, why: "its content was changed: it does not match its hash" };
    }
    const unproved = this.#problemWithSeal(row);
    if (unproved !== null) return { seq, why: unproved };

    this.#first ??= row;
    this.#last = row;
    this.rows += 1;
    const released = row.event === PRUNED ? releasedBy(row.detail) : null;
    if (released !== null) this.#released.push(released);
    return null;
  }

  /** What no single row shows: whether rows are missing at either end. */
  finish(head: ChainHead): ChainBreak | null {
    const last = this.#last ?? CHAIN_START;
    if (last.seq < head.seq) return { seq: last.seq + 1, why: "it is missing, with all that came after it" };
    const first = this.#first;
    if (first === null) return null;
    if (last.seq === head.seq && !isSame(last.hash, head.hash)) {
      return { seq: last.seq, why: "it is not the row that was written last" };
    }
    const begins = [CHAIN_START, ...this.#released].some(
      ({ seq, hash }) => seq === first.seq - 1 && isSame(hash, first.previousHash),
    );
    if (begins) return null;
    return { seq: first.seq - 1, why: "it is missing, and no retention removed it" };
  }

  #problemWithSeal({ keyId, seal, hash }: AuditRow): string | null {
    if (this.#sealers === null) return null;
    const sealer = this.#sealers.get(keyId);
    if (sealer === undefined) return `it is sealed with a secret that was not given (key ${keyId})`;
    return isSame(sealer.seal(hash), seal) ? null : "its seal is forged: it was not written by this program";
  }
}

/** The detail of a row that retention leaves behind. */
export function released({ seq, hash }: ChainHead) {
  return { through: seq, hash: Buffer.from(hash).toString("hex") };
}

function releasedBy(detail: string): ChainHead | null {
  const { through, hash } =
    /^\{"through":(?<through>\d{1,16}),"hash":"(?<hash>[0-9a-f]{64})"\}$/.exec(detail)?.groups ?? {};
  return through === undefined || hash === undefined
    ? null
    : { seq: Number(through), hash: Buffer.from(hash, "hex") };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
