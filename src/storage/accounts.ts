import type { Account, Realm, Role } from "../core/accounts.ts";
import { normalEmail, usernameKey } from "../core/identity.ts";
import { nameKey } from "../core/search.ts";
import type { AccountReads, AccountRowChange, AccountWrites, NewAccount } from "../core/store.ts";
import { assignments } from "./assignments.ts";
import { listed, lots } from "./batches.ts";
import type { Connection, Row, SqlValue, WriteConnection } from "./database.ts";
import { ownerColumn, personalToken, TOKEN_COLUMNS } from "./personal-tokens.ts";
import { boolean, integer, integerOrNull, text, textOrNull } from "./rows.ts";
import { readSlice } from "./slices.ts";
import { total } from "./total.ts";

/** The realms are two tables of one shape. The name comes from this list alone, never from a request. */
const TABLE: Readonly<Record<Realm, string>> = { user: "users", admin: "admins" };

/** What refers to an account, and goes with it for good; a test holds this to the schema. */
export const DEPENDENTS: Readonly<Record<Realm, readonly (readonly [table: string, column: string])[]>> = {
  user: [
    ["todos", "user_id"],
    ["items", "user_id"],
    ["sessions", "user_id"],
    ["personal_tokens", "user_id"],
  ],
  admin: [["personal_tokens", "admin_id"]],
};

export const ACCOUNT_COLUMNS = `a.id, a.email, a.username, a.name, a.phone, a.avatar, a.role, a.is_active,
  a.credentials_version, a.created_at_ms, a.updated_at_ms, a.deleted_at_ms, a.version`;

/** The same without the alias, as `RETURNING` wants them. */
const OWN_COLUMNS = ACCOUNT_COLUMNS.replaceAll("a.", "");

/** What every request asks: whole texts, not put together each time, since a statement is found again by its text. */
const STATEMENTS: Readonly<Record<Realm, ReturnType<typeof statements>>> = {
  user: statements(TABLE.user),
  admin: statements(TABLE.admin),
};

function statements(table: string) {
  return {
    selectById: `SELECT ${ACCOUNT_COLUMNS} FROM ${table} a WHERE a.id = $1`,
    selectByTokenOfSession: `SELECT ${ACCOUNT_COLUMNS},
      CASE WHEN s.id IS NOT NULL AND s.ended_at_ms IS NULL THEN 1 ELSE 0 END AS session_open
      FROM ${table} a LEFT JOIN sessions s ON s.id = $2 AND s.user_id = a.id WHERE a.id = $1`,
  };
}

/** A name as a search sees it: of each engine's own functions one lowers ASCII alone. */
type ChangedColumns = AccountRowChange & { readonly nameKey?: string | null };

const COLUMN_OF: Readonly<Record<keyof ChangedColumns, string>> = {
  email: "email",
  username: "username",
  usernameKey: "username_key",
  name: "name",
  nameKey: "name_key",
  phone: "phone",
  avatar: "avatar",
  role: "role",
  isActive: "is_active",
};

