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
  /** How often it let others have their turn. */
  readonly turns: number;
}

interface Importing {
  readonly applies?: boolean;
  readonly name?: string;
  /** Ends it after so many batches, as a signal does. */
  readonly stopAfter?: number;
  readonly beforeKept?: (findings: readonly Finding[]) => void;
}

/** Imports in this process. */
export async function importFrom(
  { core }: TestProgram,
  { address }: TestSource,
  { applies = true, name = "the source", stopAfter = Infinity, beforeKept = () => {} }: Importing = {},
): Promise<Imported> {
  const { store, clock } = core;
  const source = await openSource(address);
  try {
    const plan = await planImport(source, name, store.read);
    const findings: Finding[] = [];
    let batches = 0;
    let turns = 0;
    const tallies = await new Importer({ source, name, store, clock }).run(plan, {
      applies,
      isStopped: () => batches >= stopAfter,
      beforeKept,
      onFinding: (finding) => findings.push(finding),
      onProgress: () => void (batches += 1),
      betweenWrites: async () => void (turns += 1),
    });
    return { plan, tallies, findings, turns };
  } finally {
    await source.close();
  }
}

/** For accounts that nobody logs in to. */
export const HASH = "$2b$10$ynvpiVO1NYf8wSh9aJBlXO9FRwFxkJOXY1c2WQy7BbofQXf.4j5km";

/** Users and todos with every column that is taken of them, of types that hold whatever a test puts there. */
export const LOOSE = `
  CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR, username VARCHAR, name VARCHAR, phone VARCHAR,
    hashed_password VARCHAR, role VARCHAR, is_active BOOLEAN, created_at VARCHAR, updated_at VARCHAR, deleted_at VARCHAR);
  CREATE TABLE todos (id INTEGER PRIMARY KEY, title VARCHAR, description VARCHAR, completed BOOLEAN, priority VARCHAR,
    user_id INTEGER, created_at VARCHAR, updated_at VARCHAR);
`;

interface UserRow {
  readonly email: string | null;
  readonly username?: string;
  readonly name?: string;
  readonly phone?: string;
  readonly hash?: string;
  readonly role?: string;
  readonly active?: string;
  readonly created?: string;
  readonly updated?: string;
  readonly deleted?: string;
}

const literal = (text: string | null | undefined) =>
  text === null || text === undefined ? "NULL" : `'${text.replaceAll("'", "''")}'`;

export function user(id: number, { hash = HASH, active = "TRUE", ...row }: UserRow): string {
  const values = [row.email, row.username, row.name, row.phone, hash, row.role].map(literal).join(", ");
  const times = [row.created, row.updated, row.deleted].map(literal).join(", ");
  return `INSERT INTO users VALUES (${id}, ${values}, ${active}, ${times});\n`;
}

export function todo(
  id: number,
  title: string,
  owner: number | null,
  rest: { description?: string; priority?: string } = {},
) {
  const values = [title, rest.description].map(literal).join(", ");
  return `INSERT INTO todos VALUES (${id}, ${values}, FALSE, ${literal(rest.priority)}, ${owner ?? "NULL"}, NULL, NULL);\n`;
}

/** What was told, in short. */
export const codes = ({ findings }: Imported) =>
  findings.map(({ table, id, code }) => `${table} ${id} ${code}`);
