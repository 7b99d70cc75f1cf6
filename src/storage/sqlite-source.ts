import { existsSync } from "node:fs";
import { SourceRefused } from "../core/import/source.ts";
import type { Source, SourceRow, SourceTable } from "../core/import/source.ts";
import { listed } from "./batches.ts";
import type { Row, SqlValue } from "./database.ts";
import { integer, integerOrNull, text } from "./rows.ts";
import { groupedByTable, quoted, refusedSource, SOURCE_ROWS_AT_ONCE, sourceRow } from "./source-rows.ts";
import { SqliteHandle } from "./sqlite-handle.ts";

/** How long a read waits for the old backend, where that is writing. */
const BUSY_WAIT_MS = 5_000;

/**
 * Reads with no transaction around it: outside WAL mode, which SQLAlchemy does not choose, one would keep the backend
 * that still runs on the file from writing.
 */
export function openSqliteSource(path: string): Source {
  if (!existsSync(path)) throw new SourceRefused(`there is no file ${path}`);
  const handle = new SqliteHandle(path, "read", undefined);
  handle.script(`PRAGMA busy_timeout = ${BUSY_WAIT_MS}`);
  return new SqliteSource(handle);
}

class SqliteSource implements Source {
  readonly #handle: SqliteHandle;

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  async tables(): Promise<readonly SourceTable[]> {
    return groupedByTable(
      this.#all(
        `SELECT m.name AS table_name, c.name AS column_name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.cid`,
      ),
    );
  }

  async count(table: string): Promise<number> {
    const [row = {}] = this.#all(`SELECT COUNT(*) AS n FROM ${quoted(table)}`);
    return integer(row, "n");
  }

  async highest(table: string, column: string): Promise<number | null> {
    const [from, id] = [quoted(table), quoted(column)];
    const others = this.#all(`SELECT 1 FROM ${from} WHERE typeof(${id}) <> 'integer' LIMIT 1`);
    if (others.length > 0) return null;
    const [row = {}] = this.#all(
      `SELECT MIN(MAX(${id}), ${Number.MAX_SAFE_INTEGER}) AS highest FROM ${from}`,
    );
    return integerOrNull(row, "highest");
  }

  /** Where each row lies is read beforehand: to find the next rows of some order takes a sort each time. */
  async *rows(
    table: string,
    columns: readonly string[],
    inOrderOf: readonly string[],
  ): AsyncGenerator<readonly SourceRow[]> {
    const from = quoted(table);
    // By the column, not by its text of the same name.
    const order = inOrderOf.map((column) => `${from}.${quoted(column)}`).join(", ");
    const values = columns.map((column) => asText(quoted(column)));
    const places = this.#places(from, order);
    for (let start = 0; start < places.length; start += SOURCE_ROWS_AT_ONCE) {
      const some = listed(places.slice(start, start + SOURCE_ROWS_AT_ONCE), 1);
      const rows = this.#all(
        `SELECT ${values.join(", ")} FROM ${from} WHERE _rowid_ IN ${some.sql} ORDER BY ${order}`,
        some.values,
      );
      yield rows.map((row) => sourceRow(row, columns));
    }
  }

  #places(from: string, order: string): readonly number[] {
    const [row = {}] = this.#all(`SELECT json_group_array(_rowid_ ORDER BY ${order}) AS places FROM ${from}`);
    const places: unknown = JSON.parse(text(row, "places"));
    if (!Array.isArray(places)) throw new TypeError("a list of places is none");
    return places.map((place) => integer({ place }, "place"));
  }

  async close(): Promise<void> {
    this.#handle.close();
  }

  #all(sql: string, values: readonly SqlValue[] = []): readonly Row[] {
    try {
      return this.#handle.all(sql, values);
    } catch (error) {
      throw refusedSource(error);
    }
  }
}

/** Bytes, in which a UUID may be kept, as their digits: as text they could be anything. */
function asText(column: string): string {
  return `CASE typeof(${column}) WHEN 'blob' THEN LOWER(HEX(${column})) ELSE CAST(${column} AS TEXT) END AS ${column}`;
}