export function accountReads(connection: Connection, realm: Realm): AccountReads {
  const table = TABLE[realm];
  const { selectById, selectByTokenOfSession } = STATEMENTS[realm];
  const one = async (sql: string, value: string | number): Promise<Account | null> => {
    const row = await connection.first(sql, [value]);
    return row === null ? null : accountOf(realm, row);
  };
  const byId = (id: number) => one(selectById, id);

  return {
    async any() {
      return (await connection.first(`SELECT 1 AS found FROM ${table} LIMIT 1`)) !== null;
    },

    byId,

    byName(name) {
      const { column, value } = lookUp(name);
      return one(`SELECT ${ACCOUNT_COLUMNS} FROM ${table} a WHERE a.${column} = $1`, value);
    },

    async list(deleted, afterId, limit) {
      const rows = await connection.all(
        `SELECT ${ACCOUNT_COLUMNS} FROM ${table} a
         WHERE a.deleted_at_ms IS ${deleted ? "NOT NULL" : "NULL"} AND a.id > $1 ORDER BY a.id LIMIT $2`,
        [afterId, limit],
      );
      return rows.map((row) => accountOf(realm, row));
    },

    async credentialsByName(name) {
      const { column, value } = lookUp(name.trim());
      const row = await connection.first(
        `SELECT ${ACCOUNT_COLUMNS}, a.password_hash FROM ${table} a
         WHERE a.${column} = $1 AND a.deleted_at_ms IS NULL`,
        [value],
      );
      return row === null
        ? null
        : { account: accountOf(realm, row), passwordHash: text(row, "password_hash") };
    },

    async passwordHash(id) {
      const row = await connection.first(`SELECT password_hash FROM ${table} WHERE id = $1`, [id]);
      return row === null ? null : text(row, "password_hash");
    },

    async byToken(id, sessionId) {
      if (sessionId === null) {
        const account = await byId(id);
        return account === null ? null : { account, sessionOpen: true };
      }
      const row = await connection.first(selectByTokenOfSession, [id, sessionId]);
      return row === null
        ? null
        : { account: accountOf(realm, row), sessionOpen: boolean(row, "session_open") };
    },

    async liveSlice(slice) {
      const selection = {
        columns: ACCOUNT_COLUMNS,
        from: `${table} a`,
        where: "deleted_at_ms IS NULL",
        values: [],
        sortedBy: { created_at: "created_at_ms" },
      };
      return (await readSlice(connection, selection, slice)).map((row) => accountOf(realm, row));
    },

    liveCount: () => total(connection, `SELECT COUNT(*) AS total FROM ${table} WHERE deleted_at_ms IS NULL`),

    async firstAtMs() {
      const row = await connection.first(`SELECT created_at_ms FROM ${table} ORDER BY id LIMIT 1`);
      return row === null ? null : integer(row, "created_at_ms");
    },

    async avatarsAmong(files) {
      const named: string[] = [];
      for (const lot of lots(files)) {
        const asked = listed(lot, 1);
        const rows = await connection.all(
          `SELECT avatar FROM ${table} WHERE avatar IN ${asked.sql}`,
          asked.values,
        );
        named.push(...rows.map((row) => text(row, "avatar")));
      }
      return named;
    },

    async byPersonalToken(tokenHash) {
      const row = await connection.first(
        `SELECT ${ACCOUNT_COLUMNS}, ${TOKEN_COLUMNS} FROM personal_tokens t
         JOIN ${table} a ON a.id = t.${ownerColumn(realm)} WHERE t.token_hash = $1`,
        [tokenHash],
      );
      return row === null ? null : { account: accountOf(realm, row), token: personalToken(row) };
    },
  };
}

