import type { Position } from "../core/pages.ts";
import type { Connection } from "./database.ts";
import { boolean, integer } from "./rows.ts";
import { readSlice } from "./slices.ts";
import { idsOfCandidates } from "./user-candidates.ts";

/** What many users have is found among the first of them; what few have takes ever larger portions. */
const FIRST_PORTION = 100;
const LARGEST_PORTION = 5_000;
/** After 3,100 users it is worth asking the index where the others are who may match. */
const PORTIONS_OF_ALL = 5;

const ALL_IDS = { lowest: 1, highest: Number.MAX_SAFE_INTEGER };

/**
 * The ids of the users whose searched text holds what is sought, newest first, found on SQLite by reading all who
 * follow a position. In portions, so that nobody else's request waits for all of them on the event loop.
 *
 * What an import brought is old, but stands together by its ids: by these the users in between are skipped along the
 * index, at a twentieth of what their texts would take. (The `+` keeps SQLite from reading by id, and sorting.)
 */
export async function* searchedPortions(
  connection: Connection,
  conditions: readonly string[],
  sought: string,
  from: Position | null,
): AsyncGenerator<readonly number[], void> {
  const users = {
    columns: "id, created_at_ms, instr(text, $1) > 0 AS holds",
    from: "users_searched a",
    where: [...conditions, "+a.id BETWEEN $2 AND $3"].join(" AND "),
    sortedBy: { created_at: "created_at_ms" },
  };
  const order = { key: "created_at", descending: true } as const;
  let ids = ALL_IDS;
  let after = from;
  for (let portion = 0; ; portion += 1) {
    if (portion === PORTIONS_OF_ALL) ids = (await idsOfCandidates(connection, sought)) ?? ALL_IDS;
    const values = [sought, ids.lowest, ids.highest];
    const limit = Math.min(FIRST_PORTION * 2 ** portion, LARGEST_PORTION);
    const rows = await readSlice(connection, { ...users, values }, { order, limit, offset: 0, after });
    yield rows.filter((row) => boolean(row, "holds")).map((row) => integer(row, "id"));
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    after = { value: integer(last, "created_at_ms"), id: integer(last, "id") };
    await new Promise((resolve) => setImmediate(resolve));
  }
}
