import { Fault } from "../core/fault.ts";
import { SourceRefused } from "../core/import/source.ts";
import type { SourceRow, SourceTable } from "../core/import/source.ts";
import type { Row } from "./database.ts";
import { text, textOrNull } from "./rows.ts";

export const SOURCE_ROWS_AT_ONCE = 1_000;

export function sourceRow(row: Row, columns: readonly string[]): SourceRow {
  return Object.fromEntries(columns.map((column) => [column, textOrNull(row, column)]));
}

/** Of rows that name a table and one of its columns each. */
export function groupedByTable(rows: readonly Row[]): readonly SourceTable[] {
  const columns = new Map<string, string[]>();
  for (const row of rows) {
    const table = text(row, "table_name");
    columns.set(table, [...(columns.get(table) ?? []), text(row, "column_name")]);
  }
  return [...columns].map(([name, each]) => ({ name, columns: each }));
}

/** A name as both engines read it, whatever it holds. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The operator may know what the engine said: the database is theirs, and to be put right by them. */
export function refusedSource(error: unknown): unknown {
  if (error instanceof SourceRefused || !(error instanceof Error)) return error;
  const cause = error instanceof Fault && error.cause instanceof Error ? error.cause : error;
  return new SourceRefused(`it cannot be read: ${cause.message}`, error);
}
