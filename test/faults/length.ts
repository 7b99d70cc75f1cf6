/**
 * How much harm is done. `bun test` does a short form of everything; `bun run faults` the long one, and prints its
 * figures. Each number can be set by itself, as in `FAULTS_ROUNDS=100 bun test test/faults/kill.test.ts`.
 */
const isLong = process.env["FAULTS"] === "long";

export function amount(name: string, { short, long }: { short: number; long: number }): number {
  const given = process.env[`FAULTS_${name}`];
  if (given === undefined || given === "") return isLong ? long : short;
  const value = Number(given);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`FAULTS_${name} is no positive integer`);
  return value;
}

/** What only a quiet machine and many repetitions can tell is told in the long form, and judged in neither. */
export function report(line: string): void {
  if (isLong) console.log(`  ${line}`);
}
