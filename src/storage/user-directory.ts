import type { Account } from "../core/accounts.ts";
import type { Slice } from "../core/pages.ts";
import { nameKey } from "../core/search.ts";
import type { UserDirectoryReads, UserDirectoryWrites, UserFilter } from "../core/store.ts";
import { ACCOUNT_COLUMNS, accountOf } from "./accounts.ts";
import type { Connection, Database, SqlValue } from "./database.ts";
import { mergeSearchIndexes } from "./search-index.ts";
import { readSlice } from "./slices.ts";
import { total } from "./total.ts";
import { fewCandidates, LONG_RUN } from "./user-candidates.ts";
import { searchedPortions } from "./user-portions.ts";

/** Nobody reads so many pages of a search; what there is beyond is found by its cursor all the same. */
const COUNTED_AT_MOST = 10_000;

/** The index of a search holds runs of three letters, among which those special to `LIKE` do not count. */
const INDEXED = /[^%_\\]{3}/u;

/** On PostgreSQL the runs of so many users are taken apart where it does without their index: in 3 ms. */
const TAKEN_APART = 200;

export function userDirectoryReads(connection: Connection, engine: Database["engine"]): UserDirectoryReads {
  return {
    async users(filter, slice) {
      const { search } = filter;
      if (search === null) return usersOf(connection, everyone(filter), slice);
      const sought = nameKey(search);
      if (engine === "postgres")
        return usersOf(connection, byPostgres(filter, sought, slice.offset + slice.limit), slice);
      const few = await fewCandidates(connection, sought);
      return few === null
        ? usersByPortions(connection, filter, sought, slice)
        : usersOf(connection, among(few, filter, sought), slice);
    },

    async count(filter) {
      const { search } = filter;
      if (search === null) return countAll(connection, filter);
      const sought = nameKey(search);
      if (engine === "postgres") return countOf(connection, byPostgres(filter, sought, COUNTED_AT_MOST));
      const few = await fewCandidates(connection, sought);
      if (few !== null) return countOf(connection, among(few, filter, sought));
      return INDEXED.test(sought)
        ? countOf(connection, byTrigrams(filter, sought))
        : countByPortions(connection, filter, sought);
    },
  };
}

export function userDirectoryWrites(connection: Connection, engine: Database["engine"]): UserDirectoryWrites {
  return {
    ...userDirectoryReads(connection, engine),
    mergeIndex: () => mergeSearchIndexes(connection, engine),
  };
}

interface Selection {
  readonly from: string;
  readonly where: readonly string[];
  readonly values: readonly SqlValue[];
}

/** The ids of a page are found first, by an index alone where one will do, and then those few rows are read. */
async function usersOf(
  connection: Connection,
  { from, where, values }: Selection,
  slice: Slice<"created_at">,
): Promise<readonly Account[]> {
  const selection = {
    columns: "id",
    from,
    where: where.join(" AND "),
    values,
    around: selectUsers,
    sortedBy: { created_at: "created_at_ms" },
  };
  return (await readSlice(connection, selection, slice)).map((row) => accountOf("user", row));
}

function selectUsers(ids: string): string {
  return `SELECT ${ACCOUNT_COLUMNS} FROM users a WHERE a.id IN (${ids}) ORDER BY a.created_at_ms DESC, a.id DESC`;
}

function countOf(connection: Connection, { from, where, values }: Selection): Promise<number> {
  return total(
    connection,
    `SELECT COUNT(*) AS total
     FROM (SELECT 1 FROM ${from} WHERE ${where.join(" AND ")} LIMIT ${COUNTED_AT_MOST}) AS counted`,
    values,
  );
}

/** Without a search the database keeps the numbers itself: see the migration of the user directory. */
function countAll(connection: Connection, { isActive, deleted }: UserFilter): Promise<number> {
  return total(
    connection,
    `SELECT COALESCE(SUM(users), 0) AS total FROM user_counts
     WHERE is_deleted = $1 ${isActive === null ? "" : "AND is_active = $2"}`,
    [deleted, ...(isActive === null ? [] : [isActive])],
  );
}

async function usersByPortions(
  connection: Connection,
  filter: UserFilter,
  sought: string,
  { limit, offset, after }: Slice<"created_at">,
): Promise<readonly Account[]> {
  const found: number[] = [];
  for await (const ids of searchedPortions(connection, conditions(filter), sought, after)) {
    found.push(...ids);
    if (found.length >= limit + offset) break;
  }
  const page = JSON.stringify(found.slice(offset, offset + limit));
  const rows = await connection.all(selectUsers("SELECT value FROM json_each($1)"), [page]);
  return rows.map((row) => accountOf("user", row));
}

async function countByPortions(connection: Connection, filter: UserFilter, sought: string): Promise<number> {
  let found = 0;
  for await (const ids of searchedPortions(connection, conditions(filter), sought, null)) {
    found += ids.length;
    if (found >= COUNTED_AT_MOST) return COUNTED_AT_MOST;
  }
  return found;
}

/** Written out, not bound: an index of some rows serves only those who can be seen to ask for no others. */
function conditions({ isActive, deleted }: UserFilter): readonly string[] {
  const where = [`a.deleted_at_ms IS ${deleted ? "NOT NULL" : "NULL"}`];
  if (isActive !== null) where.push(isActive ? "a.is_active" : "NOT a.is_active");
  return where;
}

function everyone(filter: UserFilter): Selection {
  return { from: "users a", where: conditions(filter), values: [] };
}

/** On SQLite `LIKE` reads of all the runs in a text, however many users have them: where a few will do, by those. */
function among(ids: readonly number[], filter: UserFilter, sought: string): Selection {
  const isAmong = "a.id IN (SELECT value FROM json_each($2))";
  return {
    from: "users_searched a",
    where: [...conditions(filter), "instr(a.text, $1) > 0", isAmong],
    values: [sought, JSON.stringify(ids)],
  };
}

/**
 * `LIKE` finds what may match by the index over all runs of three letters: in its pattern, whatever is special to it
 * stands for any one letter. The last condition then holds the text itself against the words that were asked for.
 */
function byTrigrams(filter: UserFilter, sought: string): Selection {
  return {
    from: "users_search s JOIN users a ON a.id = s.rowid",
    where: [...conditions(filter), "s.text LIKE $1", "instr(s.text, $2) > 0"],
    values: [pattern(sought), sought],
  };
}

function pattern(sought: string): string {
  return `%${sought.replace(/[%_\\]/g, "_")}%`;
}

/**
 * Runs of five letters are rarer than the three that `LIKE` goes by. PostgreSQL weighs them by itself, and where they
 * are common goes through the users, newest first, rather than the index, and takes the runs of each apart: for a page
 * near the beginning that is nothing, and for a total `LIKE` takes a tenth. With neither it reads every row until the
 * page is full, and would read its index from end to end if it saw `LIKE`.
 */
function byPostgres(filter: UserFilter, sought: string, lastRow: number): Selection {
  const from = "users_searched a";
  const where = [...conditions(filter), "replace(a.text, $1, '') <> a.text"];
  if (lastRow <= TAKEN_APART && [...sought].length >= LONG_RUN)
    return { from, where: [...where, "a.runs @> long_runs($1)"], values: [sought] };
  if (INDEXED.test(sought))
    return { from, where: [...where, "a.text LIKE $2"], values: [sought, pattern(sought)] };
  return { from, where, values: [sought] };
}
