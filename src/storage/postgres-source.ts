import type { Source, SourceRow, SourceTable } from "../core/import/source.ts";
import type { Row, SqlValue } from "./database.ts";
import { Session } from "./postgres-session.ts";
import { integer, integerOrNull } from "./rows.ts";
import { groupedByTable, quoted, refusedSource, SOURCE_ROWS_AT_ONCE, sourceRow } from "./source-rows.ts";

const OPEN_WITHIN_MS = 10_000;
/** To count or to sort millions of rows takes its time. */
const ANSWER_WITHIN_MS = 600_000;
const CURSOR = "latchkey_import";
const WHOLE_NUMBERS = new Set<unknown>(["smallint", "integer", "bigint"]);

/**
 * One transaction from the first look to the last row: what is read is the database as it was at one moment, whatever
 * the old backend does meanwhile, and the server refuses any write in it.
 */
export async function openPostgresSource(url: string): Promise<Source> {
  const options = { url, prepare: false, settings: {}, onStatement: undefined };
  const session = await Session.open(options, OPEN_WITHIN_MS, () => {});
  await session.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO';
     SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`,
    undefined,
    OPEN_WITHIN_MS,
  );
  return new PostgresSource(session);
}

class PostgresSource implements Source {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async tables(): Promise<readonly SourceTable[]> {
    return groupedByTable(
      await this.#all(
        `SELECT c.relname::TEXT AS table_name, a.attname::TEXT AS column_name
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum`,
      ),
    );
  }

  async count(table: string): Promise<number> {
    const [row = {}] = await this.#all(`SELECT COUNT(*)::TEXT AS n FROM ${quoted(table)}`);
    return integer(row, "n");
  }

  async highest(table: string, column: string): Promise<number | null> {
    const [typed = {}] = await this.#all(
      `SELECT data_type::TEXT AS type FROM information_schema.columns
       WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2`,
      [table, column],
    );
    if (!WHOLE_NUMBERS.has(typed["type"])) return null;
    const [row = {}] = await this.#all(
      `SELECT CASE WHEN COUNT(*) > 0 THEN LEAST(MAX(${quoted(column)}), ${Number.MAX_SAFE_INTEGER})::TEXT END AS highest
       FROM ${quoted(table)}`,
    );
    return integerOrNull(row, "highest");
  }

  async *rows(
    table: string,
    columns: readonly string[],
    inOrderOf: readonly string[],
  ): AsyncGenerator<readonly SourceRow[]> {
    const values = columns.map((column) => `${quoted(column)}::TEXT AS ${quoted(column)}`);
    // By the column, not by its text of the same name.
    const order = inOrderOf.map((column) => `${quoted(table)}.${quoted(column)} NULLS FIRST`);
    await this.#all(
      `DECLARE ${CURSOR} NO SCROLL CURSOR FOR
       SELECT ${values.join(", ")} FROM ${quoted(table)} ORDER BY ${order.join(", ")}`,
    );
    for (;;) {
      const rows = await this.#all(`FETCH ${SOURCE_ROWS_AT_ONCE} FROM ${CURSOR}`);
      if (rows.length === 0) break;
      yield rows.map((row) => sourceRow(row, columns));
    }
    await this.#all(`CLOSE ${CURSOR}`);
  }

  async close(): Promise<void> {
    this.#session.close();
  }

  async #all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
    try {
      return (await this.#session.query(sql, values, ANSWER_WITHIN_MS)).rows;
    } catch (error) {
      throw refusedSource(error);
    }
  }
}
