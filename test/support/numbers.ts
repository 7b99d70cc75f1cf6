/** Begins a statement that may read the numbers from 1 to `count` as `i` from `numbers`, on both engines. */
export function numbers(count: number): string {
  return `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < ${count})`;
}
