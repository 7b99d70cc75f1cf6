/** Where what concerns storage alone is measured: SQLite in a temporary folder, PostgreSQL where an address is given. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Database } from "../src/storage/database.ts";
import { openPostgres } from "../src/storage/postgres.ts";
import { openSqlite } from "../src/storage/sqlite.ts";

/** Far longer than what is measured: filling is one write. */
const WATCHDOG_MS = 600_000;

/** One after the other; what is in PostgreSQL stays there. */
export async function onEachEngine(
  postgresUrl: string | undefined,
  measure: (database: Database) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-bench-"));
  try {
    await measureAndClose(openSqlite({ path: join(folder, "bench.db"), watchdogMs: WATCHDOG_MS }), measure);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (postgresUrl === undefined) return;
  const options = { poolMax: 10, acquireTimeoutMs: 10_000, statementTimeoutMs: 60_000, prepare: true };
  await measureAndClose(openPostgres({ url: postgresUrl, ...options }), measure);
}

async function measureAndClose(
  database: Database,
  measure: (database: Database) => Promise<void>,
): Promise<void> {
  try {
    await measure(database);
  } finally {
    await database.close();
  }
}
