import type { Connection } from "./database.ts";
import { integer } from "./rows.ts";

/** The index on SQLite holds every run of so many characters, in whatever script. */
const RUN = 3;
/** Of a long text only so many runs are looked at, evenly apart. */
const LOOKED_AT = 24;
/** How many of the first users with a run are gone through to see how seldom it is. */
const SAMPLE = 50;
/** As many of the rarest runs as narrow the users down: more would cost more than they leave out. */
const JOINED = 3;
const FEW = 2_000;

/**
 * The ids of all users who may match a search, where they are few; null where they are many, or the text is too short
 * for the index. Whether they do match is for the caller to see.
 *
 * What a search costs by the index is what its commonest run costs, and of an e-mail address most runs are in
 * everybody's. So the users are found by the rarest alone. How rare a run is tells the id of the fiftieth user who has
 * it: the later, the rarer, at the same cost for a run that all have.
 */
export async function fewCandidates(
  connection: Connection,
  sought: string,
): Promise<readonly number[] | null> {
  const ranked: { readonly run: string; readonly fiftieth: number }[] = [];
  for (const run of runsOf(sought)) ranked.push({ run, fiftieth: await fiftiethUser(connection, run) });
  if (ranked.length === 0) return null;

  const rarest = ranked.toSorted((a, b) => b.fiftieth - a.fiftieth).slice(0, JOINED);
  const rows = await connection.all(
    `SELECT rowid AS id FROM users_search WHERE users_search MATCH $1 LIMIT ${FEW + 1}`,
    [rarest.map(({ run }) => quoted(run)).join(" AND ")],
  );
  return rows.length > FEW ? null : rows.map((row) => integer(row, "id"));
}

function runsOf(text: string): readonly string[] {
  const characters = [...text];
  const count = characters.length - RUN + 1;
  const step = Math.max(1, count / LOOKED_AT);
  const runs = new Set<string>();
  for (let at = 0; at < count; at += step) {
    const start = Math.floor(at);
    runs.add(characters.slice(start, start + RUN).join(""));
  }
  return [...runs];
}

async function fiftiethUser(connection: Connection, run: string): Promise<number> {
  const row = await connection.first(
    `SELECT rowid AS id FROM users_search WHERE users_search MATCH $1 LIMIT 1 OFFSET ${SAMPLE - 1}`,
    [quoted(run)],
  );
  return row === null ? Number.POSITIVE_INFINITY : integer(row, "id");
}

/** A text in the language of the index, in which nothing is special but the quotation mark. */
function quoted(run: string): string {
  return `"${run.replaceAll('"', '""')}"`;
}
