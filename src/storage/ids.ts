import type { Connection, Database } from "./database.ts";
import { integer, integerOrNull } from "./rows.ts";

/** The ids that a table gives to its rows by itself, for who brings rows along with ids of their own. */
export interface Ids {
  /** The last one that was given; 0 before the first. */
  last(): Promise<number>;
  /** The last one, and nothing else is given one until this write ends. */
  hold(): Promise<number>;
  /** Nothing is given an id up to this one any more; held before. */
  raise(to: number): Promise<void>;
  take(count: number): Promise<readonly number[]>;
}

/** `table` is a name of ours, never one that came from outside. */
export function idsOf(connection: Connection, engine: Database["engine"], table: string): Ids {
  return engine === "sqlite" ? sqliteIds(connection, table) : postgresIds(connection, table);
}

/** Whoever writes is alone there, so that nobody is given an id in between. */
function sqliteIds(connection: Connection, table: string): Ids {
  const last = async () => {
    const row = await connection.first("SELECT seq FROM sqlite_sequence WHERE name = $1", [table]);
    return row === null ? 0 : integer(row, "seq");
  };
  const raise = async (to: number) => {
    if ((await last()) >= to) return;
    // The table of sequences has no key by which to insert or update in one.
    await connection.run("DELETE FROM sqlite_sequence WHERE name = $1", [table]);
    await connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", [table, to]);
  };
  return {
    last,
    hold: last,
    raise,
    async take(count) {
      const before = await last();
      await raise(before + count);
      return Array.from({ length: count }, (_, at) => before + 1 + at);
    },
  };
}

function postgresIds(connection: Connection, table: string): Ids {
  const sequence = `pg_get_serial_sequence('${table}', 'id')::regclass`;
  const last = async () => {
    const row = await connection.first(`SELECT pg_sequence_last_value(${sequence}) AS last`);
    return row === null ? 0 : (integerOrNull(row, "last") ?? 0);
  };
  return {
    last,
    async hold() {
      // A sequence is in no transaction: an id that is given between the look and the change would be given twice.
      await connection.run(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
      return last();
    },
    async raise(to) {
      if ((await last()) < to) await connection.first(`SELECT setval(${sequence}, $1)`, [to]);
    },
    async take(count) {
      const rows = await connection.all(
        `SELECT nextval(${sequence}) AS id FROM generate_series(1, $1::INTEGER)`,
        [count],
      );
      return rows.map((row) => integer(row, "id"));
    },
  };
}