export function accountWrites(connection: WriteConnection, realm: Realm): AccountWrites {
  const table = TABLE[realm];
  const changed = async (assignments: string, condition: string, values: readonly SqlValue[]) => {
    const row = await connection.first(
      `UPDATE ${table} SET version = version + 1, ${assignments} WHERE ${condition} RETURNING ${OWN_COLUMNS}`,
      values,
    );
    return row === null ? null : accountOf(realm, row);
  };

  return {
    ...accountReads(connection, realm),

    async lock(id) {
      const row = await connection.first(
        `SELECT ${OWN_COLUMNS} FROM ${table} WHERE id = $1 ${connection.dialect.rowLock}`,
        [id],
      );
      return row === null ? null : accountOf(realm, row);
    },

    update(id, change, nowMs, { which = "live", atVersion } = {}) {
      const row: ChangedColumns =
        change.name === undefined ? change : { ...change, nameKey: nameKeyOrNull(change.name) };
      const { sql, values } = assignments(row, COLUMN_OF, 3);
      const all = ["updated_at_ms = $2", ...sql].join(", ");
      const living = which === "any" ? "" : " AND deleted_at_ms IS NULL";
      const version = versionGuard(atVersion, values.length + 3);
      return changed(all, `id = $1${living}${version.sql}`, [id, nowMs, ...values, ...version.values]);
    },

    delete(id, nowMs, atVersion) {
      const guard = versionGuard(atVersion, 3);
      return changed(
        `deleted_at_ms = $2, avatar = NULL, ${newCredentials("$2")}`,
        `id = $1 AND deleted_at_ms IS NULL${guard.sql}`,
        [id, nowMs, ...guard.values],
      );
    },

    restore: (id, nowMs) =>
      changed("deleted_at_ms = NULL, updated_at_ms = $2", "id = $1 AND deleted_at_ms IS NOT NULL", [
        id,
        nowMs,
      ]),

    async insert(given: NewAccount) {
      const {
        email,
        username,
        name,
        phone,
        avatar = null,
        role = realm,
        isActive = true,
        createdAtMs,
      } = given;
      // By the clock, as any later one: an id that is given again after a restore was another's.
      const credentialsVersion = Math.max(1, createdAtMs);
      const id = await connection.insert(
        `INSERT INTO ${table}
           (email, username, username_key, name, name_key, phone, avatar, password_hash, role, is_active,
            credentials_version, created_at_ms, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)`,
        [
          email,
          username,
          given.usernameKey,
          name,
          nameKeyOrNull(name),
          phone,
          avatar,
          given.passwordHash,
          role,
          isActive,
          credentialsVersion,
          createdAtMs,
        ],
      );
      return {
        realm,
        id,
        email,
        username,
        name,
        phone,
        avatar,
        role,
        isActive,
        credentialsVersion,
        createdAtMs,
        updatedAtMs: null,
        deletedAtMs: null,
        version: 1,
      };
    },

    async purge(id) {
      // Nothing is removed from a live account, whatever happens between a look and this.
      const deleted = `(SELECT id FROM ${table} WHERE id = $1 AND deleted_at_ms IS NOT NULL)`;
      for (const [dependent, column] of DEPENDENTS[realm]) {
        await connection.run(`DELETE FROM ${dependent} WHERE ${column} IN ${deleted}`, [id]);
      }
      return (
        (await connection.run(`DELETE FROM ${table} WHERE id = $1 AND deleted_at_ms IS NOT NULL`, [id])) === 1
      );
    },

    setPassword: (id, passwordHash, nowMs) =>
      changed(`password_hash = $2, ${newCredentials("$3")}, updated_at_ms = $3`, "id = $1", [
        id,
        passwordHash,
        nowMs,
      ]),

    async replaceHash(id, oldHash, newHash) {
      await connection.run(`UPDATE ${table} SET password_hash = $3 WHERE id = $1 AND password_hash = $2`, [
        id,
        oldHash,
        newHash,
      ]);
    },
  };
}

/** No username holds an `@`, so a name is one or the other and each look-up has its own index. */
function lookUp(name: string): { readonly column: "email" | "username_key"; readonly value: string } {
  return name.includes("@")
    ? { column: "email", value: normalEmail(name) }
    : { column: "username_key", value: usernameKey(name) };
}

export function nameKeyOrNull(name: string | null): string | null {
  return name === null ? null : nameKey(name);
}

/**
 * A version by the clock, not one more than the last: where a database of yesterday was restored, what changes next
 * would have the number of what was lost, and the tokens of that would be good again.
 */
function newCredentials(nowMs: string): string {
  return `credentials_version = CASE WHEN credentials_version < ${nowMs} THEN ${nowMs} ELSE credentials_version + 1 END`;
}

function versionGuard(atVersion: number | undefined, placeholder: number) {
  return atVersion === undefined
    ? { sql: "", values: [] }
    : { sql: ` AND version = $${placeholder}`, values: [atVersion] };
}

export function accountOf(realm: Realm, row: Row): Account {
  return {
    realm,
    id: integer(row, "id"),
    email: text(row, "email"),
    username: textOrNull(row, "username"),
    name: textOrNull(row, "name"),
    phone: textOrNull(row, "phone"),
    avatar: textOrNull(row, "avatar"),
    role: role(text(row, "role")),
    isActive: boolean(row, "is_active"),
    credentialsVersion: integer(row, "credentials_version"),
    createdAtMs: integer(row, "created_at_ms"),
    updatedAtMs: integerOrNull(row, "updated_at_ms"),
    deletedAtMs: integerOrNull(row, "deleted_at_ms"),
    version: integer(row, "version"),
  };
}

function role(value: string): Role {
  if (value === "user" || value === "admin") return value;
  throw new TypeError("column role holds no known role");
}
