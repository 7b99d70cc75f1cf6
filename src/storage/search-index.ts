import type { Connection, Database } from "./database.ts";
import { integer } from "./rows.ts";

/** The indexes of a search on SQLite: see their migration. */
const INDEXES = ["users_search", "users_search_long"] as const;
type Index = (typeof INDEXES)[number];

/** So many pages are written in a step, in a millisecond or so. */
const PAGES_AT_ONCE = 16;
/** Parts are put together where the largest holds less of the whole: so a row is written some ten times in all. */
const SHARE_OF_LARGEST = 0.9;

/**
 * Each registration adds a part to an index of SQLite, and four parts of a size become one of the next. A search looks
 * into every part there is, and a million users leave a dozen. Does a little of making them one, and answers whether
 * there is more to do. PostgreSQL's indexes have no parts.
 */
export async function mergeSearchIndexes(
  connection: Connection,
  engine: Database["engine"],
): Promise<boolean> {
  if (engine === "postgres") return false;
  for (const index of INDEXES) {
    if (await mergeSome(connection, index, PAGES_AT_ONCE)) return true;
    // What is below zero takes up all parts, of whatever size; a later step goes on with what was begun.
    if ((await isScattered(connection, index)) && (await mergeSome(connection, index, -PAGES_AT_ONCE)))
      return true;
  }
  return false;
}

/** Answers whether it found anything to do: the command itself counts as one change, its work as many. */
async function mergeSome(connection: Connection, index: Index, pages: number): Promise<boolean> {
  const before = await changes(connection);
  await connection.run(`INSERT INTO ${index} (${index}, rank) VALUES ('merge', $1)`, [pages]);
  return (await changes(connection)) - before > 1;
}

async function changes(connection: Connection): Promise<number> {
  return integer((await connection.first("SELECT total_changes() AS changes")) ?? {}, "changes");
}

async function isScattered(connection: Connection, index: Index): Promise<boolean> {
  const parts = await connection.all(`SELECT COUNT(*) AS pages FROM ${index}_idx GROUP BY segid`);
  const pages = parts.map((part) => integer(part, "pages"));
  const all = pages.reduce((sum, each) => sum + each, 0);
  return Math.max(0, ...pages) < SHARE_OF_LARGEST * all;
}
