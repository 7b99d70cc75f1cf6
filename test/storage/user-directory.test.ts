import { beforeAll, expect, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import { AuditSealer } from "../../src/core/audit-chain.ts";
import type { Account } from "../../src/core/accounts.ts";
import type { NewAccount, Store, UserFilter } from "../../src/core/store.ts";
import type { Database } from "../../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../../src/storage/migrations.ts";
import { integer, text } from "../../src/storage/rows.ts";
import { openStore } from "../../src/storage/store.ts";
import { numbers } from "../support/numbers.ts";
import { forEachEngine } from "./engines.ts";

const USERS = 6_000;
const SQLITE_INDEXES = ["users_search", "users_search_long"];
const NOW_MS = 1_800_000_000_000;

/** Some runs of letters are everybody's, some many people's, some nearly nobody's. */
const FILL = `${numbers(USERS)} INSERT INTO users
  (email, username, username_key, name, name_key, password_hash, is_active, created_at_ms, deleted_at_ms)
  SELECT 'user' || i || '@example.org', 'User' || i, 'user' || i, 'Ada Sample ' || (i % 100),
    'ada sample ' || (i % 100), 'none', i % 10 <> 0, ${NOW_MS} + i, CASE WHEN i % 20 = 7 THEN ${NOW_MS} ELSE NULL END
  FROM numbers`;
const UNUSUAL = [
  'the "quoted" one',
  "100%_sure\\really",
  "Ωmega straße",
  "日本語の名前",
  "a name of more than twenty-four runs of three letters, and then some, to its end",
] as const;

function register(store: Store, email: string, about: Partial<NewAccount> = {}): Promise<Account> {
  const nameless = { username: null, usernameKey: null, name: null, phone: null };
  const account = { ...nameless, email, passwordHash: "none", createdAtMs: NOW_MS, ...about };
  return store.write((tx) => tx.accounts("user").insert(account));
}

forEachEngine("a search in the directory", (_, open) => {
  let store: Store;
  let everyone: readonly { readonly id: number; readonly text: string; readonly isBlocked: boolean }[];

  beforeAll(async () => {
    const database = open();
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    await database.writeAlone((connection) => connection.script(FILL));
    store = openStore(database, new AuditSealer("a secret of the tests"));
    for (const [index, name] of UNUSUAL.entries()) {
      await register(store, `unusual${index}@example.net`, { name });
    }
    const rows = await database.reader.all(
      "SELECT id, text, CASE WHEN is_active THEN 0 ELSE 1 END AS blocked FROM users_searched WHERE deleted_at_ms IS NULL",
    );
    everyone = rows.map((row) => ({
      id: integer(row, "id"),
      text: text(row, "text"),
      isBlocked: integer(row, "blocked") === 1,
    }));
  });

  /** What to find, by looking at every row. */
  function expected({ search, isActive }: UserFilter): readonly number[] {
    const sought = search?.toLowerCase() ?? "";
    return everyone
      .filter((user) => user.text.includes(sought) && (isActive === null || user.isBlocked !== isActive))
      .map(({ id }) => id)
      .toSorted((a, b) => b - a);
  }

  test.each([
    ["whose runs are rare", "user4321@example.org"],
    ["whose runs are common, but together are one's", "user1@"],
    ["that some hundred match", "321"],
    ["that thousands match", "sample"],
    ["that everybody matches but the unusual", "@example.org"],
    ["of which one run is nobody's", "user4321@example.com"],
    ["that nobody matches, though each run is somebody's", "99@example.net"],
    ["across two fields", "org\nuser4321"],
    ["in other letters", "USER4321@"],
    ["with quotation marks", '"quoted"'],
    ["of quotation marks", 'the "'],
    ["with what is special to LIKE", "100%_sure\\"],
    ["of nothing but what is special to LIKE", "%_s"],
    ["in another script", "語の名"],
    ["with letters of two bytes", "Ωmega stra"],
    ["of three letters", "omy"],
    ["of two letters", "or"],
    ["longer than the runs that are looked at", UNUSUAL[4]],
    ["longer than those, and different at its end", `${UNUSUAL[4]}s`],
  ])("finds and counts what it should by a text %s", async (_, search) => {
    const limit = 50;
    for (const isActive of [null, true, false]) {
      const filter = { search, isActive, deleted: false };
      const ids = expected(filter);
      expect(await store.read.directory.count(filter)).toBe(ids.length);
      const slice = { order: { key: "id", descending: true }, limit } as const;
      const page = async (offset: number, after: number | null) => {
        const position = after === null ? null : { value: after, id: after };
        const found = await store.read.directory.users(filter, { ...slice, offset, after: position });
        return found.map(({ id }) => id);
      };
      expect(await page(0, null)).toEqual(ids.slice(0, limit));
      expect(await page(20, null)).toEqual(ids.slice(20, 20 + limit));
      const behind = ids[30];
      if (behind !== undefined) expect(await page(0, behind)).toEqual(ids.slice(31, 31 + limit));
    }
  });
});

forEachEngine("the index of searches", (engine, open) => {
  let store: Store;
  let database: Database;

  beforeAll(async () => {
    database = open();
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    store = openStore(database, new AuditSealer("a secret of the tests"));
  });

  async function find(search: string): Promise<readonly string[]> {
    const slice = { order: { key: "id", descending: true }, limit: 9, offset: 0, after: null } as const;
    const found = await store.read.directory.users({ search, isActive: null, deleted: false }, slice);
    return found.map(({ email }) => email);
  }

  async function merge(): Promise<number> {
    let steps = 0;
    while (await store.write((tx) => tx.directory.mergeIndex())) steps += 1;
    return steps;
  }

  async function parts(index: string): Promise<number> {
    const row = await database.reader.first(`SELECT COUNT(DISTINCT segid) AS parts FROM ${index}_idx`);
    return integer(row ?? {}, "parts");
  }

  test("is made one of its parts, step by step, where none of them is most of it", async () => {
    for (let index = 0; index < 3; index += 1) await register(store, `person${index}@example.org`);
    await merge();
    if (engine === "sqlite") expect(await parts("users_search_long")).toBe(1);
    await database.writeAlone((connection) => connection.script(FILL));
    for (let index = 3; index < 6; index += 1) await register(store, `person${index}@example.org`);
    if (engine === "sqlite") expect(await parts("users_search_long")).toBeGreaterThan(3);
    const steps = await merge();
    if (engine === "sqlite") {
      expect(steps).toBeGreaterThan(2);
      for (const index of SQLITE_INDEXES) expect(await parts(index)).toBe(1);
    }
    expect(await find("person5@")).toEqual(["person5@example.org"]);
    expect(await find("on4")).toEqual(["person4@example.org"]);
    expect(await find("user4321@")).toEqual(["user4321@example.org"]);

    await register(store, "person6@example.org");
    expect(await merge()).toBe(0);
    if (engine === "sqlite") expect(await parts("users_search_long")).toBe(2);
    expect(await find("person6@")).toEqual(["person6@example.org"]);
  });

  test("holds a text to its end", async () => {
    await register(store, "reachable@example.org", { phone: "+49 (0) xyz" });
    for (const search of ["0) xyz", ") xyz", "xyz", "reach", "g\n\n\n+4"]) {
      expect(await find(search)).toEqual(["reachable@example.org"]);
    }
  });

  test("holds what a user is called now, and nobody who is gone", async () => {
    const change = { email: "somebody.else@example.org" };
    const renamed = await register(store, "first.name@example.org");
    const gone = await register(store, "no.longer.here@example.org");
    await store.write((tx) => tx.accounts("user").update(renamed.id, change, NOW_MS));
    await store.write((tx) => tx.accounts("user").delete(gone.id, NOW_MS));
    expect(await store.write((tx) => tx.accounts("user").purge(gone.id))).toBe(true);
    expect(await find("body.els")).toEqual(["somebody.else@example.org"]);
    expect(await find("ody")).toEqual(["somebody.else@example.org"]);
    expect(await find("first.name")).toEqual([]);
    expect(await find("longer")).toEqual([]);
    if (engine === "postgres") return;
    // Held against the rows, which fails where they differ.
    for (const index of SQLITE_INDEXES) {
      await database.write((connection) =>
        connection.run(`INSERT INTO ${index} (${index}, rank) VALUES ('integrity-check', 1)`),
      );
    }
  });
});
