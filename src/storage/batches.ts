import type { SqlValue } from "./database.ts";

const ROWS_AT_ONCE = 256;

/** A list for `IN`, whose length is a power of two: a statement is found again by its text, so few should differ. */
export function listed(
  values: readonly SqlValue[],
  firstPlaceholder: number,
): { readonly sql: string; readonly values: readonly SqlValue[] } {
  const [first = null] = values;
  const length = 2 ** Math.ceil(Math.log2(Math.max(1, values.length)));
  const padded = [...values, ...Array.from({ length: length - values.length }, () => first)];
  return { sql: `(${padded.map((_, at) => `$${firstPlaceholder + at}`).join(", ")})`, values: padded };
}

/** Rows for `VALUES`, or values for `IN`, parted into lots whose sizes are powers of two, for the same reason. */
export function lots<T>(rows: readonly T[]): readonly (readonly T[])[] {
  const parted: (readonly T[])[] = [];
  for (let start = 0; start < rows.length;) {
    const left = rows.length - start;
    const size = Math.min(ROWS_AT_ONCE, 2 ** Math.floor(Math.log2(left)));
    parted.push(rows.slice(start, start + size));
    start += size;
  }
  return parted;
}

/** `($1, $2), ($3, $4)` */
export function places(rows: readonly (readonly SqlValue[])[]): string {
  return rows
    .map((row, nth) => `(${row.map((_, at) => `$${nth * row.length + at + 1}`).join(", ")})`)
    .join(", ");
}
