import type { Row } from "./database.ts";

/**
 * Reads columns so that nobody else knows how the engines differ: PostgreSQL sends BIGINT and COUNT as text, SQLite
 * has no booleans but 0 and 1. Anything else than what was asked for is a mistake in the SQL or the schema.
 */
export function integer(row: Row, column: string): number {
  const value = present(row, column);
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  if (typeof value === "string" && /^-?\d+$/.test(value)) {
    const parsed = Number(value);
    if (Number.isSafeInteger(parsed)) return parsed;
  }
  throw wrong(column, "a whole number below 2^53", value);
}

export function integerOrNull(row: Row, column: string): number | null {
  return isNull(row, column) ? null : integer(row, column);
}

export function text(row: Row, column: string): string {
  const value = present(row, column);
  if (typeof value === "string") return value;
  throw wrong(column, "text", value);
}

export function textOrNull(row: Row, column: string): string | null {
  return isNull(row, column) ? null : text(row, column);
}

export function boolean(row: Row, column: string): boolean {
  const value = present(row, column);
  if (typeof value === "boolean") return value;
  if (value === 0 || value === 1) return value === 1;
  throw wrong(column, "a boolean", value);
}

export function booleanOrNull(row: Row, column: string): boolean | null {
  return isNull(row, column) ? null : boolean(row, column);
}

export function bytes(row: Row, column: string): Uint8Array {
  const value = present(row, column);
  if (value instanceof Uint8Array) return value;
  throw wrong(column, "bytes", value);
}

export function bytesOrNull(row: Row, column: string): Uint8Array | null {
  return isNull(row, column) ? null : bytes(row, column);
}

function isNull(row: Row, column: string): boolean {
  return existing(row, column) === null;
}

function present(row: Row, column: string): unknown {
  const value = existing(row, column);
  if (value === null) throw new TypeError(`column ${column} is null`);
  return value;
}

/** A column that is there holds null at the least: no second look is needed, and a list asks for hundreds of them. */
function existing(row: Row, column: string): unknown {
  const value = row[column];
  if (value === undefined) throw new TypeError(`the row has no column ${column}`);
  return value;
}

/** Names the kind of the value and never the value, which may be private. */
function wrong(column: string, expected: string, value: unknown): TypeError {
  return new TypeError(`column ${column} is not ${expected} but of type ${typeof value}`);
}
