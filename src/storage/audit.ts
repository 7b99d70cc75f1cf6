import type { Realm } from "../core/accounts.ts";
import { recordOf } from "../core/audit.ts";
import type { AuditEntry, AuditFilter, AuditRecord } from "../core/audit.ts";
import { CHAIN_START, linked } from "../core/audit-chain.ts";
import type { AuditRow, AuditSealer, ChainHead } from "../core/audit-chain.ts";
import type { AuditReads, AuditWrites, ChainedRow } from "../core/store.ts";
import type { Connection, Row, SqlValue } from "./database.ts";
import { bytes, bytesOrNull, integer, integerOrNull, text, textOrNull } from "./rows.ts";

const COLUMNS = `seq, at_ms, event, actor_kind, actor_id, subject_realm, subject_id, client_address, request_id,
  detail, previous_hash, hash, key_id, seal`;

const HEAD = "SELECT head_seq, head_hash FROM audit_chain WHERE id = 1";

export function auditReads(connection: Connection): AuditReads {
  return {
    async list(filter, beforeSeq, limit) {
      const { sql, values } = conditions(filter, beforeSeq);
      const rows = await connection.all(
        `SELECT ${COLUMNS} FROM audit_log ${sql} ORDER BY seq DESC LIMIT $${values.length + 1}`,
        [...values, limit],
      );
      return rows.map((row) => auditRowOrNull(row) ?? unreadable(integer(row, "seq")));
    },

    async chain(afterSeq, limit) {
      const rows = await connection.all(
        `SELECT ${COLUMNS} FROM audit_log WHERE seq > $1 ORDER BY seq LIMIT $2`,
        [afterSeq, limit],
      );
      return rows.map(chained);
    },

    async firstUntil(atMs) {
      const row = await connection.first(
        `SELECT ${COLUMNS} FROM audit_log WHERE at_ms <= $1 ORDER BY seq LIMIT 1`,
        [atMs],
      );
      return row === null ? null : chained(row);
    },

    async head() {
      return headOf(await connection.first(HEAD));
    },
  };
}

function chained(row: Row): ChainedRow {
  return { seq: integer(row, "seq"), row: auditRowOrNull(row) };
}

/** `record` only takes note: `append` writes what was noted, at the end of the transaction. */
export interface AuditNotes extends AuditWrites {
  append(): Promise<void>;
}

export function auditWrites(connection: Connection, sealer: AuditSealer): AuditNotes {
  const noted: AuditEntry[] = [];
  return {
    ...auditReads(connection),

    record(entry) {
      noted.push(entry);
    },

    async append() {
      if (noted.length === 0) return;
      // Whoever locks this row goes on alone until their transaction ends: so it is the last thing that is done.
      let head = headOf(await connection.first(`${HEAD} ${connection.dialect.rowLock}`));
      for (const entry of noted) {
        const row = linked(head, recordOf(entry), sealer);
        await insert(connection, row);
        head = row;
      }
      await connection.run("UPDATE audit_chain SET head_seq = $1, head_hash = $2 WHERE id = 1", [
        head.seq,
        head.hash,
      ]);
    },

    async deleteThrough(seq) {
      const released = await connection.run(
        "UPDATE audit_chain SET released_seq = $1 WHERE id = 1 AND released_seq < $1",
        [seq],
      );
      if (released === 0) return false;
      await connection.run("DELETE FROM audit_log WHERE seq <= $1", [seq]);
      return true;
    },
  };
}

async function insert(connection: Connection, row: AuditRow): Promise<void> {
  await connection.run(
    `INSERT INTO audit_log (${COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      row.seq,
      row.atMs,
      row.event,
      row.actor.kind,
      row.actor.id,
      row.subject?.realm ?? null,
      row.subject?.id ?? null,
      row.clientAddress,
      row.requestId,
      row.detail,
      row.previousHash,
      row.hash,
      row.keyId,
      row.seal,
    ],
  );
}

function conditions(
  { event, account, fromMs, untilMs }: AuditFilter,
  beforeSeq: number | null,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const sql: string[] = [];
  const values: SqlValue[] = [];
  const where = (condition: (place: (value: SqlValue) => string) => string) => {
    sql.push(condition((value) => `$${values.push(value)}`));
  };
  if (event !== null) where((place) => `event = ${place(event)}`);
  if (account !== null) {
    const { realm, id } = account;
    // As an OR of the two SQLite would walk through the whole trail: so each has its own index.
    where(
      (place) => `seq IN (
        SELECT seq FROM audit_log WHERE actor_kind = ${place(realm)} AND actor_id = ${place(id)}
        UNION ALL SELECT seq FROM audit_log WHERE subject_realm = ${place(realm)} AND subject_id = ${place(id)})`,
    );
  }
  if (fromMs !== null) where((place) => `at_ms >= ${place(fromMs)}`);
  if (untilMs !== null) where((place) => `at_ms < ${place(untilMs)}`);
  if (beforeSeq !== null) where((place) => `seq < ${place(beforeSeq)}`);
  return { sql: sql.length === 0 ? "" : `WHERE ${sql.join(" AND ")}`, values };
}

function headOf(row: Row | null): ChainHead {
  if (row === null) throw new Error("audit_chain has lost its row");
  return { seq: integer(row, "head_seq"), hash: bytesOrNull(row, "head_hash") ?? CHAIN_START.hash };
}

/** A row that somebody put there by hand may hold anything. */
function auditRowOrNull(row: Row): AuditRow | null {
  try {
    return auditRow(row);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** Stands in a list for a row that was spoilt by hand: whoever did that must not hide the others with it. */
function unreadable(seq: number): AuditRow {
  const nothing = new Uint8Array(0);
  return {
    seq,
    atMs: 0,
    event: "audit.unreadable",
    actor: { kind: "nobody", id: null },
    subject: null,
    clientAddress: null,
    requestId: null,
    detail: "{}",
    previousHash: nothing,
    hash: nothing,
    keyId: "",
    seal: nothing,
  };
}

function auditRow(row: Row): AuditRow {
  const subjectRealm = textOrNull(row, "subject_realm");
  return {
    seq: integer(row, "seq"),
    atMs: instant(integer(row, "at_ms")),
    event: text(row, "event"),
    actor: { kind: actorKind(text(row, "actor_kind")), id: integerOrNull(row, "actor_id") },
    subject:
      subjectRealm === null ? null : { realm: realm(subjectRealm), id: integerOrNull(row, "subject_id") },
    clientAddress: textOrNull(row, "client_address"),
    requestId: textOrNull(row, "request_id"),
    detail: text(row, "detail"),
    previousHash: bytes(row, "previous_hash"),
    hash: bytes(row, "hash"),
    keyId: text(row, "key_id"),
    seal: bytes(row, "seal"),
  };
}

/** A whole number can be further away than any date. */
function instant(ms: number): number {
  if (Number.isNaN(new Date(ms).getTime())) throw new TypeError("a row of audit_log holds no time");
  return ms;
}

function actorKind(value: string): AuditRecord["actor"]["kind"] {
  return value === "operator" || value === "nobody" ? value : realm(value);
}

function realm(value: string): Realm {
  if (value === "user" || value === "admin") return value;
  throw new TypeError("a row of audit_log names no known realm");
}
