import { beforeAll, describe, expect, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import { AuditSealer } from "../../src/core/audit-chain.ts";
import type { Account } from "../../src/core/accounts.ts";
import type { Position, Slice } from "../../src/core/pages.ts";
import type { NewAccount, Store, UserFilter } from "../../src/core/store.ts";
import type { Database } from "../../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../../src/storage/migrations.ts";
import { boolean, integer, text } from "../../src/storage/rows.ts";
import { openStore } from "../../src/storage/store.ts";
import { userDirectoryReads } from "../../src/storage/user-directory.ts";
import { numbers } from "../support/numbers.ts";
import { forEachEngine } from "./engines.ts";
import { plan, recording } from "./plans.ts";
import type { Statement } from "./plans.ts";

const USERS = 6_000;
const SQLITE_INDEXES = ["users_search", "users_search_long"];
const NOW_MS = 1_800_000_000_000;
const LIMIT = 50;
const NEWEST_FIRST: Slice<"created_at"> = {
  order: { key: "created_at", descending: true },
  limit: LIMIT,
  offset: 0,
  after: null,
};

/** The last of them came by an import: they are older than the others, with later ids. */
const IS_IMPORTED = `i > ${USERS * 0.65}`;
/** In another order than that of the ids, and often several at one moment. */
const MADE_AT_MS = `${NOW_MS} + (i * 7919) % 1500 - CASE WHEN ${IS_IMPORTED} THEN 1500 ELSE 0 END`;
/** Some runs of letters are everybody's, some many people's, some nearly nobody's. */
const FILL = `${numbers(USERS)} INSERT INTO users
  (email, username, username_key, name, name_key, password_hash, is_active, created_at_ms, deleted_at_ms)
  SELECT 'user' || i || '@example.org', 'User' || i, 'user' || i, 'Ada Sample ' || (i % 100),
    'ada sample ' || (i % 100) || CASE WHEN ${IS_IMPORTED} THEN ', imported' ELSE '' END, 'none', i % 10 <> 0,
    ${MADE_AT_MS}, CASE WHEN i % 20 IN (7, 10) THEN ${NOW_MS} ELSE NULL END
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

forEachEngine("the directory", (engine, open) => {
  const database = open();
  let store: Store;
  let everyone: readonly User[];

  beforeAll(async () => {
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    await database.writeAlone((connection) => connection.script(FILL));
    store = openStore(database, new AuditSealer("a secret of the tests"));
    for (const [index, name] of UNUSUAL.entries()) {
      await register(store, `unusual${index}@example.net`, { name });
    }
    // PostgreSQL does so by itself in time; SQLite never does.
    if (engine === "postgres") await database.writeAlone((connection) => connection.script("ANALYZE"));
    everyone = await allUsers(database);
  });

  /** What to find, by looking at every row. */
  function expected({ search, isActive, deleted }: UserFilter): readonly User[] {
    const sought = search?.toLowerCase() ?? "";
    return everyone
      .filter((user) => user.text.includes(sought) && user.isDeleted === deleted)
      .filter((user) => isActive === null || user.isActive === isActive)
      .toSorted((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id);
  }

  async function page(filter: UserFilter, part: Partial<Slice<"created_at">>): Promise<readonly number[]> {
    const found = await store.read.directory.users(filter, { ...NEWEST_FIRST, ...part });
    return found.map(({ id }) => id);
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
    for (const isActive of [null, true, false]) {
      const filter = { search, isActive, deleted: false };
      const users = expected(filter);
      const ids = users.map(({ id }) => id);
      expect(await store.read.directory.count(filter)).toBe(ids.length);
      expect(await page(filter, {})).toEqual(ids.slice(0, LIMIT));
      expect(await page(filter, { offset: 20 })).toEqual(ids.slice(20, 20 + LIMIT));
      const behind = users[30];
      if (behind !== undefined)
        expect(await page(filter, { after: placeOf(behind) })).toEqual(ids.slice(31, 31 + LIMIT));
    }
  });

  describe.each([
    ["all", null],
    ["those whom a search finds by few candidates", "user43"],
    ["those of a search with many candidates", "sample"],
    ["those of a search with many candidates, all of them imported", "imported"],
    ["those of a search that no index serves", "or"],
  ])("%s", (_, search) => {
    test.each([
      ["live", null, false],
      ["active", true, false],
      ["blocked", false, false],
      ["deleted", null, true],
      ["deleted and blocked", false, true],
    ])("%s, are newest first through all pages, by cursor and by number", async (_, isActive, deleted) => {
      const filter = { search, isActive, deleted };
      const users = expected(filter);
      const ids = users.map(({ id }) => id);
      expect(ids).not.toEqual(ids.toSorted((a, b) => b - a));
      // No multiple of those of one moment: pages end between users of one moment.
      const limit = Math.ceil(ids.length / 15) * 2 + 1;
      const byCursor: number[] = [];
      const byNumber: number[] = [];
      for (let offset = 0; offset < ids.length; offset += limit) {
        const last = users[offset - 1];
        byCursor.push(...(await page(filter, { limit, after: last === undefined ? null : placeOf(last) })));
        byNumber.push(...(await page(filter, { limit, offset })));
      }
      expect(byCursor).toEqual(ids);
      expect(byNumber).toEqual(ids);
    });
  });

  test.each([
    ["live", null, false, "users_by_created_at"],
    ["blocked", false, false, "users_blocked_by_created_at"],
    ["deleted", null, true, "users_deleted_by_created_at"],
  ])("the %s come from an index, at the start and behind any", async (_, isActive, deleted, index) => {
    const statements: Statement[] = [];
    const directory = userDirectoryReads(recording(database.reader, statements), engine);
    const filter = { search: null, isActive, deleted };
    const last = expected(filter)[40];
    if (last === undefined) throw new Error("there are too few users to begin behind one");
    for (const after of [null, placeOf(last)])
      expect(await directory.users(filter, { ...NEWEST_FIRST, limit: 21, after })).toHaveLength(21);
    for (const statement of statements) {
      const text = await plan(database, statement);
      expect(text).toContain(index);
      expect(text).not.toMatch(/SCAN \w+\b(?! USING INDEX)|Seq Scan|Bitmap/);
      // Sorted are but the rows that are answered.
      expect(text.match(/TEMP B-TREE|Sort Key/g)).toHaveLength(1);
    }
  });

  if (engine === "sqlite")
    test("those of a search with many candidates come from the same index", async () => {
      const statements: Statement[] = [];
      const directory = userDirectoryReads(recording(database.reader, statements), engine);
      const filter = { search: "imported", isActive: null, deleted: false };
      expect(await directory.users(filter, NEWEST_FIRST)).toHaveLength(LIMIT);
      const portions = statements.filter(({ sql }) => sql.includes("AS holds"));
      expect(portions.length).toBeGreaterThan(5);
      for (const portion of portions) {
        const text = await plan(database, portion);
        expect(text).toContain("users_by_created_at");
        expect(text).not.toContain("TEMP B-TREE");
      }
    });
});

interface User {
  readonly id: number;
  readonly createdAtMs: number;
  readonly text: string;
  readonly isActive: boolean;
  readonly isDeleted: boolean;
}

async function allUsers({ reader }: Database): Promise<readonly User[]> {
  const rows = await reader.all(
    "SELECT id, created_at_ms, text, is_active, deleted_at_ms IS NOT NULL AS is_deleted FROM users_searched",
  );
  return rows.map((row) => ({
    id: integer(row, "id"),
    createdAtMs: integer(row, "created_at_ms"),
    text: text(row, "text"),
    isActive: boolean(row, "is_active"),
    isDeleted: boolean(row, "is_deleted"),
  }));
}

function placeOf({ createdAtMs, id }: User): Position {
  return { value: createdAtMs, id };
}

forEachEngine("the index of searches", (engine, open) => {
  let store: Store;
  let database: Database;

  beforeAll(async () => {
    database = open();
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    store = openStore(database, new AuditSealer("a secret of the tests"));
  });

  async function find(search: string): Promise<readonly string[]> {
    const filter = { search, isActive: null, deleted: false };
    const found = await store.read.directory.users(filter, NEWEST_FIRST);
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

  test("finds a name however its accents, its case and its last letter are written", async () => {
    const email = "ithaca@example.org";
    const made = await register(store, email, { name: "Jose\u0301 Ὀδυσσεύς" });
    const searches = ["josé", "JOSE\u0301", "Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ", "δυσσεύσ", "εύς"];
    for (const search of searches) expect(await find(search)).toEqual([email]);
    await store.write((tx) =>
      tx.accounts("user").update(made.id, { name: "A\u030angström, Γιώργος" }, NOW_MS),
    );
    for (const search of ["ångström", "ΓΙΏΡΓΟΣ", "ώργοσ"]) expect(await find(search)).toEqual([email]);
    for (const search of searches) expect(await find(search)).toEqual([]);
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
