/**
 * How many writes a second the audit trail lets through: each adds to one chain, so they wait for one another.
 *
 *     bun bench/audited-writes.ts [postgres://…/an-empty-database]
 *
 * SQLite runs in a temporary folder; PostgreSQL only where an address is given, and what is in it stays there.
 */
import { migrationFiles } from "../migrations/index.ts";
import { OPERATOR } from "../src/core/actor.ts";
import { AuditSealer } from "../src/core/audit-chain.ts";
import { systemClock } from "../src/core/clock.ts";
import type { Database } from "../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../src/storage/migrations.ts";
import { openStore } from "../src/storage/store.ts";
import { onEachEngine } from "./engines.ts";

const POSTGRES_URL = process.argv[2];
const AT_ONCE = 32;
const SECONDS = 5;

async function measure(database: Database): Promise<void> {
  await migrateUp(database, parseMigrations(migrationFiles), systemClock);
  const store = openStore(database, new AuditSealer("only for measuring"));
  const endsAtMs = performance.now() + SECONDS * 1_000;
  let writes = 0;
  const write = async () => {
    while (performance.now() < endsAtMs) {
      const subject = { realm: "user", id: null } as const;
      await store.write(async (tx) => {
        const atMs = systemClock.nowMs();
        tx.audit.record({ event: "login.succeeded", atMs, by: OPERATOR, subject, detail: {} });
      });
      writes += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, write));
  console.log(
    `${database.engine}: ${Math.round(writes / SECONDS)} audited writes a second, ${AT_ONCE} at once`,
  );
}

await onEachEngine(POSTGRES_URL, measure);
