import type { Reads } from "../store.ts";
import { recognise } from "./backends.ts";
import { columnOf } from "./mapping.ts";
import type { TableMapping } from "./mapping.ts";
import type { Source } from "./source.ts";

/** What a source holds, and what would become of it. */
export interface ImportPlan {
  readonly backend: string;
  /** In the order in which they are taken. */
  readonly tables: readonly PlannedTable[];
  readonly leftOut: readonly { readonly table: string; readonly rows: number; readonly why: string }[];
}

export interface PlannedTable {
  readonly mapping: TableMapping;
  readonly rows: number;
  /** So many of them are here already. */
  readonly known: number;
  /** Null where ids are no numbers, or such as nobody should count up to: then all rows get new ones. */
  readonly highestId: number | null;
}

const MAX_KEPT_ID = 2 ** 40;

/** Fails with `SourceRefused` where the source is none of the backends'. */
export async function planImport(source: Source, name: string, reads: Reads): Promise<ImportPlan> {
  const { backend, mappings, leftOut } = recognise(await source.tables());
  const tables: PlannedTable[] = [];
  for (const mapping of mappings) tables.push(await planTable(source, name, reads, mapping));
  const counted = [];
  for (const { table, why } of leftOut) counted.push({ table, rows: await source.count(table), why });
  return { backend, tables, leftOut: counted };
}

async function planTable(
  source: Source,
  name: string,
  reads: Reads,
  mapping: TableMapping,
): Promise<PlannedTable> {
  const { id } = await reads.imports.table(name, mapping.table, mapping.noun);
  const highestId = await source.highest(mapping.table, columnOf(mapping, "id") ?? "id");
  return {
    mapping,
    rows: await source.count(mapping.table),
    known: id === null ? 0 : await reads.imports.countTaken(id),
    highestId: highestId !== null && highestId <= MAX_KEPT_ID ? highestId : null,
  };
}
