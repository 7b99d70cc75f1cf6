import type { LockoutState } from "../core/lockout.ts";
import type { LoginAttemptWrites } from "../core/store.ts";
import type { Connection } from "./database.ts";
import { integer, integerOrNull } from "./rows.ts";

export function loginAttemptWrites(connection: Connection): LoginAttemptWrites {
  return {
    async lock(realm, subject, nowMs): Promise<LockoutState> {
      // An update that changes nothing takes the row's lock where the engine has such, and a missing row is made: one
      // statement for names that were tried before and names that were not, so that neither takes longer.
      const row = await connection.first(
        `INSERT INTO login_attempts (realm, subject, failures, pending, pending_since_ms, updated_at_ms)
         VALUES ($1, $2, 0, 0, $3, $3)
         ON CONFLICT (realm, subject) DO UPDATE SET failures = login_attempts.failures
         RETURNING failures, pending, pending_since_ms, locked_until_ms, updated_at_ms`,
        [realm, subject, nowMs],
      );
      if (row === null) throw new Error("an upsert into login_attempts answered no row");
      return {
        failures: integer(row, "failures"),
        pending: integer(row, "pending"),
        pendingSinceMs: integer(row, "pending_since_ms"),
        lockedUntilMs: integerOrNull(row, "locked_until_ms"),
        updatedAtMs: integer(row, "updated_at_ms"),
      };
    },

    async clear(realm, subject) {
      await connection.run("DELETE FROM login_attempts WHERE realm = $1 AND subject = $2", [realm, subject]);
    },

    dateBack(aheadMs, nowMs, lockEndMs, limit) {
      return connection.run(
        `UPDATE login_attempts
         SET pending_since_ms = $2, updated_at_ms = $2,
             locked_until_ms = CASE WHEN locked_until_ms > $3 THEN $3 ELSE locked_until_ms END
         WHERE updated_at_ms > $1 AND (realm, subject) IN (
           SELECT realm, subject FROM login_attempts WHERE updated_at_ms > $1 ORDER BY updated_at_ms LIMIT $4
         )`,
        [aheadMs, nowMs, lockEndMs, limit],
      );
    },

    deleteForgotten(untouchedSinceMs, nowMs, limit) {
      // Said twice: what another instance has touched since the inner look is not deleted.
      const forgotten = "updated_at_ms < $1 AND (locked_until_ms IS NULL OR locked_until_ms < $2)";
      return connection.run(
        `DELETE FROM login_attempts WHERE ${forgotten} AND (realm, subject) IN (
           SELECT realm, subject FROM login_attempts WHERE ${forgotten} ORDER BY updated_at_ms LIMIT $3
         )`,
        [untouchedSinceMs, nowMs, limit],
      );
    },

    async save(realm, subject, state) {
      await connection.run(
        `UPDATE login_attempts
         SET failures = $3, pending = $4, pending_since_ms = $5, locked_until_ms = $6, updated_at_ms = $7
         WHERE realm = $1 AND subject = $2`,
        [
          realm,
          subject,
          state.failures,
          state.pending,
          state.pendingSinceMs,
          state.lockedUntilMs,
          state.updatedAtMs,
        ],
      );
    },
  };
}
