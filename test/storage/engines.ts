import { afterAll, describe } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../../src/storage/database.ts";
import { openPostgres } from "../../src/storage/postgres.ts";
import { text } from "../../src/storage/rows.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";

/** A handle on the suite's database; a second one sees the same data, as another instance of the program does. */
export type Open = () => Database;

const isPostgresThere = await hasPostgres();

/** Declares a suite once for each engine, each on an empty database of its own that is gone afterwards. */
export function forEachEngine(title: string, suite: (name: Database["engine"], open: Open) => void): void {
  describe(`${title} on SQLite`, () => suite("sqlite", onSqlite()));
  if (isPostgresThere) describe(`${title} on PostgreSQL`, () => suite("postgres", onPostgres()));
}

/** Declares a suite once for each way from one database to another; `isAcross` is one from engine to engine. */
export function forEachPair(title: string, suite: (from: Open, to: Open, isAcross: boolean) => void): void {
  const engines = [["SQLite", onSqlite] as const, ["PostgreSQL", onPostgres] as const];
  const there = engines.slice(0, isPostgresThere ? 2 : 1);
  for (const [from, openFrom] of there) {
    for (const [to, openTo] of there) {
      describe(`${title} from ${from} to ${to}`, () => suite(openFrom(), openTo(), from !== to));
    }
  }
}

/** As it was before the first migration. */
export async function empty(database: Database): Promise<void> {
  if (database.engine === "postgres") {
    await database.writeAlone((connection) =>
      connection.script("DROP SCHEMA public CASCADE; CREATE SCHEMA public"),
    );
    return;
  }
  // A virtual table takes the tables that it keeps itself in along with it, and so goes first.
  const made = await database.reader.all(
    `SELECT upper(type) AS kind, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'
     ORDER BY sql NOT LIKE 'CREATE VIRTUAL%'`,
  );
  const drops = made.map((row) => `DROP ${text(row, "kind")} IF EXISTS ${text(row, "name")};`).join("");
  await database.writeAlone((connection) => connection.script(`${drops} SELECT 1`));
}

function onSqlite(): Open {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));
  const open = closedAfterwards(() => openSqlite({ path: join(folder, "test.db") }));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return open;
}

function onPostgres(): Open {
  // Bun runs `afterAll` in the order of declaration: handles close before their database is dropped.
  const databases = closedAfterwards(() => openPostgres({ url, ...POOL }));
  const url = temporaryPostgres();
  return databases;
}

const POOL = { poolMax: 8, acquireTimeoutMs: 5_000, statementTimeoutMs: 5_000, prepare: true } as const;

function closedAfterwards(open: Open): Open {
  const databases: Database[] = [];
  afterAll(async () => {
    await Promise.all(databases.map((database) => database.close()));
  });
  return () => {
    const database = open();
    databases.push(database);
    return database;
  };
}
