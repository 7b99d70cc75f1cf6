import { Database } from "bun:sqlite";
import { beforeAll } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Importer } from "../../src/core/import/importer.ts";
import type { TableTally } from "../../src/core/import/importer.ts";
import type { Finding } from "../../src/core/import/findings.ts";
import { planImport } from "../../src/core/import/plan.ts";
import type { ImportPlan } from "../../src/core/import/plan.ts";
import { openSource } from "../../src/storage/source.ts";
import type { SourceAddress } from "../../src/storage/source.ts";
import { temporaryPostgres } from "./postgres.ts";
import { scratchFolder } from "./process.ts";
import type { TestProgram } from "./program.ts";

const FIXTURES = join(import.meta.dir, "../fixtures/import");

/** The database of one of the five, as its own stack makes it. */
export function fixture(backend: string, engine: SourceAddress["engine"]): string {
  return readFileSync(join(FIXTURES, `${backend}.${engine}.sql`), "utf8");
}

export interface TestSource {
  readonly address: SourceAddress;
  run(sql: string): Promise<void>;
}

/** A source of the suite's own, filled by a text before its tests. */
export function temporarySource(engine: SourceAddress["engine"], sql: string): TestSource {
  const source = engine === "sqlite" ? onSqlite() : onPostgres();
  beforeAll(() => source.run(sql));
  return source;
}

function onSqlite(): TestSource {
  const path = join(scratchFolder(), "source.db");
  return {
    address: { engine: "sqlite", path },
    async run(sql) {
      using database = new Database(path);
      database.run(sql);
    },
  };
}

function onPostgres(): TestSource {
  const url = temporaryPostgres();
  return {
    address: { engine: "postgres", url },
    async run(sql) {
      const server = new Bun.SQL({ url, max: 1 });
      try {
        await server.unsafe(sql);
      } finally {
        await server.close({ timeout: 0 });
      }
    },
  };
}

export interface Imported {
  readonly plan: ImportPlan;
  readonly tallies: readonly TableTally[];
  readonly findings: readonly Finding[];
}

/** Imports in this process; `stopAfter` ends it after so many batches, as a signal does. */
export async function importFrom(
  { core }: TestProgram,
  { address }: TestSource,
  { applies = true, name = "the source", stopAfter = Infinity } = {},
): Promise<Imported> {
  const { store, clock } = core;
  const source = await openSource(address);
  try {
    const plan = await planImport(source, name, store.read);
    const findings: Finding[] = [];
    let batches = 0;
    const tallies = await new Importer({ source, name, store, clock }).run(plan, {
      applies,
      isStopped: () => batches >= stopAfter,
      onFinding: (finding) => findings.push(finding),
      onProgress: () => void (batches += 1),
      betweenWrites: () => Promise.resolve(),
    });
    return { plan, tallies, findings };
  } finally {
    await source.close();
  }
}
