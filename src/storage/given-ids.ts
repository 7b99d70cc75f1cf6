import type { Connection, Database, Row } from "./database.ts";
import { integer, text } from "./rows.ts";

type Engine = Database["engine"];

/** A table whose ids the database gives, in this column. */
export interface Numbered {
  readonly name: string;
  readonly ids: string;
}

/** The highest id that was ever given, be it to a row that is gone: none is given twice. */
export async function highestGiven(
  connection: Connection,
  engine: Engine,
  { name, ids }: Numbered,
): Promise<number> {
  const present = `SELECT COALESCE(MAX(${ids}), 0) AS highest FROM ${name}`;
  const remembered =
    engine === "sqlite"
      ? `SELECT COALESCE(MAX(seq), 0) AS highest FROM sqlite_sequence WHERE name = '${name}'`
      : `SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS highest
           FROM ${await sequenceOf(connection, { name, ids })}`;
  const numbers = [await connection.first(present), await connection.first(remembered)].map(highest);
  return Math.max(...numbers);
}

/** Lets ids go on after this one. */
export async function continueAfter(
  connection: Connection,
  engine: Engine,
  { name, ids }: Numbered,
  last: number,
): Promise<void> {
  if (engine === "sqlite") {
    await connection.run("DELETE FROM sqlite_sequence WHERE name = $1", [name]);
    await connection.run("INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)", [name, last]);
    return;
  }
  const sequence = await sequenceOf(connection, { name, ids });
  await connection.first("SELECT setval($1::regclass, $2, FALSE)", [sequence, last + 1]);
}

async function sequenceOf(connection: Connection, { name, ids }: Numbered): Promise<string> {
  const row = await connection.first("SELECT pg_get_serial_sequence($1, $2) AS sequence", [name, ids]);
  return text(row ?? {}, "sequence");
}

function highest(row: Row | null): number {
  return integer(row ?? {}, "highest");
}
