import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import type { Finding } from "../../src/core/import/findings.ts";
import { Importer } from "../../src/core/import/importer.ts";
import { planImport } from "../../src/core/import/plan.ts";
import type { Store } from "../../src/core/store.ts";
import { openSource } from "../../src/storage/source.ts";
import { codes, HASH, importFrom, LOOSE, temporarySource, todo, user } from "../support/import.ts";
import type { Imported } from "../support/import.ts";
import { failureOf } from "../support/failure.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { PASSWORD } from "../support/someone.ts";

const SETTINGS = { RATE_LIMIT_ENABLED: "false" };

forEachEngine("an import that is ended", (start) => {
  const many = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)`;
  const source = temporarySource(
    "sqlite",
    `${LOOSE}
     INSERT INTO users ${many} SELECT i, 'user' || i || '@example.com', 'user' || i, NULL, NULL, '${HASH}', NULL, TRUE,
       '2026-01-04 10:00:00', NULL, NULL FROM n;
     INSERT INTO todos ${many} SELECT i, 'Todo ' || i, NULL, FALSE, NULL, 1 + i % 2500, NULL, NULL FROM n;`,
  );
  const program = shared(start, SETTINGS);
  const counts = ({ tallies }: Imported) =>
    tallies.map(({ table, taken, known, leftOut }) => [table, taken, known, leftOut]);

  test("goes on where it was; ids are kept, although somebody registered in between", async () => {
    expect(counts(await importFrom(program(), source, { stopAfter: 1 }))).toEqual([["users", 1_000, 0, 0]]);
    const { core } = program();
    const stranger = { email: "stranger@example.com", password: PASSWORD };
    expect((await core.accounts.register("user", stranger, OPERATOR)).id).toBe(2_501);

    const second = await importFrom(program(), source, { stopAfter: 4 });
    expect(counts(second)).toEqual([
      ["users", 1_500, 1_000, 0],
      ["todos", 1_000, 0, 0],
    ]);
    // After each batch that had something new, for a server beside it.
    expect(second.turns).toBe(3);
    expect(await endings(program())).toEqual(["by a signal", "by a signal"]);
    expect(counts(await importFrom(program(), source))).toEqual([
      ["users", 0, 2_500, 0],
      ["todos", 1_500, 1_000, 0],
    ]);
    expect(await endings(program())).toEqual(["whole", "by a signal", "by a signal"]);
    expect((await core.store.read.accounts("user").byName("user2500"))?.id).toBe(2_500);
    expect(await core.store.read.todos.byId(2_499)).toMatchObject({ accountId: 2_500, title: "Todo 2499" });
    const directory = { search: null, isActive: null, deleted: false };
    expect(await core.store.read.directory.count(directory)).toBe(2_501);
  });

  test("takes rows that came since; an id that was given to another meanwhile is not kept", async () => {
    await source.run(
      user(2_501, { email: "late@example.com" }) + user(2_600, { email: "later@example.com" }),
    );
    const imported = await importFrom(program(), source);
    expect(counts(imported)[0]).toEqual(["users", 2, 2_500, 0]);
    expect(codes(imported)).toEqual(["users 2501 id_new"]);
    const accounts = program().core.store.read.accounts("user");
    expect((await accounts.byName("later@example.com"))?.id).toBe(2_600);
    expect((await accounts.byName("late@example.com"))?.id).toBe(2_601);
  });

  test("under another name is another source, of which all is here already", async () => {
    const { plan, tallies, turns } = await importFrom(program(), source, { name: "a copy", applies: false });
    expect(turns).toBe(0);
    expect(plan.tables.map(({ known }) => known)).toEqual([0, 0]);
    expect(tallies.map(({ taken }) => taken)).toEqual([0, 0]);
  });

  test("looks anew at a batch in which somebody else was first", async () => {
    await source.run(user(3_000, { email: "racer@example.com" }));
    const { core } = program();
    let writes = 0;
    const racing: Store = {
      ...core.store,
      async write(work) {
        writes += 1;
        // What PostgreSQL answers where a registration was committed between the look and the insert.
        if (writes !== BATCH_WRITE) return core.store.write(work);
        await core.accounts.register("user", { email: "racer@example.com", password: PASSWORD }, OPERATOR);
        throw Fault.of({ kind: "conflict", noun: "user", field: "email" });
      },
    };
    const imported = await importFrom({ ...program(), core: { ...core, store: racing } }, source);
    expect(codes(imported)).toEqual(["users 3000 email_taken"]);
  });

  test("fails where that happens again and again, rather than to go on for ever", async () => {
    await source.run(user(4_000, { email: "unlucky@example.com" }));
    const { core } = program();
    const conflict = Fault.of({ kind: "conflict", noun: "user", field: "email" });
    let writes = 0;
    const unlucky: Store = {
      ...core.store,
      async write(work) {
        writes += 1;
        if (writes < BATCH_WRITE) return core.store.write(work);
        throw conflict;
      },
    };
    const importing = importFrom({ ...program(), core: { ...core, store: unlucky } }, source);
    expect(await failureOf(importing)).toBe(conflict);
  });
});

/** How the imports ended, as the audit trail has it, the last one first. */
async function endings({ core }: TestProgram): Promise<readonly unknown[]> {
  const all = { event: "import.finished", account: null, fromMs: null, untilMs: null } as const;
  const events = await core.audit.list(all, null, 9);
  return events.map(({ detail }) => Object(JSON.parse(detail ?? "null")).ended);
}

/** The first two record the import and begin its table; the third batch is the one that has something new. */
const BATCH_WRITE = 5;

forEachEngine("two imports of the same at once", (start) => {
  const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
  const source = temporarySource(
    "sqlite",
    `${LOOSE}
     INSERT INTO todos ${many} SELECT i, 'Todo ' || i, NULL, FALSE, NULL, i, NULL, NULL FROM n;
     INSERT INTO users ${many}
       SELECT i, 'user' || i || '@example.com', NULL, NULL, NULL, '${HASH}', NULL, TRUE, NULL, NULL, NULL FROM n;`,
  );
  const program = shared(start, SETTINGS);

  test("take every row once between them", async () => {
    const both = await Promise.all([importFrom(program(), source), importFrom(program(), source)]);
    const sum = (count: "taken" | "known" | "leftOut") =>
      both.flatMap(({ tallies }) => tallies.map((tally) => tally[count])).reduce((a, b) => a + b);
    expect({ taken: sum("taken"), known: sum("known"), leftOut: sum("leftOut") }).toEqual({
      taken: 6_000,
      known: 6_000,
      leftOut: 0,
    });
    expect(both.flatMap(codes)).toEqual([]);
    expect(await program().core.store.read.accounts("user").liveCount()).toBe(3_000);
  });
});

forEachEngine("findings that cannot be kept", (start) => {
  const source = temporarySource("sqlite", LOOSE + user(1, { email: "ada@example.com", role: "pilot" }));
  const program = shared(start, SETTINGS);

  test("leave their rows where they are, until a run that keeps them", async () => {
    const full = new Error("no space left");
    const beforeKept = (findings: readonly Finding[]) => {
      if (findings.length > 0) throw full;
    };
    expect(await failureOf(importFrom(program(), source, { beforeKept }))).toBe(full);
    expect(await program().core.store.read.accounts("user").liveCount()).toBe(0);
    const imported = await importFrom(program(), source);
    expect(codes(imported)).toEqual(["users 1 role_unknown"]);
    expect(await program().core.store.read.accounts("user").liveCount()).toBe(1);
  });
});

forEachEngine("ids that nobody should count up to", (start) => {
  const source = temporarySource("sqlite", LOOSE + user(2 ** 41, { email: "far@example.com" }));
  const program = shared(start, SETTINGS);

  test("are new ones here, so that those to come stay short", async () => {
    expect(codes(await importFrom(program(), source))).toEqual([]);
    const { accounts } = program().core;
    const next = { email: "next@example.com", password: PASSWORD };
    expect((await accounts.register("user", next, OPERATOR)).id).toBe(2);
  });
});

forEachEngine("rows that come to a source after it was looked at", (start) => {
  const source = temporarySource("sqlite", LOOSE + user(1, { email: "ada@example.com" }));
  const program = shared(start, SETTINGS);

  test("get new ids, so that nobody is given those of theirs", async () => {
    const { store, clock, accounts } = program().core;
    const reading = await openSource(source.address);
    const plan = await planImport(reading, "the source", store.read);
    await source.run(user(2, { email: "late@example.com" }) + user(4, { email: "later@example.com" }));
    const findings: Finding[] = [];
    await new Importer({ source: reading, name: "the source", store, clock }).run(plan, {
      applies: true,
      isStopped: () => false,
      beforeKept: () => {},
      onFinding: (finding) => findings.push(finding),
      onProgress: () => {},
      betweenWrites: () => Promise.resolve(),
    });
    await reading.close();
    for (const name of ["one", "two", "three"]) {
      await accounts.register("user", { email: `${name}@example.com`, password: PASSWORD }, OPERATOR);
    }
    expect(findings.map(({ id, code }) => [id, code])).toEqual([
      ["2", "id_new"],
      ["4", "id_new"],
    ]);
    expect(await store.read.accounts("user").liveCount()).toBe(6);
  });
});

forEachEngine("names that are had again a thousand rows later", (start) => {
  const ada = { email: "ada@example.com", username: "Ada", phone: "+491511234567" };
  const source = temporarySource(
    "sqlite",
    `${LOOSE}${user(1, ada)}
     INSERT INTO users WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
       SELECT i, 'user' || i || '@example.com', NULL, NULL, NULL, '${HASH}', NULL, TRUE, NULL, NULL, NULL FROM n;` +
      user(1_001, { email: ada.email }) +
      user(1_002, { email: "two@example.com", username: "ada" }) +
      user(1_003, { email: "three@example.com", phone: ada.phone }),
  );
  const program = shared(start, SETTINGS);

  test("are told in a plan as when it is done", async () => {
    const planned = await importFrom(program(), source, { applies: false });
    expect(codes(planned)).toEqual([
      "users 1001 email_taken",
      "users 1002 username_taken",
      "users 1003 phone_taken",
    ]);
    const imported = await importFrom(program(), source);
    expect(codes(imported)).toEqual(codes(planned));
    expect(imported.tallies).toEqual(planned.tallies);
  });
});

forEachEngine("ids that are no numbers", (start) => {
  const source = temporarySource(
    "sqlite",
    `CREATE TABLE users (id CHAR(32) PRIMARY KEY, email VARCHAR, hashed_password VARCHAR, created_at VARCHAR);
     INSERT INTO users VALUES ('b', 'second@example.com', '${HASH}', '2026-01-02'),
       ('a', 'third@example.com', '${HASH}', '2026-01-03'), ('c', 'first@example.com', '${HASH}', '2026-01-01');`,
  );
  const program = shared(start, SETTINGS);

  test("become numbers in the order in which the accounts were made", async () => {
    expect(codes(await importFrom(program(), source))).toEqual([]);
    const accounts = program().core.store.read.accounts("user");
    const names = ["first", "second", "third"].map((name) => accounts.byName(`${name}@example.com`));
    expect((await Promise.all(names)).map((account) => account?.id)).toEqual([1, 2, 3]);
  });
});

forEachEngine("ids of accounts that are gone", (start) => {
  const source = temporarySource(
    "sqlite",
    LOOSE + user(1, { email: "ada@example.com" }) + user(5, { email: "bob@example.com" }),
  );
  const program = shared(start, SETTINGS);
  const idOf = async (email: string) => (await program().core.store.read.accounts("user").byName(email))?.id;

  /** Registers and is gone; answers the id. */
  async function passBy(email: string): Promise<number> {
    const { accounts } = program().core;
    const gone = await accounts.register("user", { email, password: PASSWORD }, OPERATOR);
    await accounts.purge(await accounts.delete(gone, OPERATOR), OPERATOR);
    return gone.id;
  }

  test("are nobody's again, since their tokens may still be about", async () => {
    expect([await passBy("gone@example.com"), await passBy("gone@example.com")]).toEqual([1, 2]);
    expect(codes(await importFrom(program(), source, { applies: false }))).toEqual(["users 1 id_new"]);
    expect(codes(await importFrom(program(), source))).toEqual(["users 1 id_new"]);
    expect([await idOf("bob@example.com"), await idOf("ada@example.com")]).toEqual([5, 6]);
  });

  test("are nobody's again in later runs either, however far the source has come by then", async () => {
    expect([await passBy("gone@example.com"), await passBy("gone@example.com")]).toEqual([7, 8]);
    await source.run(
      user(2, { email: "two@example.com" }) +
        user(7, { email: "seven@example.com" }) +
        user(8, { email: null }) +
        user(9, { email: "nine@example.com" }) +
        user(4, { email: "four@example.com" }),
    );
    expect(codes(await importFrom(program(), source))).toEqual([
      "users 8 email_missing",
      "users 2 id_new",
      "users 7 id_new",
    ]);
    const ids = ["four", "nine", "two", "seven"].map((name) => idOf(`${name}@example.com`));
    expect(await Promise.all(ids)).toEqual([4, 9, 10, 11]);

    await source.run("UPDATE users SET email = 'eight@example.com' WHERE id = 8");
    expect(codes(await importFrom(program(), source))).toEqual(["users 8 id_new"]);
    expect(await idOf("eight@example.com")).toBe(12);
  });

  test("own nothing that comes later", async () => {
    const { core } = program();
    const bob = await core.store.read.accounts("user").byName("bob@example.com");
    if (bob === null) throw new Error("the test before took him");
    await core.accounts.purge(await core.accounts.delete(bob, OPERATOR), OPERATOR);
    await source.run(todo(1, "Too late", 5));
    expect(codes(await importFrom(program(), source))).toEqual(["todos 1 owner_left_out"]);
  });

  test("are not given out anew after a later import", async () => {
    expect(await passBy("gone@example.com")).toBe(13);
    await importFrom(program(), source);
    expect(await passBy("gone@example.com")).toBe(14);
  });
});
