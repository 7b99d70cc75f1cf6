import type { Account } from "../core/accounts.ts";
import type { Slice } from "../core/pages.ts";
import type { UserDirectoryReads, UserDirectoryWrites, UserFilter } from "../core/store.ts";
import { ACCOUNT_COLUMNS, accountOf } from "./accounts.ts";
import type { Connection, Database, SqlValue } from "./database.ts";
import { integerOrNull } from "./rows.ts";
import { mergeSearchIndexes } from "./search-index.ts";
import { total } from "./total.ts";
import { fewCandidates, LONG_RUN } from "./user-candidates.ts";

/** Nobody reads so many pages of a search; what there is beyond is found by its cursor all the same. */
const COUNTED_AT_MOST = 10_000;

/** The index of a search holds runs of three letters, among which those special to `LIKE` do not count. */
const INDEXED = /[^%_\\]{3}/u;

/** On PostgreSQL the runs of so many users are taken apart where it does without their index: in 3 ms. */
const TAKEN_APART = 200;

/** Without an index rows are read in portions, so that nobody else's request waits for all of them on the event loop. */
const PORTION_OF_IDS = 5_000;

export function userDirectoryReads(connection: Connection, engine: Database["engine"]): UserDirectoryReads {
  return {
    async users(filter, slice) {
      const selection = await select(connection, engine, filter, slice.offset + slice.limit);
      return selection.inPortions
        ? usersByPortions(connection, selection, slice)
        : selectUsers(connection, selection, slice);
    },

    async count(filter) {
      if (filter.search === null) return countAll(connection, filter);
      const selection = await select(connection, engine, filter, COUNTED_AT_MOST);
      return selection.inPortions
        ? countByPortions(connection, selection)
        : countUsers(connection, selection, COUNTED_AT_MOST);
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
  /** What rows are sorted by: always the id, but named where the engine walks along it. */
  readonly key: string;
  readonly where: readonly string[];
  readonly values: readonly SqlValue[];
  /** No index serves it. */
  readonly inPortions: boolean;
}

async function select(
  connection: Connection,
  engine: Database["engine"],
  filter: UserFilter,
  lastRow: number,
): Promise<Selection> {
  const where = conditions(filter);
  const { search } = filter;
  if (search === null) return { from: "users a", key: "a.id", where, values: [], inPortions: false };
  const sought = search.toLowerCase();
  if (engine === "sqlite") {
    const few = await fewCandidates(connection, sought);
    if (few !== null) return among(few, where, sought);
  } else if (lastRow <= TAKEN_APART && [...sought].length >= LONG_RUN) return byRuns(where, sought);
  return INDEXED.test(search) ? indexed(where, sought) : unindexed(where, sought);
}

/** The ids of a page are found first, by an index alone where one will do, and then those few rows are read. */
async function selectUsers(
  connection: Connection,
  { from, key, where, values }: Selection,
  { limit, offset, after }: Pick<Slice<"id">, "limit" | "offset" | "after">,
): Promise<readonly Account[]> {
  const all = after === null ? where : [...where, `${key} < $${values.length + 3}`];
  const rows = await connection.all(
    `SELECT ${ACCOUNT_COLUMNS} FROM users a WHERE a.id IN (
       SELECT ${key} FROM ${from} WHERE ${all.join(" AND ")}
       ORDER BY ${key} DESC LIMIT $${values.length + 1} OFFSET $${values.length + 2}
     ) ORDER BY a.id DESC`,
    [...values, limit, offset, ...(after === null ? [] : [after.id])],
  );
  return rows.map((row) => accountOf("user", row));
}

function countUsers(
  connection: Connection,
  { from, where, values }: Selection,
  atMost: number,
): Promise<number> {
  return total(
    connection,
    `SELECT COUNT(*) AS total FROM (SELECT 1 FROM ${from} WHERE ${where.join(" AND ")} LIMIT ${atMost}) AS counted`,
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
  selection: Selection,
  { limit, offset, after }: Slice<"id">,
): Promise<readonly Account[]> {
  const found: Account[] = [];
  for await (const portion of portions(connection, selection, after?.id ?? null)) {
    const missing = limit + offset - found.length;
    found.push(...(await selectUsers(connection, portion, { limit: missing, offset: 0, after: null })));
    if (found.length === limit + offset) break;
  }
  return found.slice(offset);
}

async function countByPortions(connection: Connection, selection: Selection): Promise<number> {
  let found = 0;
  for await (const portion of portions(connection, selection, null)) {
    found += await countUsers(connection, portion, COUNTED_AT_MOST - found);
    if (found === COUNTED_AT_MOST) break;
  }
  return found;
}

/** The users below an id, the latest first, so many ids at a time. */
async function* portions(connection: Connection, all: Selection, below: number | null) {
  const highest = below ?? (await idAfterAll(connection));
  const count = all.values.length;
  for (let end = highest; end > 0; end -= PORTION_OF_IDS) {
    yield {
      ...all,
      where: [...all.where, `${all.key} < $${count + 1}`, `${all.key} >= $${count + 2}`],
      values: [...all.values, end, end - PORTION_OF_IDS],
    };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function idAfterAll(connection: Connection): Promise<number> {
  const row = await connection.first("SELECT MAX(id) AS last FROM users");
  return row === null ? 0 : (integerOrNull(row, "last") ?? 0) + 1;
}

/** Written out, not bound: an index of some rows serves only those who can be seen to ask for no others. */
function conditions({ isActive, deleted }: UserFilter): readonly string[] {
  const where = [`a.deleted_at_ms IS ${deleted ? "NOT NULL" : "NULL"}`];
  if (isActive !== null) where.push(isActive ? "a.is_active" : "NOT a.is_active");
  return where;
}

/**
 * `LIKE` finds what may match by the index over all runs of three letters: in its pattern, whatever is special to it
 * stands for any one letter. The last condition then holds the text itself against the words that were asked for.
 */
function indexed(where: readonly string[], sought: string): Selection {
  const pattern = `%${sought.replace(/[%_\\]/g, "_")}%`;
  return {
    from: "users_search s JOIN users a ON a.id = s.rowid",
    key: "s.rowid",
    where: [...where, "s.text LIKE $1", "replace(s.text, $2, '') <> s.text"],
    values: [pattern, sought],
    inPortions: false,
  };
}

/** The same without the index, which PostgreSQL would read from end to end if it saw `LIKE`. */
function unindexed(where: readonly string[], sought: string): Selection {
  return {
    from: "users_searched a",
    key: "a.id",
    where: [...where, "replace(a.text, $1, '') <> a.text"],
    values: [sought],
    inPortions: true,
  };
}

/** On SQLite `LIKE` reads of all the runs in a text, however many users have them: where a few will do, by those. */
function among(ids: readonly number[], where: readonly string[], sought: string): Selection {
  const all = unindexed(where, sought);
  return {
    ...all,
    where: [...all.where, "a.id IN (SELECT value FROM json_each($2))"],
    values: [...all.values, JSON.stringify(ids)],
    inPortions: false,
  };
}

/**
 * On PostgreSQL runs of five letters are rarer than the three that `LIKE` goes by. It weighs them by itself, and where
 * they are common goes through the users rather than the index, and takes the runs of each apart: for a page near the
 * beginning that is nothing, and for a total `LIKE` takes a tenth.
 */
function byRuns(where: readonly string[], sought: string): Selection {
  const all = unindexed(where, sought);
  return { ...all, where: [...all.where, "a.runs @> long_runs($1)"], inPortions: false };
}
