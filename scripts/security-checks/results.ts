/** What became of the tests, read from the runner's report and from what the smoke test prints. */
import type { Check } from "./checks.ts";

export type Outcome = "passed" | "failed" | "skipped";
export type Result = Outcome | "not run";

export interface Run {
  readonly file: string;
  readonly name: string;
  /** The groups it stands in; empty where it stands in none. */
  readonly groups: string;
  readonly outcome: Outcome;
}

/** The report that `bun test --reporter=junit` writes. */
export function runsInReport(xml: string): readonly Run[] {
  const cases = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return [...cases].map(([, attributes = "", content = ""]) => ({
    file: attribute(attributes, "file"),
    name: attribute(attributes, "name"),
    groups: attribute(attributes, "classname"),
    outcome: outcomeOf(content),
  }));
}

function outcomeOf(content: string): Outcome {
  if (/<(?:failure|error)\b/.test(content)) return "failed";
  return /<skipped\b/.test(content) ? "skipped" : "passed";
}

function attribute(attributes: string, name: string): string {
  const [, value = ""] = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes) ?? [];
  return value.replaceAll(/&(?:#(\d+)|(\w+));/g, (whole, code: string | undefined, word: string) =>
    code === undefined ? (ENTITIES[word] ?? whole) : String.fromCodePoint(Number(code)),
  );
}

const ENTITIES: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };

/** The lines of `scripts/smoke.ts`. */
export function runsInSmoke(printed: string): readonly Run[] {
  const lines = printed.matchAll(/^(not )?ok - (.*)$/gm);
  return [...lines].map(([, not, name = ""]) => ({
    file: "scripts/smoke.ts",
    name,
    groups: "",
    outcome: not === undefined ? "passed" : "failed",
  }));
}

/** The worst of what became of a check wherever it ran, as on either engine. */
export function resultOf(check: Check, runs: readonly Run[]): Result {
  return worst(runs.filter((run) => isOf(check, run)).map(({ outcome }) => outcome));
}

const WORST_FIRST: readonly Result[] = ["failed", "not run", "skipped", "passed"];

export function worst(results: readonly Result[]): Result {
  return WORST_FIRST.find((result) => results.includes(result)) ?? "not run";
}

function isOf({ name, numbers, isGroup, file }: Check, run: Run): boolean {
  if (run.file !== file) return false;
  const title = `${numbers.map((number) => `S${number} `).join("")}${name}`;
  const filledIn = title.split("…").map(RegExp.escape).join("[\\s\\S]*");
  // What a failed step says of why stands behind its name.
  return isGroup ? new RegExp(filledIn).test(run.groups) : new RegExp(`^${filledIn}(?:: |$)`).test(run.name);
}
