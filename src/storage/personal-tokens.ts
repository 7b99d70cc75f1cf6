import type { Realm } from "../core/accounts.ts";
import { isScope } from "../core/caller.ts";
import type { Scope } from "../core/caller.ts";
import type { PersonalToken } from "../core/personal-tokens.ts";
import type { PersonalTokenReads, PersonalTokenWrites } from "../core/store.ts";
import type { Connection, Row, WriteConnection } from "./database.ts";
import { integer, integerOrNull, text, textOrNull } from "./rows.ts";

const OWNER: Readonly<Record<Realm, string>> = { user: "user_id", admin: "admin_id" };

/** As `token_…`, so that they can stand beside an account's. */
export const TOKEN_COLUMNS = `t.id AS token_id, t.user_id AS token_user_id, t.admin_id AS token_admin_id,
  t.name AS token_name, t.prefix AS token_prefix, t.scopes AS token_scopes, t.created_at_ms AS token_created_at_ms,
  t.expires_at_ms AS token_expires_at_ms, t.last_used_at_ms AS token_last_used_at_ms`;

const OWN_COLUMNS = TOKEN_COLUMNS.replaceAll("t.", "");

/** The column that names a token's owner, for a join. */
export function ownerColumn(realm: Realm): string {
  return OWNER[realm];
}

export function personalTokenReads(connection: Connection): PersonalTokenReads {
  return {
    async ofAccount(realm, accountId) {
      const rows = await connection.all(
        `SELECT ${TOKEN_COLUMNS} FROM personal_tokens t WHERE t.${OWNER[realm]} = $1 ORDER BY t.id DESC`,
        [accountId],
      );
      return rows.map(personalToken);
    },
  };
}

export function personalTokenWrites(connection: WriteConnection): PersonalTokenWrites {
  return {
    ...personalTokenReads(connection),

    async insert({ realm, accountId, name, prefix, tokenHash, scopes, createdAtMs, expiresAtMs }) {
      const id = await connection.insert(
        `INSERT INTO personal_tokens
           (${OWNER[realm]}, name, prefix, token_hash, scopes, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [accountId, name, prefix, tokenHash, scopes?.join(" ") ?? null, createdAtMs, expiresAtMs],
      );
      return { id, realm, accountId, name, prefix, scopes, createdAtMs, expiresAtMs, lastUsedAtMs: null };
    },

    async delete(realm, accountId, id) {
      const row = await connection.first(
        `DELETE FROM personal_tokens WHERE id = $1 AND ${OWNER[realm]} = $2 RETURNING ${OWN_COLUMNS}`,
        [id, accountId],
      );
      return row === null ? null : personalToken(row);
    },

    deleteAll(realm, accountId) {
      return connection.run(`DELETE FROM personal_tokens WHERE ${OWNER[realm]} = $1`, [accountId]);
    },

    async noteUse(id, usedAtMs) {
      await connection.run(
        `UPDATE personal_tokens SET last_used_at_ms = $2
         WHERE id = $1 AND (last_used_at_ms IS NULL OR last_used_at_ms < $2)`,
        [id, usedAtMs],
      );
    },

    deleteExpired(nowMs, limit) {
      return connection.run(
        `DELETE FROM personal_tokens WHERE id IN (
           SELECT id FROM personal_tokens WHERE expires_at_ms <= $1 ORDER BY expires_at_ms LIMIT $2
         )`,
        [nowMs, limit],
      );
    },
  };
}

export function personalToken(row: Row): PersonalToken {
  const userId = integerOrNull(row, "token_user_id");
  const scopes = textOrNull(row, "token_scopes");
  return {
    id: integer(row, "token_id"),
    realm: userId === null ? "admin" : "user",
    accountId: userId ?? integer(row, "token_admin_id"),
    name: textOrNull(row, "token_name"),
    prefix: text(row, "token_prefix"),
    scopes:
      scopes === null
        ? null
        : scopes
            .split(" ")
            .filter((word) => word !== "")
            .map(scope),
    createdAtMs: integer(row, "token_created_at_ms"),
    expiresAtMs: integerOrNull(row, "token_expires_at_ms"),
    lastUsedAtMs: integerOrNull(row, "token_last_used_at_ms"),
  };
}

function scope(word: string): Scope {
  if (isScope(word)) return word;
  throw new TypeError("column scopes holds no known scope");
}
