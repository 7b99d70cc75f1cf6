import type { Connection, Database, Row } from "./database.ts";
import { integer } from "./rows.ts";

/** A table whose ids the database gives, in this column. */
export interface Numbered {
  readonly name: string;
  readonly ids: string;
}

/** The ids that a table gives to its rows by itself, for who brings rows along with ids of their own. */
export interface Ids {
  /** The highest that was ever given, be it to a row that is gone; 0 before the first. */
  last(): Promise<number>;
  /** As `last`, and nobody is given one until this write ends. */
  hold(): Promise<number>;
  /** Nothing is given an id up to this one any more. Beside others, only after `hold` and in its write. */
  raise(to: number): Promise<void>;
  take(count: number): Promise<readonly number[]>;
}

/** `table` is one of ours, never a name that came from outside. */
export function idsOf(connection: Connection, engine: Database["engine"], table: Numbered): Ids {
  return engine === "sqlite" ? sqliteIds(connection, table) : postgresIds(connection, table);
}

/** Whoever writes is alone there, so that nobody is given an id in between. */
function sqliteIds(connection: Connection, table: Numbered): Ids {
  const { name } = table;
  const last = () =>
    highest(connection, table, "SELECT COALESCE(MAX(seq), 0) AS id FROM sqlite_sequence WHERE name = $1", [
      name,
    ]);
  const raise = async (to: number) => {
    if ((await last()) >= to) return;
    // The table of sequences has no key by which to insert or update in one.
    await connection.run("DELETE FROM sqlite_sequence WHERE name = $1", [name]);
    await connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", [name, to]);
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

function postgresIds(connection: Connection, table: Numbered): Ids {
  const { name, ids } = table;
  const sequence = `pg_get_serial_sequence('${name}', '${ids}')::regclass`;
  const remembered = `SELECT COALESCE(pg_sequence_last_value(${sequence}), 0) AS id`;
  const last = () => highest(connection, table, remembered);
  return {
    last,
    async hold() {
      // A sequence is in no transaction: an id that is given between the look and the change would be given twice.
      await connection.run(`LOCK TABLE ${name} IN SHARE ROW EXCLUSIVE MODE`);
      return last();
    },
    async raise(to) {
      // It does not follow the rows that come with ids of their own.
      if (idIn(await connection.first(remembered)) >= to) return;
      await connection.first(`SELECT setval(${sequence}, $1)`, [to]);
    },
    async take(count) {
      const rows = await connection.all(
        `SELECT nextval(${sequence}) AS id FROM generate_series(1, $1::INTEGER)`,
        [count],
      );
      return rows.map(idIn);
    },
  };
}

async function highest(
  connection: Connection,
  { name, ids }: Numbered,
  remembered: string,
  values: readonly string[] = [],
): Promise<number> {
  const present = await connection.first(`SELECT COALESCE(MAX(${ids}), 0) AS id FROM ${name}`);
  return Math.max(idIn(present), idIn(await connection.first(remembered, values)));
}

function idIn(row: Row | null): number {
  return integer(row ?? {}, "id");
}
