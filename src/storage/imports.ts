import { usernameKey } from "../core/identity.ts";
import { TARGET_TABLE } from "../core/import/mapping.ts";
import type { ImportNoun } from "../core/import/mapping.ts";
import type {
  AccountNames,
  ImportReads,
  ImportWrites,
  KnownTable,
  Placed,
  PlacedOwned,
} from "../core/import/ports.ts";
import type { AccountDraft } from "../core/import/rows.ts";
import { searchKey } from "../core/search.ts";
import { nameKeyOrNull } from "./accounts.ts";
import { listed, lots, places } from "./batches.ts";
import type { Connection, Database, Row, SqlValue } from "./database.ts";
import { idsOf } from "./ids.ts";
import type { Numbered } from "./ids.ts";
import { integer, text } from "./rows.ts";
import { total } from "./total.ts";

const ACCOUNT_COLUMNS = `id, email, username, username_key, name, name_key, phone, password_hash, role, is_active,
  created_at_ms, updated_at_ms, deleted_at_ms, credentials_version`;
const TODO_COLUMNS = `id, user_id, title, title_key, description, description_key, completed, priority,
  created_at_ms, updated_at_ms`;
const ITEM_COLUMNS = "id, user_id, name, description, created_at_ms, updated_at_ms";

export function importReads(connection: Connection, engine: Database["engine"]): ImportReads {
  const inUse = async (table: string, column: string, values: Iterable<SqlValue>) => {
    const wanted = [...values];
    if (wanted.length === 0) return [];
    const asked = listed(wanted, 1);
    return connection.all(`SELECT ${column} FROM ${table} WHERE ${column} IN ${asked.sql}`, asked.values);
  };
  const texts = async (table: string, column: string, values: Iterable<string>) =>
    new Set((await inUse(table, column, values)).map((row) => text(row, column)));
  const numbers = async (table: string, values: Iterable<number>) =>
    new Set((await inUse(table, "id", values)).map((row) => integer(row, "id")));

  return {
    async table(source, table, noun) {
      const lastId = await idsOf(connection, engine, numbered(noun)).last();
      const row = await connection.first(
        "SELECT id, ids_above, ids_up_to FROM imports WHERE source = $1 AND source_table = $2",
        [source, table],
      );
      return row === null
        ? { id: null, idsAbove: lastId, idsUpTo: lastId, lastId }
        : { ...knownTable(row), lastId };
    },

    countTaken: (tableId) =>
      total(connection, "SELECT COUNT(*) AS total FROM imported_rows WHERE import_id = $1", [tableId]),

    async taken(tableId, keys) {
      const asked = listed(keys, 2);
      const rows = await connection.all(
        `SELECT source_key, target_id FROM imported_rows WHERE import_id = $1 AND source_key IN ${asked.sql}`,
        [tableId, ...asked.values],
      );
      return new Map(rows.map((row) => [text(row, "source_key"), integer(row, "target_id")]));
    },

    async namesInUse(realm, { ids, emails, usernameKeys, phones }): Promise<AccountNames> {
      const table = TARGET_TABLE[realm];
      return {
        ids: await numbers(table, ids),
        emails: await texts(table, "email", emails),
        usernameKeys: await texts(table, "username_key", usernameKeys),
        phones: await texts(table, "phone", phones),
      };
    },

    idsInUse: (noun, ids) => numbers(TARGET_TABLE[noun], ids),
  };
}

export function importWrites(connection: Connection, engine: Database["engine"]): ImportWrites {
  const reads = importReads(connection, engine);
  const insert = async (into: string, rows: readonly (readonly SqlValue[])[]) => {
    for (const lot of lots(rows)) {
      await connection.run(`INSERT INTO ${into} VALUES ${places(lot)}`, lot.flat());
    }
  };

  return {
    ...reads,

    async begin(source, table, noun, idsUpTo, nowMs): Promise<KnownTable> {
      // The table's row first, as in every batch: of two that want both, none waits for the other.
      const inserted = await connection.run(
        `INSERT INTO imports (source, source_table, ids_above, ids_up_to, started_at_ms) VALUES ($1, $2, 0, 0, $3)
         ON CONFLICT (source, source_table) DO NOTHING`,
        [source, table, nowMs],
      );
      const row = await connection.first(
        "UPDATE imports SET ids_up_to = ids_up_to WHERE source = $1 AND source_table = $2 RETURNING id, ids_above, ids_up_to",
        [source, table],
      );
      if (row === null) throw new Error("an import that was begun has no row");
      const ids = idsOf(connection, engine, numbered(noun));
      const lastId = await ids.hold();
      const known =
        inserted === 1 ? { ...knownTable(row), idsAbove: lastId, idsUpTo: lastId } : knownTable(row);
      await ids.raise(idsUpTo);
      // Where others were given ids behind the range it does not grow over those: it holds none that was anybody's.
      const upTo = lastId > known.idsUpTo ? known.idsUpTo : Math.max(known.idsUpTo, idsUpTo);
      await connection.run("UPDATE imports SET ids_above = $2, ids_up_to = $3 WHERE id = $1", [
        known.id,
        known.idsAbove,
        upTo,
      ]);
      return { ...known, lastId };
    },

    async lock(tableId) {
      await connection.first(`SELECT id FROM imports WHERE id = $1 ${connection.dialect.rowLock}`, [tableId]);
    },

    newIds: (noun, count) => idsOf(connection, engine, numbered(noun)).take(count),

    // Their own times are of before, and say nothing of who had their ids here, if a backup was restored since.
    insertAccounts: (realm, accounts, nowMs) =>
      insert(
        `${TARGET_TABLE[realm]} (${ACCOUNT_COLUMNS})`,
        accounts.map((account) => [...accountRow(account), nowMs]),
      ),

    insertOwned: (noun, rows) =>
      noun === "todo"
        ? insert(`todos (${TODO_COLUMNS})`, rows.map(todoRow))
        : insert(`items (${ITEM_COLUMNS})`, rows.map(itemRow)),

    note: (tableId, rows) =>
      insert(
        "imported_rows (import_id, source_key, target_id)",
        rows.map(({ key, id }) => [tableId, key, id]),
      ),
  };
}

function knownTable(row: Row) {
  return {
    id: integer(row, "id"),
    idsAbove: integer(row, "ids_above"),
    idsUpTo: integer(row, "ids_up_to"),
  };
}

function accountRow(account: Placed<AccountDraft>): readonly SqlValue[] {
  const { id, email, username, name, phone, passwordHash, role, isActive } = account;
  return [
    id,
    email,
    username,
    username === null ? null : usernameKey(username),
    name,
    nameKeyOrNull(name),
    phone,
    passwordHash,
    role,
    isActive,
    account.createdAtMs,
    account.updatedAtMs,
    account.deletedAtMs,
  ];
}

function todoRow(todo: PlacedOwned): readonly SqlValue[] {
  const { id, accountId, title, description, completed, priority, createdAtMs, updatedAtMs } = todo;
  const keys = { title: searchKey(title), description: description === null ? null : searchKey(description) };
  return [
    id,
    accountId,
    title,
    keys.title,
    description,
    keys.description,
    completed,
    priority,
    createdAtMs,
    updatedAtMs,
  ];
}

function itemRow(item: PlacedOwned): readonly SqlValue[] {
  const { id, accountId, title, description, createdAtMs, updatedAtMs } = item;
  return [id, accountId, title, description, createdAtMs, updatedAtMs];
}

function numbered(noun: ImportNoun): Numbered {
  return { name: TARGET_TABLE[noun], ids: "id" };
}
