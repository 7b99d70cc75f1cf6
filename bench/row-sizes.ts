/**
 * How many bytes a row of each kind takes in the database, indexes included, on both engines: what sizing goes by.
 *
 *     bun bench/row-sizes.ts [ACCOUNTS] [postgres://…/an-empty-database]
 *
 * Rows are made by the product's own storage. SQLite runs in a temporary folder; PostgreSQL only where an address is
 * given, and what is in it stays there.
 */
import { randomBytes } from "node:crypto";
import { migrationFiles } from "../migrations/index.ts";
import type { Actor } from "../src/core/actor.ts";
import { AuditSealer } from "../src/core/audit-chain.ts";
import { DAY_MS, systemClock } from "../src/core/clock.ts";
import { makeDemo } from "../src/core/demo.ts";
import type { Store, Writes } from "../src/core/store.ts";
import type { Database } from "../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../src/storage/migrations.ts";
import { integer } from "../src/storage/rows.ts";
import { openStore } from "../src/storage/store.ts";
import { onEachEngine } from "./engines.ts";

const ACCOUNTS = Number(process.argv[2] ?? 20_000);
const POSTGRES_URL = process.argv[3];
const TODOS_EACH = 5;
const ROWS_A_WRITE = 500;
const HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdHNvbWVzYWx0c29tZXNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
const BY: Actor = {
  account: null,
  clientAddress: "203.0.113.77",
  requestId: "0198b1a6-2d5b-7c7e-9d0e-6a5b3b1f0c11",
  userAgent:
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
};

const SIZE: Readonly<Record<Database["engine"], string>> = {
  sqlite: "SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()",
  postgres: "SELECT pg_database_size(current_database()) AS bytes",
};

/** What each account leaves behind, beside itself and its todos. */
const KINDS: readonly (readonly [kind: string, make: (tx: Writes, accountId: number) => Promise<void>])[] = [
  [
    "an open session with its refresh token",
    async (tx, accountId) => {
      const nowMs = systemClock.nowMs();
      const session = await tx.sessions.insert({
        accountId,
        kind: "rotating",
        createdAtMs: nowMs,
        endsAtMs: null,
        clientAddress: BY.clientAddress,
        userAgent: BY.userAgent,
      });
      await tx.sessions.insertToken(token(session.id, nowMs));
    },
  ],
  [
    "one more refresh token of a session, used",
    async (tx, accountId) => {
      await tx.sessions.insertToken(token(accountId, systemClock.nowMs()));
    },
  ],
  [
    "a login in the audit trail",
    async (tx, id) => {
      const subject = { realm: "user", id } as const;
      tx.audit.record({ event: "login.succeeded", atMs: systemClock.nowMs(), by: BY, subject, detail: {} });
    },
  ],
  [
    "the count of failed logins of a name",
    async (tx, accountId) => {
      await tx.loginAttempts.lock("user", `account:${accountId}`, systemClock.nowMs());
    },
  ],
  [
    "an idempotency key with its answer",
    async (tx, accountId) => {
      const nowMs = systemClock.nowMs();
      await tx.idempotency.keep({
        key: crypto.randomUUID(),
        owner: `user:${accountId}`,
        fingerprint: randomBytes(32),
        answer: {
          status: 201,
          headers: { location: `/api/v1/todos/${accountId}` },
          body: '{"id":1}'.padEnd(220),
        },
        createdAtMs: nowMs,
        expiresAtMs: nowMs + DAY_MS,
      });
    },
  ],
];

function token(sessionId: number, nowMs: number) {
  return { sessionId, tokenHash: randomBytes(32), createdAtMs: nowMs, expiresAtMs: nowMs + 7 * DAY_MS };
}

async function bytesOf(database: Database): Promise<number> {
  return integer((await database.reader.first(SIZE[database.engine])) ?? {}, "bytes");
}

async function grownBy(database: Database, rows: number, make: () => Promise<void>): Promise<number> {
  const before = await bytesOf(database);
  await make();
  return Math.round(((await bytesOf(database)) - before) / rows);
}

async function forEachAccount(store: Store, make: (tx: Writes, id: number) => Promise<void>): Promise<void> {
  for (let first = 1; first <= ACCOUNTS; first += ROWS_A_WRITE) {
    await store.write(async (tx) => {
      for (let id = first; id < first + ROWS_A_WRITE && id <= ACCOUNTS; id += 1) await make(tx, id);
    });
  }
}

async function measure(database: Database): Promise<void> {
  await migrateUp(database, parseMigrations(migrationFiles), systemClock);
  const store = openStore(database, new AuditSealer("only for measuring"));
  const demo = { tag: "sizes", passwordHash: HASH };
  const fill = (users: number, todos: number) =>
    makeDemo({ store, clock: systemClock }, { users, todos, ...demo }, () => {});
  const tell = (kind: string, bytes: number) =>
    console.log(`${database.engine.padEnd(8)}  ${kind.padEnd(42)} ${String(bytes).padStart(6)} bytes`);

  const account = await grownBy(database, ACCOUNTS, () => fill(ACCOUNTS, 0));
  tell("an account", account);
  for (const [kind, make] of KINDS) {
    tell(kind, await grownBy(database, ACCOUNTS, () => forEachAccount(store, make)));
  }
  demo.tag = "more";
  const withTodos = await grownBy(database, ACCOUNTS, () => fill(ACCOUNTS, ACCOUNTS * TODOS_EACH));
  tell("a todo", Math.round((withTodos - account) / TODOS_EACH));
}

await onEachEngine(POSTGRES_URL, measure);
