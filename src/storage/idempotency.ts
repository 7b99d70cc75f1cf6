import type { KeptAnswer } from "../core/idempotency.ts";
import type { IdempotencyReads, IdempotencyWrites } from "../core/store.ts";
import type { Connection, Row } from "./database.ts";
import { bytes, integer, text, textOrNull } from "./rows.ts";

export function idempotencyReads(connection: Connection): IdempotencyReads {
  return {
    async find({ key, owner, fingerprint }, nowMs) {
      // The owner's own key, or the same request from another address; the latter says more.
      const row = await connection.first(
        `SELECT fingerprint, status, headers, body FROM idempotency_keys
         WHERE key = $1 AND expires_at_ms > $2 AND (owner = $3 OR fingerprint = $4)
         ORDER BY CASE WHEN fingerprint = $4 THEN 0 ELSE 1 END LIMIT 1`,
        [key, nowMs, owner, fingerprint],
      );
      if (row === null) return null;
      return {
        isSameRequest: Buffer.from(bytes(row, "fingerprint")).equals(fingerprint),
        answer: keptAnswer(row),
      };
    },
  };
}

export function idempotencyWrites(connection: Connection): IdempotencyWrites {
  return {
    ...idempotencyReads(connection),

    async keep({ key, owner, fingerprint, answer, createdAtMs, expiresAtMs }) {
      const { status, headers, body } = answer;
      const kept = await connection.run(
        `INSERT INTO idempotency_keys
           (key, owner, fingerprint, status, headers, body, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (key, owner) DO UPDATE SET
           fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
           body = excluded.body, created_at_ms = excluded.created_at_ms, expires_at_ms = excluded.expires_at_ms
         WHERE idempotency_keys.expires_at_ms <= excluded.created_at_ms`,
        [key, owner, fingerprint, status, JSON.stringify(headers), body, createdAtMs, expiresAtMs],
      );
      return kept === 1;
    },

    deleteExpired: (nowMs, limit) =>
      connection.run(
        `DELETE FROM idempotency_keys WHERE (key, owner) IN (
           SELECT key, owner FROM idempotency_keys WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2
         )`,
        [nowMs, limit],
      ),
  };
}

function keptAnswer(row: Row): KeptAnswer {
  return {
    status: integer(row, "status"),
    headers: headersOf(text(row, "headers")),
    body: textOrNull(row, "body"),
  };
}

function headersOf(json: string): Record<string, string> {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed !== "object" || parsed === null) throw new TypeError("column headers holds no object");
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]));
}
