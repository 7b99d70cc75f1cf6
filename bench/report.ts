/** One line of the table: a figure that needs no machine to be read, mostly a ratio of the product to the bare server. */
export interface Row {
  readonly name: string;
  readonly value: number;
  /** The least and the most of the rounds. */
  readonly spread: readonly [number, number];
  readonly wanted: number;
  readonly better: "more" | "less";
  readonly unit?: string;
  /** What stood behind the figure on this machine. */
  readonly detail: string;
}

export interface Report {
  readonly rows: readonly Row[];
  readonly leftOut: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

export function row(
  name: string,
  values: readonly number[],
  rest: Pick<Row, "wanted" | "better" | "unit" | "detail">,
): Row {
  return { name, value: median(values), spread: [Math.min(...values), Math.max(...values)], ...rest };
}

export function holds({ value, wanted, better }: Row): boolean {
  return better === "more" ? value >= wanted : value <= wanted;
}

export function line(row: Row): string {
  const { name, value, spread, wanted, better, unit = "", detail } = row;
  const digits = unit === "" ? 2 : 0;
  const [low, high] = spread.map((end) => end.toFixed(digits));
  return [
    name.padEnd(52),
    `${value.toFixed(digits)}${unit}`.padStart(8),
    `(${low} to ${high})`.padEnd(18),
    `${better === "more" ? "≥" : "≤"} ${wanted.toFixed(digits)}${unit}`.padEnd(9),
    (holds(row) ? "holds" : "misses").padEnd(7),
    detail,
  ].join(" ");
}

/** Less than this between two runs is nothing, however close together the rounds of each were. */
const NOISE = 0.05;

/** What got slower than in the earlier report by more than the two runs' rounds differ among themselves. */
export function slower(now: Report, earlier: Report): readonly string[] {
  return now.rows.flatMap((row) => {
    const before = earlier.rows.find(({ name }) => name === row.name);
    if (before === undefined) return [];
    // The worst round of one against the best of the other: only where they do not meet is it no noise.
    const [low, high] = row.spread;
    const [lowBefore, highBefore] = before.spread;
    const isSlower = row.better === "more" ? high < lowBefore * (1 - NOISE) : low > highBefore * (1 + NOISE);
    return isSlower ? [`${row.name}: ${row.value.toFixed(2)}, was ${before.value.toFixed(2)}`] : [];
  });
}
