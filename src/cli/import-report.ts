import { appendFileSync, closeSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import type { Finding } from "../core/import/findings.ts";
import type { TableTally } from "../core/import/importer.ts";
import { TARGET_TABLE } from "../core/import/mapping.ts";
import type { ImportPlan, PlannedTable } from "../core/import/plan.ts";
import { systemCode } from "../core/system-code.ts";
import type { Terminal } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

const IDS_SHOWN = 3;

interface Counted {
  readonly finding: Finding;
  rows: number;
  readonly ids: string[];
}

/** What was found out about rows: each of them in a file where one is wanted, and counted by its reason. */
export class ImportReport {
  readonly #file: ReportFile | null;
  readonly #counted = new Map<string, Counted>();

  constructor(path: string | undefined) {
    this.#file = path === undefined ? null : new ReportFile(path);
  }

  /** In the place of what was written and not counted since: it is of the same rows, of which nothing was kept. */
  write(findings: readonly Finding[]): void {
    this.#file?.replaceLatest(findings.map((finding) => `${JSON.stringify(finding)}\n`).join(""));
  }

  count(finding: Finding): void {
    this.#file?.keepLatest();
    const { table, code, id } = finding;
    const counted = this.#counted.get(`${table} ${code}`) ?? { finding, rows: 0, ids: [] };
    counted.rows += 1;
    if (id !== null && counted.ids.length < IDS_SHOWN) counted.ids.push(id);
    this.#counted.set(`${table} ${code}`, counted);
  }

  of(table: string, outcome: Finding["outcome"]): readonly Readonly<Counted>[] {
    return [...this.#counted.values()].filter(
      ({ finding }) => finding.table === table && finding.outcome === outcome,
    );
  }

  close(): void {
    this.#file?.close();
  }
}

class ReportFile {
  readonly #path: string;
  readonly #file: number;
  #bytes = 0;
  #keptBytes = 0;

  /** An earlier report tells what a later one does not: it is not written over. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, "ax", 0o600);
    } catch (error) {
      throw systemCode(error) === "EEXIST"
        ? new Refusal(`--report: ${path} is there already, and is not written over`, exitCodes.inputOutput)
        : this.#unwritable(error);
    }
  }

  /** Whole or not at all: half of a line would be no JSON. */
  replaceLatest(text: string): void {
    try {
      ftruncateSync(this.#file, this.#keptBytes);
      this.#append(text);
      this.#bytes = fstatSync(this.#file).size;
    } catch (error) {
      throw this.#unwritable(error);
    }
  }

  keepLatest(): void {
    this.#keptBytes = this.#bytes;
  }

  close(): void {
    closeSync(this.#file);
  }

  #append(text: string): void {
    try {
      appendFileSync(this.#file, text);
    } catch (error) {
      ftruncateSync(this.#file, this.#keptBytes);
      throw error;
    }
  }

  #unwritable(error: unknown): Refusal {
    const reason = error instanceof Error ? error.message : String(error);
    return new Refusal(`--report: ${this.#path} cannot be written: ${reason}`, exitCodes.inputOutput);
  }
}

export function tellPlan({ backend, tables, leftOut }: ImportPlan, terminal: Terminal): void {
  const names = tables.map(({ mapping }) => mapping.table).join(", ");
  terminal.out(`looks like ${backend} (${names})`);
  for (const table of tables) tellMapping(table, terminal);
  terminal.out("");
  for (const { table, rows, why } of leftOut) {
    terminal.out(`left out: ${table}, ${amount(rows)}: ${why}`);
  }
  if (leftOut.length > 0) terminal.out("");
}

function tellMapping({ mapping, rows, known, highestId }: PlannedTable, terminal: Terminal): void {
  const { table, noun, columns, leftOut } = mapping;
  const here = known === 0 ? "" : `, ${known} of them taken before`;
  terminal.out("");
  terminal.out(`${table} → ${TARGET_TABLE[noun]}: ${amount(rows)}${here}`);
  const width = Math.max(...columns.map(({ from }) => from.length));
  for (const { field, from, to } of columns) {
    const ids = highestId === null ? ", new ones" : ", kept where they are free here";
    terminal.out(`  ${from.padEnd(width)} → ${to}${field === "id" ? ids : ""}`);
  }
  if (!columns.some(({ field }) => field === "createdAt")) {
    terminal.out(`  ${"".padEnd(width)} → created_at_ms, the time of the import`);
  }
  for (const { column, why } of leftOut) terminal.out(`  left out: ${column}, which ${why}`);
}

function amount(rows: number): string {
  return `${rows} ${rows === 1 ? "row" : "rows"}`;
}

export function tellTallies(
  tallies: readonly TableTally[],
  report: ImportReport,
  applied: boolean,
  terminal: Terminal,
): void {
  terminal.out("");
  for (const { table, taken, known, leftOut } of tallies) {
    const before = known === 0 ? "" : `, ${known} taken before`;
    terminal.out(`${table}: ${taken} ${applied ? "taken" : "to be taken"}${before}, ${leftOut} left out`);
    for (const outcome of ["left out", "changed"] as const) {
      for (const { finding, rows, ids } of report.of(table, outcome)) {
        const shown = rows > ids.length ? [...ids, "…"] : ids;
        const which = ids.length === 0 ? "" : ` (id ${shown.join(", ")})`;
        terminal.out(`  ${rows} ${outcome}: ${finding.reason}${which}`);
      }
    }
  }
  if (!applied) terminal.out("nothing was written: --apply does it");
}
