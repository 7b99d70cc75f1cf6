import type { RefreshToken, Session, SessionKind } from "../core/sessions.ts";
import type { SessionReads, SessionWrites } from "../core/store.ts";
import { listed } from "./batches.ts";
import type { Connection, Row, WriteConnection } from "./database.ts";
import { integer, integerOrNull, text, textOrNull } from "./rows.ts";
import { total } from "./total.ts";

const COLUMNS = `s.id, s.user_id, s.kind, s.created_at_ms, s.last_used_at_ms, s.ends_at_ms, s.ended_at_ms,
  s.client_address, s.user_agent`;

export function sessionReads(connection: Connection): SessionReads {
  return {
    async byId(id) {
      const row = await connection.first(`SELECT ${COLUMNS} FROM sessions s WHERE s.id = $1`, [id]);
      return row === null ? null : session(row);
    },

    async openOf(accountId, nowMs) {
      const rows = await connection.all(
        `SELECT ${COLUMNS} FROM sessions s WHERE s.user_id = $1 AND s.ended_at_ms IS NULL AND EXISTS (
           SELECT 1 FROM refresh_tokens t
           WHERE t.session_id = s.id AND t.used_at_ms IS NULL AND t.expires_at_ms > $2
         ) ORDER BY s.id DESC`,
        [accountId, nowMs],
      );
      return rows.map(session);
    },

    async token(tokenHash) {
      const row = await connection.first(
        `SELECT ${COLUMNS}, t.id AS token_id, t.expires_at_ms, t.used_at_ms
         FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id WHERE t.token_hash = $1`,
        [tokenHash],
      );
      return row === null ? null : { session: session(row), token: refreshToken(row) };
    },

    // Both are counted off an index, while the rows themselves would have to be read for a condition on them.
    countOpen: () =>
      total(
        connection,
        `SELECT (SELECT COUNT(*) FROM sessions)
              - (SELECT COUNT(*) FROM sessions WHERE ended_at_ms IS NOT NULL) AS total`,
      ),
  };
}

export function sessionWrites(connection: WriteConnection): SessionWrites {
  return {
    ...sessionReads(connection),

    async insert({ accountId, kind, createdAtMs, endsAtMs, clientAddress, userAgent }) {
      const id = await connection.insert(
        `INSERT INTO sessions
           (user_id, kind, created_at_ms, last_used_at_ms, ends_at_ms, client_address, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, $6)`,
        [accountId, kind, createdAtMs, endsAtMs, clientAddress, userAgent],
      );
      return {
        id,
        accountId,
        kind,
        createdAtMs,
        lastUsedAtMs: createdAtMs,
        endsAtMs,
        endedAtMs: null,
        clientAddress,
        userAgent,
      };
    },

    async insertToken({ sessionId, tokenHash, createdAtMs, expiresAtMs }) {
      await connection.run(
        "INSERT INTO refresh_tokens (session_id, token_hash, created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4)",
        [sessionId, tokenHash, createdAtMs, expiresAtMs],
      );
    },

    async useToken(tokenId, nowMs) {
      const used = await connection.run(
        "UPDATE refresh_tokens SET used_at_ms = $2 WHERE id = $1 AND used_at_ms IS NULL",
        [tokenId, nowMs],
      );
      return used === 1;
    },

    async touch(sessionId, nowMs) {
      await connection.run("UPDATE sessions SET last_used_at_ms = $2 WHERE id = $1", [sessionId, nowMs]);
    },

    async end(sessionId, nowMs) {
      const ended = await connection.run(
        "UPDATE sessions SET ended_at_ms = $2 WHERE id = $1 AND ended_at_ms IS NULL",
        [sessionId, nowMs],
      );
      return ended === 1;
    },

    endAll(accountId, nowMs, exceptSessionId) {
      return connection.run(
        "UPDATE sessions SET ended_at_ms = $2 WHERE user_id = $1 AND ended_at_ms IS NULL AND id <> $3",
        // No session has the id 0.
        [accountId, nowMs, exceptSessionId ?? 0],
      );
    },

    async endedBefore(endedBeforeMs, limit) {
      const rows = await connection.all(
        "SELECT id FROM sessions WHERE ended_at_ms < $1 ORDER BY ended_at_ms LIMIT $2",
        [endedBeforeMs, limit],
      );
      return rows.map((row) => integer(row, "id"));
    },

    async expiredBefore(expiredBeforeMs, limit) {
      const rows = await connection.all(
        `SELECT t.session_id FROM refresh_tokens t
         WHERE t.used_at_ms IS NULL AND t.expires_at_ms < $1 AND NOT EXISTS (
           SELECT 1 FROM refresh_tokens o
           WHERE o.session_id = t.session_id AND o.used_at_ms IS NULL AND o.expires_at_ms >= $1
         ) ORDER BY t.expires_at_ms LIMIT $2`,
        [expiredBeforeMs, limit],
      );
      // A reuse that was forgiven leaves a session with two of them.
      return [...new Set(rows.map((row) => integer(row, "session_id")))];
    },

    deleteUsedTokens(sessionIds, limit) {
      const sessions = listed(sessionIds, 2);
      return connection.run(
        `DELETE FROM refresh_tokens WHERE id IN (
           SELECT id FROM refresh_tokens WHERE session_id IN ${sessions.sql} AND used_at_ms IS NOT NULL LIMIT $1
         )`,
        [limit, ...sessions.values],
      );
    },

    deleteWithoutUsed(sessionIds) {
      const sessions = listed(sessionIds, 1);
      return connection.run(
        `DELETE FROM sessions WHERE id IN ${sessions.sql} AND NOT EXISTS (
           SELECT 1 FROM refresh_tokens t WHERE t.session_id = sessions.id AND t.used_at_ms IS NOT NULL
         )`,
        sessions.values,
      );
    },
  };
}

function session(row: Row): Session {
  return {
    id: integer(row, "id"),
    accountId: integer(row, "user_id"),
    kind: kind(text(row, "kind")),
    createdAtMs: integer(row, "created_at_ms"),
    lastUsedAtMs: integer(row, "last_used_at_ms"),
    endsAtMs: integerOrNull(row, "ends_at_ms"),
    endedAtMs: integerOrNull(row, "ended_at_ms"),
    clientAddress: textOrNull(row, "client_address"),
    userAgent: textOrNull(row, "user_agent"),
  };
}

function refreshToken(row: Row): RefreshToken {
  return {
    id: integer(row, "token_id"),
    sessionId: integer(row, "id"),
    expiresAtMs: integer(row, "expires_at_ms"),
    usedAtMs: integerOrNull(row, "used_at_ms"),
  };
}

function kind(value: string): SessionKind {
  if (value === "cookie" || value === "rotating") return value;
  throw new TypeError("column kind holds no known kind of session");
}
