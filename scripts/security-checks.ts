/**
 * Writes docs/security-checks.md: what must hold, by number, the tests that show it, which carry the number in their
 * names, and what became of them. Fails where one has not passed.
 *
 *     bun run security-checks                                         runs every test, and the binary's, and writes
 *     bun scripts/security-checks.ts --reports FOLDER --smoke FILE    reads what a run has said, and writes nothing
 *
 * The reports are those of `bun run test --reports`; the file is what `bun run smoke` prints.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { alignedTable } from "./aligned-table.ts";
import { checksIn } from "./security-checks/checks.ts";
import type { Check } from "./security-checks/checks.ts";
import { PROPERTIES } from "./security-checks/properties.ts";
import { resultOf, runsInReport, runsInSmoke, worst } from "./security-checks/results.ts";
import type { Result, Run } from "./security-checks/results.ts";

const ROOT = join(import.meta.dir, "..");
const PAGE = join(ROOT, "docs/security-checks.md");
const SOURCES = ["test/**/*.test.ts", "scripts/smoke.ts"];

type Judge = (check: Check) => Result;

interface Property {
  readonly number: number;
  readonly text: string;
  readonly checks: readonly { readonly check: Check; readonly result: Result }[];
  readonly result: Result;
}

export function properties(root: string, judge: Judge): readonly Property[] {
  const files = SOURCES.flatMap((glob) => [...new Bun.Glob(glob).scanSync(root)]).toSorted();
  const all = files.flatMap((file) => checksIn(file, readFileSync(join(root, file), "utf8")));
  return PROPERTIES.map((text, index) => {
    const number = index + 1;
    const checks = all
      .filter(({ numbers }) => numbers.includes(number))
      .map((check) => ({ check, result: judge(check) }));
    return { number, text, checks, result: worst(checks.map(({ result }) => result)) };
  });
}

export function page(found: readonly Property[]): string {
  return [
    "# Security checks",
    "",
    "What must hold, the tests that show it, and what became of them where this page was made: by `bun run security-checks`,",
    "with SQLite, PostgreSQL, Redis and the binary. `bun run check` runs them all but the binary's, which `bun run smoke` does;",
    "`bun run faults` has the long form of the faults.",
    "",
    alignedTable([
      ["number", "property", "tests", "result"],
      ...found.map(({ number, text, checks, result }) => [link(number), text, String(checks.length), result]),
    ]),
    "",
    found.map(section).join("\n\n"),
    "",
  ].join("\n");
}

function link(number: number): string {
  return `[S${number}](#s${number})`;
}

function section({ number, text, checks }: Property): string {
  const lines = checks.map(({ check, result }) => `- ${result}: ${described(check)} (\`${check.file}\`)`);
  return [`## S${number}`, "", `${text}.`, "", ...new Set(lines)].join("\n");
}

function described({ name, isGroup }: Check): string {
  return `${isGroup ? "everything under: " : ""}${name}`.replaceAll(/[*_<>[\]]/g, "\\$&");
}

/** Whole files: some of their tests go on from those before them. */
async function runAll(): Promise<readonly Run[]> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-checks-"));
  try {
    await told("bun", "run", "test", "--reports", folder);
    await told("bun", "run", "build");
    return runsIn(folder, await told("bun", "run", "smoke"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runsIn(reports: string, smoke: string): readonly Run[] {
  const files = [...new Bun.Glob("*.xml").scanSync({ cwd: reports, absolute: true })];
  return [...files.flatMap((file) => runsInReport(readFileSync(file, "utf8"))), ...runsInSmoke(smoke)];
}

/** That one failed is seen from what it says: a run that stopped short has run nothing. */
async function told(...command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { cwd: ROOT, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const printed = await child.stdout.text();
  process.stdout.write(printed);
  return printed;
}

async function main(): Promise<number> {
  const { reports, smoke } = parseArgs({
    options: { reports: { type: "string" }, smoke: { type: "string" } },
  }).values;
  const isGiven = reports !== undefined && smoke !== undefined;
  const runs = isGiven ? runsIn(reports, readFileSync(smoke, "utf8")) : await runAll();
  const found = properties(ROOT, (check) => resultOf(check, runs));
  if (!isGiven) writeFileSync(PAGE, page(found));
  const open = found.filter(({ result }) => result !== "passed");
  for (const { number, text, checks } of open) {
    console.log(`not ok - S${number} ${text}`);
    for (const { check, result } of checks) {
      if (result !== "passed") console.log(`  ${result}: ${check.name} (${check.file})`);
    }
  }
  console.log(`${found.length - open.length} of ${found.length} hold`);
  return open.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main();
