/**
 * What `GET /admin/users` costs the database with a million users, on both engines.
 *
 *   bun bench/admin-list.ts [users] [postgres://…/an-empty-database]
 *
 * SQLite runs in a temporary folder; PostgreSQL only where an address is given, and what is in it stays there.
 */
import { migrationFiles } from "../migrations/index.ts";
import { AuditSealer } from "../src/core/audit-chain.ts";
import { systemClock } from "../src/core/clock.ts";
import { Pages } from "../src/core/pages.ts";
import type { UserFilter } from "../src/core/store.ts";
import { UserDirectory } from "../src/core/user-directory.ts";
import type { Database } from "../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../src/storage/migrations.ts";
import { openStore } from "../src/storage/store.ts";
import { numbers } from "../test/support/numbers.ts";
import { onEachEngine } from "./engines.ts";

const USERS = Number(process.argv[2] ?? 1_000_000);
const POSTGRES_URL = process.argv[3];
const REPETITIONS = 15;
const INSERTS_MEASURED = 2_000;

/** One in ten is blocked, one in twenty deleted, and the names are such as people have. */
const FILL = `${numbers(USERS)} INSERT INTO users
  (email, username, username_key, name, name_key, phone, password_hash, is_active, created_at_ms, deleted_at_ms)
  SELECT 'person' || i || '@example' || (i % 50) || '.com', 'Person' || i, 'person' || i,
    CASE i % 4 WHEN 0 THEN 'Ada' WHEN 1 THEN 'Grace' WHEN 2 THEN 'Edsger' ELSE 'Barbara' END || ' Sample ' || (i % 1000),
    CASE i % 4 WHEN 0 THEN 'ada' WHEN 1 THEN 'grace' WHEN 2 THEN 'edsger' ELSE 'barbara' END || ' sample ' || (i % 1000),
    '+4915' || (100000000 + i), '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g',
    i % 10 <> 0, 1700000000000 + i, CASE WHEN i % 20 = 7 THEN 1750000000000 ELSE NULL END
  FROM numbers`;

const everyone: UserFilter = { search: null, isActive: null, deleted: false };
const cases: readonly (readonly [title: string, filter: UserFilter, page: number])[] = [
  ["first page", everyone, 1],
  ["first page, blocked", { ...everyone, isActive: false }, 1],
  ["first page, deleted", { ...everyone, deleted: true }, 1],
  ["page 1,000", everyone, 1_000],
  ["the last page", everyone, Math.ceil((USERS * 0.95) / 20)],
  ["search for one: an e-mail address", { ...everyone, search: `person${USERS - 500}@` }, 1],
  ["search for one, among the oldest", { ...everyone, search: "person77@example" }, 1],
  ["search for some 1,000: sample 123", { ...everyone, search: "ada sample 124" }, 1],
  ["search for nearly all: example", { ...everyone, search: "example" }, 1],
  ["search for nobody: nobodyhere", { ...everyone, search: "nobodyhere" }, 1],
  ["search for three letters: zzz", { ...everyone, search: "zzz" }, 1],
  ["search for two letters that many have: ad", { ...everyone, search: "ad" }, 1],
  ["search for two letters that nobody has: zz", { ...everyone, search: "zz" }, 1],
  ["search for a sign: %", { ...everyone, search: "%" }, 1],
];

async function measure(database: Database): Promise<void> {
  const store = openStore(database, new AuditSealer("only for measuring"));
  const directory = new UserDirectory({ store, pages: new Pages("bench") });
  await migrateUp(database, parseMigrations(migrationFiles), systemClock);
  const startedAtMs = performance.now();
  await database.writeAlone((connection) => connection.script(FILL));
  if (database.engine === "postgres")
    await database.writeAlone((connection) => connection.script("ANALYZE users"));
  while (await store.write((tx) => tx.directory.mergeIndex()));
  console.log(
    `\n${database.engine}: ${USERS} users, filled in ${Math.round((performance.now() - startedAtMs) / 1_000)} s`,
  );
  for (const [title, filter, page] of cases) {
    const durationsMs: number[] = [];
    let total = 0;
    for (let round = 0; round < REPETITIONS; round++) {
      const roundStartedAtMs = performance.now();
      const { numbered } = await directory.list(filter, { page, size: 20 });
      durationsMs.push(performance.now() - roundStartedAtMs);
      total = numbered?.total ?? 0;
    }
    console.log(`  ${title.padEnd(46)}${told(durationsMs)}   total ${total}`);
  }
  await measureInserts(database);
}

/** What keeping counts and an index of words costs whoever registers. */
async function measureInserts(database: Database): Promise<void> {
  const insert = (i: number) =>
    database.write((connection) =>
      connection.run(
        `INSERT INTO users (email, username, username_key, name, name_key, password_hash, created_at_ms)
         VALUES ($1, $2, $2, 'New Person', 'new person', 'x', 0)`,
        [`new${i}@example.com`, `new${i}`],
      ),
    );
  const startedAtMs = performance.now();
  for (let i = 0; i < INSERTS_MEASURED; i += 10)
    await Promise.all(Array.from({ length: 10 }, (_, nth) => insert(i + nth)));
  const eachMs = (performance.now() - startedAtMs) / INSERTS_MEASURED;
  console.log(`  ${"insert, ten at a time".padEnd(46)}${eachMs.toFixed(2)} ms each`);
}

function told(durationsMs: readonly number[]): string {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? 0).toFixed(1).padStart(7);
  return `median ${at(0.5)} ms, worst ${at(1)} ms`;
}

await onEachEngine(POSTGRES_URL, measure);
