import type { Connection } from "./database.ts";
import { integer } from "./rows.ts";

/** Of a long text only so many runs are looked at. */
const LOOKED_AT = 12;
/** As many of the rarest runs as narrow the users down: more would cost more than they leave out. */
const JOINED = 2;
/** How many of the first users with a run are gone through to see how seldom it is. */
const SAMPLE = 50;
/** Beyond so many a page is found sooner among the newest users than by sorting these. */
const FEW = 2_000;
/** How many characters the runs of the longer index have, on PostgreSQL too. */
export const LONG_RUN = 5;

/** An index of SQLite over every run of so many characters, in whatever script. */
interface RunIndex {
  readonly length: number;
  /** Every so manieth run of a text is looked at: long ones that overlap by all but one say nearly the same. */
  readonly apart: number;
  /** How it spells a run. */
  readonly word: (run: string) => string;
  readonly table: string;
}

const RUN_INDEXES: readonly RunIndex[] = [
  {
    length: LONG_RUN,
    apart: 2,
    word: (run) => Buffer.from(run).toString("hex"),
    table: "users_search_long",
  },
  {
    length: 3,
    apart: 1,
    // Between quotation marks nothing is special but these themselves.
    word: (run) => `"${run.replaceAll('"', '""')}"`,
    table: "users_search",
  },
];

/**
 * The ids of all users who may match a search, where they are few; null where they are many, or the text is too short
 * for an index. Whether they do match is for the caller to see.
 */
export async function fewCandidates(
  connection: Connection,
  sought: string,
): Promise<readonly number[] | null> {
  const found = await candidates(connection, sought, `LIMIT ${FEW + 1}`);
  return found === null || found.length > FEW ? null : found;
}

/** The lowest and the highest id of those who may match; null where no index or nobody does. */
export async function idsOfCandidates(
  connection: Connection,
  sought: string,
): Promise<{ readonly lowest: number; readonly highest: number } | null> {
  const [lowest] = (await candidates(connection, sought, "ORDER BY rowid LIMIT 1")) ?? [];
  const [highest] = (await candidates(connection, sought, "ORDER BY rowid DESC LIMIT 1")) ?? [];
  return lowest === undefined || highest === undefined ? null : { lowest, highest };
}

async function candidates(
  connection: Connection,
  sought: string,
  which: string,
): Promise<readonly number[] | null> {
  const characters = [...sought];
  const index = RUN_INDEXES.find(({ length }) => length <= characters.length);
  if (index === undefined) return null;
  const words = runsOf(characters, index).map(index.word);
  const rows = await connection.all(findByRarest(index.table, which), [JSON.stringify(words)]);
  return rows.map((row) => integer(row, "id"));
}

/**
 * What a search costs by the index is what its commonest run costs, and of an e-mail address most runs are in
 * everybody's. So the users are found by the rarest alone. How rare a run is tells the id of the fiftieth user who has
 * it: the later, the rarer, at the same cost for a run that all have.
 */
function findByRarest(table: string, which: string): string {
  return `SELECT rowid AS id FROM ${table} WHERE ${table} MATCH (
    SELECT group_concat(word, ' AND ') FROM (
      SELECT value AS word FROM json_each($1)
      ORDER BY (SELECT rowid FROM ${table} WHERE ${table} MATCH value LIMIT 1 OFFSET ${SAMPLE - 1}) DESC NULLS FIRST
      LIMIT ${JOINED}
    )
  ) ${which}`;
}

/** From the first to the last, evenly apart. */
function runsOf(characters: readonly string[], { length, apart }: RunIndex): readonly string[] {
  const last = characters.length - length;
  const steps = Math.min(LOOKED_AT - 1, Math.ceil(last / apart));
  const runs = new Set<string>();
  for (let step = 0; step <= steps; step += 1) {
    const start = Math.floor((last * step) / Math.max(1, steps));
    runs.add(characters.slice(start, start + length).join(""));
  }
  return [...runs];
}
