import { hasTable } from "./catalogue.ts";
import type { Connection, Database } from "./database.ts";
import { integer, text } from "./rows.ts";

type Engine = Database["engine"];

/** Stands in a database from the first row that is copied into it until all of them are there and checked. */
const MARK = "unfinished_copy";

/** What is copied. */
export interface CopyOrigin {
  /** Tells the database from all others, wherever it is. */
  readonly fingerprint: string;
  /** Of the schema, when the copy was begun. */
  readonly version: number;
}

export async function unfinishedCopy(connection: Connection, engine: Engine): Promise<CopyOrigin | null> {
  if (!(await hasTable(connection, engine, MARK))) return null;
  const row = await connection.first(`SELECT fingerprint, version FROM ${MARK}`);
  return row === null ? null : { fingerprint: text(row, "fingerprint"), version: integer(row, "version") };
}

export async function markUnfinished(
  connection: Connection,
  { fingerprint, version }: CopyOrigin,
): Promise<void> {
  await connection.run(`CREATE TABLE ${MARK} (fingerprint TEXT NOT NULL, version BIGINT NOT NULL)`);
  await connection.run(`INSERT INTO ${MARK} (fingerprint, version) VALUES ($1, $2)`, [fingerprint, version]);
}

export async function markFinished(connection: Connection): Promise<void> {
  await connection.run(`DROP TABLE ${MARK}`);
}
