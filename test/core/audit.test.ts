import { describe, expect, test } from "bun:test";
import type { Actor } from "../../src/core/actor.ts";
import { OPERATOR } from "../../src/core/actor.ts";
import { Audit } from "../../src/core/audit.ts";
import type { AuditRecord } from "../../src/core/audit.ts";
import {
  AuditSealer,
  CHAIN_START,
  ChainCheck,
  linked,
  PRUNED,
  released,
} from "../../src/core/audit-chain.ts";
import type { AuditRow } from "../../src/core/audit-chain.ts";
import { DAY_MS } from "../../src/core/clock.ts";
import { Fault } from "../../src/core/fault.ts";
import type { SqlValue } from "../../src/storage/database.ts";
import { forEachEngine, shared, TEST_SECRET } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { data, PASSWORD, personalToken, someone } from "../support/someone.ts";

const SEALER = new AuditSealer(TEST_SECRET);
const ANYTHING = { event: null, account: null, fromMs: null, untilMs: null };
const SETTINGS = { RATE_LIMIT_ENABLED: "false" };

const trail = async (program: TestProgram) =>
  (await program.core.audit.list(ANYTHING, null, 1_000)).toReversed();
const verify = (program: TestProgram) => program.core.audit.verify([SEALER], null);

/** What whoever owns the database can do: the guards are gone. */
async function withoutGuards(program: TestProgram, sql: string, values: readonly SqlValue[] = []) {
  const { database } = program;
  await database.writeAlone(async (connection) => {
    await connection.script(
      database.engine === "postgres"
        ? "ALTER TABLE audit_log DISABLE TRIGGER USER; ALTER TABLE audit_chain DISABLE TRIGGER USER"
        : ["log_no_update", "log_no_delete", "chain_no_return"]
            .map((name) => `DROP TRIGGER IF EXISTS audit_${name};`)
            .join(""),
    );
    await connection.run(sql, values);
  });
}

forEachEngine("audit trail", (start) => {
  describe("what it tells", () => {
    const program = shared(start, SETTINGS);
    const since = async <T>(act: () => Promise<T>): Promise<readonly AuditRow[]> => {
      const before = (await trail(program())).length;
      await act();
      return (await trail(program())).slice(before);
    };

    test("S39 logins, failures, the lock and what is refused afterwards, with who, whom, from where and request", async () => {
      const { client, account, username } = await someone(program(), "user");
      const login = (password: string) =>
        client.post("/auth/login", undefined, {
          form: { username, password },
          headers: { "x-request-id": "the-request" },
        });
      const rows = await since(async () => {
        await login(PASSWORD);
        for (let guess = 0; guess < 5; guess += 1) await login("wrong-password");
        await login(PASSWORD);
        await program().core.logins.unlock(account, OPERATOR);
      });
      expect(rows.map(({ event }) => event)).toEqual([
        "login.succeeded",
        ...Array.from({ length: 5 }, () => "login.failed"),
        "login.locked",
        "login.refused",
        "account.unlocked",
      ]);
      expect(rows[0]).toMatchObject({
        atMs: program().clock.nowMs(),
        actor: { kind: "nobody", id: null },
        subject: { realm: "user", id: account.id },
        clientAddress: client.address,
        requestId: "the-request",
        detail: "{}",
      });
      expect(rows[7]?.detail).toBe('{"why":"locked"}');
      expect(rows[8]?.actor).toEqual({ kind: "operator", id: null });
      expect((await login(PASSWORD)).status).toBe(200);
    });

    test("a name that nobody has leaves a row without an account, and without the name", async () => {
      const rows = await since(() =>
        program()
          .client()
          .post("/admin/auth/login", undefined, { form: { username: "hunter2hunter2", password: "x" } }),
      );
      expect(rows).toMatchObject([{ event: "login.failed", subject: { realm: "admin", id: null } }]);
      expect(JSON.stringify(rows)).not.toContain("hunter2");
    });

    test("changes of role, block, profile and password, deletion and restoration, by whom", async () => {
      const { account } = await someone(program(), "user");
      const boss = await someone(program(), "admin");
      const by: Actor = { ...OPERATOR, account: { realm: "admin", id: boss.account.id }, requestId: "r" };
      const { accounts } = program().core;
      const password = { password: "another-password", entitlement: "administrator" } as const;
      const rows = await since(async () => {
        await accounts.update(account, { role: "admin" }, null, by);
        await accounts.update(account, { isActive: false }, null, by);
        await accounts.update(account, { isActive: true, name: "New", phone: "+491234567" }, null, by);
        await accounts.update(account, {}, password, by);
        await accounts.delete(account, by);
        await accounts.restore(account, by);
      });
      expect(rows.map(({ event, detail }) => [event, JSON.parse(detail)])).toEqual([
        ["account.role_changed", { from: "user", to: "admin" }],
        ["account.blocked", {}],
        ["account.changed", { fields: ["name", "phone"] }],
        ["account.activated", {}],
        ["password.changed", {}],
        ["account.deleted", {}],
        ["account.restored", {}],
      ]);
      for (const { actor, subject } of rows) {
        expect(actor).toEqual({ kind: "admin", id: boss.account.id });
        expect(subject).toEqual({ realm: "user", id: account.id });
      }
    });

    test("a wrong current password, and a blocked account's right one", async () => {
      const { account, client, username } = await someone(program(), "user");
      const { accounts } = program().core;
      const wrong = { password: "another-password", entitlement: { current: "wrong" } };
      const rows = await since(async () => {
        await accounts.update(account, {}, wrong, OPERATOR).catch((error: unknown) => {
          if (!Fault.is(error, "wrong_current_password")) throw error;
        });
        await accounts.update(account, { isActive: false }, null, OPERATOR);
        await client.post("/auth/login", undefined, { form: { username, password: PASSWORD } });
      });
      expect(rows.map(({ event, detail }) => [event, detail])).toEqual([
        ["password.confirmation_failed", "{}"],
        ["account.blocked", "{}"],
        ["login.refused", '{"why":"deactivated"}'],
      ]);
    });

    test("personal tokens made and revoked, without their text", async () => {
      const owner = await someone(program(), "user");
      const rows = await since(async () => {
        const { id, text } = await personalToken(owner, { scopes: ["todos:read"] });
        await owner.client.delete(`/users/me/tokens/${id}`, { token: text });
        await owner.client.delete(`/users/me/tokens/${id}`, owner);
      });
      expect(rows).toMatchObject([{ event: "token.created" }, { event: "token.revoked" }]);
      expect(JSON.parse(rows[0]?.detail ?? "")).toEqual({
        token: expect.any(Number),
        prefix: expect.stringMatching(/^lk_u_[0-9A-Za-z]{8}$/),
        scopes: ["todos:read"],
      });
    });

    test("S13 a refresh token used twice", async () => {
      const { account } = await someone(program(), "user");
      const { sessions, store } = program().core;
      const { refreshToken } = await store.write((tx) => sessions.open(tx, "rotating", account, OPERATOR));
      await sessions.rotate(refreshToken, OPERATOR);
      const rows = await since(() =>
        sessions.rotate(refreshToken, OPERATOR).catch((error: unknown) => {
          if (!Fault.is(error, "refresh_failed")) throw error;
        }),
      );
      expect(rows).toMatchObject([
        { event: "session.refresh_reused", subject: { realm: "user", id: account.id } },
      ]);
    });

    test("what a role admin does with another's todo, and not what owners do with theirs", async () => {
      const owner = await someone(program(), "user");
      const boss = await someone(program(), "user");
      await program().core.accounts.update(boss.account, { role: "admin" }, null, OPERATOR);
      const made = await owner.client.post("/api/v1/todos", { title: "Mine" }, owner);
      const path = `/api/v1/todos/${Object(made.body).id}`;
      const rows = await since(async () => {
        await owner.client.put(path, { completed: true }, owner);
        await boss.client.put(path, { completed: false }, boss);
        await boss.client.delete(path, boss);
      });
      expect(rows.map(({ event, actor, subject }) => [event, actor.id, subject?.id])).toEqual([
        ["todo.changed", boss.account.id, owner.account.id],
        ["todo.deleted", boss.account.id, owner.account.id],
      ]);
      expect(rows[0]?.clientAddress).toBe(boss.client.address);
    });

    test("what a role admin does with another's item, and not what owners do with theirs", async () => {
      const owner = await someone(program(), "user");
      const boss = await someone(program(), "user");
      await program().core.accounts.update(boss.account, { role: "admin" }, null, OPERATOR);
      const made = await owner.client.post("/api/v1/items", { name: "Mine" }, owner);
      const id = Object(made.body).id;
      const rows = await since(async () => {
        await owner.client.patch(`/api/v1/items/${id}`, { name: "Still mine" }, owner);
        await boss.client.patch(`/api/v1/items/${id}`, { name: "Seen" }, boss);
        await boss.client.delete(`/api/v1/items/${id}`, boss);
      });
      expect(rows).toMatchObject([
        { event: "item.changed", actor: { id: boss.account.id }, subject: { id: owner.account.id } },
        { event: "item.deleted", actor: { id: boss.account.id }, subject: { id: owner.account.id } },
      ]);
      expect(JSON.parse(rows[0]?.detail ?? "")).toEqual({ item: id });
    });

    test("a write that fails leaves no row", async () => {
      const { account } = await someone(program(), "user");
      const other = await someone(program(), "user");
      const rows = await since(() =>
        program()
          .core.accounts.update(account, { email: other.account.email }, null, OPERATOR)
          .catch((error: unknown) => {
            if (!Fault.is(error, "conflict")) throw error;
          }),
      );
      expect(rows).toEqual([]);
    });

    test("it is read by event, by account on either side, by time and in pages", async () => {
      const { account } = await someone(program(), "user");
      const boss = await someone(program(), "admin");
      const by: Actor = { ...OPERATOR, account: { realm: "admin", id: boss.account.id }, requestId: "r" };
      program().clock.forwardMs(DAY_MS);
      const fromMs = program().clock.nowMs();
      await program().core.accounts.update(account, { isActive: false }, null, by);
      const { audit } = program().core;
      const list = async (filter: object, beforeSeq: number | null = null, limit = 100) =>
        (await audit.list({ ...ANYTHING, ...filter }, beforeSeq, limit)).map(({ event }) => event);

      expect(await list({ fromMs })).toEqual(["account.blocked"]);
      expect(await list({ fromMs, untilMs: fromMs })).toEqual([]);
      expect(await list({ account: { realm: "admin", id: boss.account.id } })).toEqual([
        "account.blocked",
        "login.succeeded",
        "account.registered",
      ]);
      const ofUser = { account: { realm: "user", id: account.id } } as const;
      expect(await list({ ...ofUser, event: "account.blocked" })).toEqual(["account.blocked"]);
      const [newest] = await audit.list({ ...ANYTHING, ...ofUser }, null, 1);
      expect(await list(ofUser, newest?.seq ?? 0, 1)).toEqual(["login.succeeded"]);
    });

    test("S15 no row holds a password or a token", async () => {
      const rows = JSON.stringify(await trail(program()));
      expect(rows.length).toBeGreaterThan(1_000);
      for (const secret of [PASSWORD, "another-password", "wrong-password", "$argon2", "eyJ"]) {
        expect(rows).not.toContain(secret);
      }
    });
  });

  describe("what it proves", () => {
    /** A trail of some rows on the suite's database, whatever was done to the one before it. */
    async function fresh(): Promise<TestProgram> {
      const program = await start(SETTINGS);
      await withoutGuards(program, "DELETE FROM audit_log");
      await withoutGuards(
        program,
        "UPDATE audit_chain SET head_seq = 0, head_hash = NULL, released_seq = 0 WHERE id = 1",
      );
      const { account } = await someone(program, "user");
      for (const isActive of [false, true, false]) {
        await program.core.accounts.update(account, { isActive }, null, OPERATOR);
      }
      expect(await trail(program)).toHaveLength(5);
      expect(await verify(program)).toMatchObject({ sound: true, rows: 5, firstSeq: 1 });
      return program;
    }

    test("the guards refuse to change, delete and shorten", async () => {
      const program = await start(SETTINGS);
      await someone(program, "user");
      const statements = [
        "UPDATE audit_log SET detail = '{}'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_chain",
        "UPDATE audit_chain SET head_seq = 0",
        "UPDATE audit_chain SET released_seq = head_seq + 1",
        ...(program.database.engine === "postgres" ? ["TRUNCATE audit_log"] : []),
      ];
      for (const sql of statements) {
        const attempt = program.database.write((connection) => connection.run(sql));
        expect(await attempt.then(String, (error: unknown) => String(error))).toContain("the audit trail");
      }
      expect(await verify(program)).toMatchObject({ sound: true });
    });

    const changes: readonly (readonly [string, SqlValue])[] = [
      ["at_ms", 1],
      ["event", "login.succeeded"],
      ["actor_kind", "nobody"],
      ["actor_id", 99],
      ["subject_realm", "admin"],
      ["subject_id", 99],
      ["client_address", "192.0.2.99"],
      ["request_id", "other"],
      ["detail", '{"a":1}'],
    ];

    test("S39 a row changed in any column is found and named", async () => {
      const program = await fresh();
      const set = (column: string, value: SqlValue) =>
        withoutGuards(program, `UPDATE audit_log SET ${column} = $1 WHERE seq = 3`, [value]);
      for (const [column, value] of changes) {
        const row = await program.database.reader.first(`SELECT ${column} AS v FROM audit_log WHERE seq = 3`);
        const { v: original } = Object(row);
        await set(column, value);
        expect(await verify(program)).toMatchObject({
          sound: false,
          rows: 2,
          broken: { seq: 3, why: "its content was changed: it does not match its hash" },
        });
        await set(column, typeof value === "number" && original !== null ? Number(original) : original);
        expect(await verify(program)).toMatchObject({ sound: true });
      }
    });

    test("a row that is missing is found: inside, at the beginning, at the end", async () => {
      for (const [seq, why] of [
        [3, "it is missing"],
        [1, "it is missing, and no retention removed it"],
        [5, "it is missing, with all that came after it"],
      ] as const) {
        const program = await fresh();
        await withoutGuards(program, "DELETE FROM audit_log WHERE seq = $1", [seq]);
        expect(await verify(program)).toMatchObject({ sound: false, broken: { seq, why } });
      }
    });

    test("a whole chain reckoned anew without the secret is refused by its seals alone", async () => {
      const program = await fresh();
      const rows = await trail(program);
      const forger = new AuditSealer("not the secret of this program");
      let head = rows[1];
      for (const row of rows.slice(2)) {
        if (head === undefined) throw new Error("there are rows");
        const forged = linked(head, { ...row, detail: '{"forged":true}' }, forger);
        await withoutGuards(
          program,
          "UPDATE audit_log SET detail = $2, previous_hash = $3, hash = $4, seal = $5, key_id = $6 WHERE seq = $1",
          [forged.seq, forged.detail, forged.previousHash, forged.hash, forged.seal, SEALER.keyId],
        );
        head = forged;
      }
      await withoutGuards(program, "UPDATE audit_chain SET head_hash = $1", [head?.hash ?? null]);
      expect(await program.core.audit.verify(null, null)).toMatchObject({ sound: true, rows: 5 });
      expect(await verify(program)).toMatchObject({ sound: false, broken: { seq: 3 } });
    });

    test("a row sealed with another secret is proved by that one", async () => {
      const program = await fresh();
      const later = new AuditSealer("the secret of the next year, 32 bytes long");
      expect(await program.core.audit.verify([later], null)).toMatchObject({
        sound: false,
        broken: { seq: 1, why: expect.stringContaining(`not given (key ${SEALER.keyId})`) },
      });
      expect(await program.core.audit.verify([later, SEALER], null)).toMatchObject({ sound: true });
    });

    test("an end that was cut off with care is found by whoever noted it", async () => {
      const program = await fresh();
      const { last } = await verify(program);
      const before = (await trail(program))[3];
      await withoutGuards(program, "DELETE FROM audit_log WHERE seq = 5");
      await withoutGuards(program, "UPDATE audit_chain SET head_seq = 4, head_hash = $1", [
        before?.hash ?? null,
      ]);
      expect(await verify(program)).toMatchObject({ sound: true, rows: 4 });
      expect(await program.core.audit.verify([SEALER], last)).toMatchObject({
        sound: false,
        broken: { seq: 5, why: "it was noted, and is missing" },
      });

      await someone(program, "user");
      expect(await program.core.audit.verify([SEALER], last)).toMatchObject({
        sound: false,
        broken: { seq: 5, why: "it is not the row that was noted" },
      });
    });

    test("a row with what no row can hold is told as such, and hides none of the others", async () => {
      const program = await fresh();
      const boss = await someone(program, "admin");
      const whole = await trail(program);
      const spoilt =
        program.database.engine === "sqlite" ? ["yesterday", 9_000_000_000_000_000] : [9_000_000_000_000_000];
      for (const atMs of spoilt) {
        await withoutGuards(program, "UPDATE audit_log SET at_ms = $1 WHERE seq = 1", [atMs]);
        expect(await verify(program)).toMatchObject({ broken: { seq: 1, why: "it holds what no row can" } });
        const answer = await boss.client.get("/admin/audit", boss);
        expect(answer.status).toBe(200);
        expect(data(answer)).toMatchObject({
          items: [
            ...whole
              .slice(1)
              .toReversed()
              .map(({ seq, event }) => ({ id: seq, event })),
            { id: 1, event: "audit.unreadable", actor: { kind: "nobody", id: null }, subject: null },
          ],
        });
      }
    });

    test("a detail that is no JSON is a broken row, not a crash", async () => {
      const program = await fresh();
      const boss = await someone(program, "admin");
      await withoutGuards(program, "UPDATE audit_log SET detail = $1, subject_realm = NULL WHERE seq = 2", [
        "no JSON",
      ]);
      expect(await verify(program)).toMatchObject({ sound: false, broken: { seq: 2 } });
      const shown = Object(data(await boss.client.get("/admin/audit", boss))).items;
      expect(shown.find(({ id }: { id: number }) => id === 2)).toMatchObject({ detail: "no JSON" });
    });

    test("retention deletes the oldest and leaves a chain that proves itself", async () => {
      const program = await fresh();
      const { audit } = program.core;
      program.clock.forwardMs(30 * DAY_MS);
      const { account } = await someone(program, "user");
      expect(await audit.prune(30)).toBe(0);
      program.clock.forwardMs(2 * DAY_MS);
      expect(await audit.prune(30)).toBe(5);
      expect(await audit.prune(30)).toBe(0);
      expect((await trail(program)).map(({ seq, event }) => [seq, event])).toEqual([
        [6, "account.registered"],
        [7, "login.succeeded"],
        [8, "audit.pruned"],
      ]);
      expect(await verify(program)).toMatchObject({ sound: true, rows: 3, firstSeq: 6 });

      program.clock.forwardMs(40 * DAY_MS);
      expect(await audit.prune(30)).toBe(3);
      await program.core.accounts.delete(account, OPERATOR);
      expect(await verify(program)).toMatchObject({ sound: true, rows: 2, firstSeq: 9 });

      // Deleting more than retention did leaves a beginning that nobody answers for.
      await withoutGuards(program, "DELETE FROM audit_log WHERE seq = 9");
      expect(await verify(program)).toMatchObject({ sound: false, broken: { seq: 9 } });
    });

    test("retention keeps what is just as old as it says, begins a day late, and says what it took", async () => {
      const program = await fresh();
      const { audit } = program.core;
      const [noted] = await trail(program);
      program.clock.forwardMs(2 * DAY_MS);
      await someone(program, "user");
      program.clock.forwardMs(28.5 * DAY_MS);
      expect(await audit.prune(30)).toBe(0);
      program.clock.forwardMs(1.5 * DAY_MS);
      expect(await audit.prune(30)).toBe(5);
      expect(await audit.verify([SEALER], noted ?? null)).toMatchObject({
        sound: false,
        broken: { seq: 1, why: expect.stringContaining("retention has removed it since") },
      });
    });

    test("retention is not held up by rows that were written while the clock was ahead", async () => {
      const program = await fresh();
      const { audit } = program.core;
      const ahead = async () => {
        program.clock.setByMs(1_000 * DAY_MS);
        await someone(program, "user");
        program.clock.setByMs(-1_000 * DAY_MS);
      };
      await ahead();
      program.clock.forwardMs(DAY_MS);
      await someone(program, "user");
      program.clock.forwardMs(32 * DAY_MS);
      // Nothing behind these says how old they are.
      await ahead();
      expect(await audit.prune(30)).toBe(9);
      expect(await audit.prune(30)).toBe(0);
      expect((await trail(program)).map(({ seq }) => seq)).toEqual([10, 11, 12]);
      program.clock.forwardMs(40 * DAY_MS);
      expect(await audit.prune(30)).toBe(3);
      expect(await verify(program)).toMatchObject({ sound: true });
    });

    test("retention stops at a row that cannot be read: that is for the operator to see", async () => {
      const program = await fresh();
      await withoutGuards(program, "UPDATE audit_log SET at_ms = 9000000000000000 WHERE seq = 3");
      program.clock.forwardMs(40 * DAY_MS);
      expect(await program.core.audit.prune(30)).toBe(2);
      expect(await verify(program)).toMatchObject({ broken: { seq: 3, why: "it holds what no row can" } });
    });

    const longTrail = async () => {
      const program = await fresh();
      const atMs = program.clock.nowMs();
      await program.core.store.write((tx) => {
        for (let n = 0; n < 1_100; n += 1)
          tx.audit.record({ event: "account.changed", atMs, by: OPERATOR, subject: null });
        return Promise.resolve();
      });
      return program;
    };

    test("a trail that retention shortens while it is proved is sound", async () => {
      const program = await longTrail();
      const { audit, store } = program.core;
      program.clock.forwardMs(40 * DAY_MS);
      let pruned = 0;
      const chain = async (afterSeq: number, limit: number) => {
        const rows = await store.read.audit.chain(afterSeq, limit);
        if (rows.length === 1_000) pruned += await audit.prune(30);
        return rows;
      };
      const read = { ...store.read, audit: { ...store.read.audit, chain } };
      const overtaken = new Audit({ store: { ...store, read }, clock: program.clock });
      expect(await overtaken.verify([SEALER], null)).toMatchObject({ sound: true, rows: 2, firstSeq: 1_106 });
      expect(pruned).toBe(1_105);
    });

    test("retention takes more rows that are dated ahead than it reads at once, if one behind them is old", async () => {
      const program = await longTrail();
      const [last] = (await trail(program)).slice(-1);
      const aheadMs = program.clock.nowMs() + 1_000 * DAY_MS;
      await withoutGuards(program, "UPDATE audit_log SET at_ms = $1 WHERE seq < $2", [
        aheadMs,
        last?.seq ?? 0,
      ]);
      program.clock.forwardMs(40 * DAY_MS);
      expect(await program.core.audit.prune(30)).toBe(1_105);
    });

    test("a trail longer than is read at once is proved, and pruned, to its end", async () => {
      const program = await longTrail();
      const { audit } = program.core;
      expect(await verify(program)).toMatchObject({ sound: true, rows: 1_105 });
      await withoutGuards(program, "UPDATE audit_log SET detail = '[]' WHERE seq = 1100");
      expect(await verify(program)).toMatchObject({ sound: false, broken: { seq: 1_100 } });
      program.clock.forwardMs(40 * DAY_MS);
      expect(await audit.prune(30)).toBe(1_105);
    });

    test("many writes at once, on two instances, make one chain", async () => {
      const program = await fresh();
      const other = await start(SETTINGS);
      const people = await Promise.all(Array.from({ length: 4 }, () => someone(program, "user")));
      await Promise.all(
        Array.from({ length: 40 }, (_, index) => {
          const { accounts } = (index % 2 === 0 ? program : other).core;
          const account = people[index % 4]?.account;
          if (account === undefined) throw new Error("there are four");
          return accounts.update(account, { name: `Name ${index}` }, null, OPERATOR);
        }),
      );
      expect(await verify(program)).toMatchObject({ sound: true, rows: 5 + 8 + 40 });
    });
  });
});

describe("the chain by itself", () => {
  const RECORD: AuditRecord = {
    atMs: 1,
    event: "e",
    actor: { kind: "nobody", id: null },
    subject: null,
    clientAddress: null,
    requestId: null,
    detail: "{}",
  };
  const first = linked(CHAIN_START, RECORD, SEALER);
  const second = linked(first, RECORD, SEALER);
  const third = linked(second, RECORD, SEALER);

  test("rows of one content have other hashes under another predecessor, and at another place", () => {
    expect(Buffer.from(first.hash).equals(second.hash)).toBe(false);
    const elsewhere = linked({ ...first, seq: 7 }, RECORD, SEALER);
    expect(Buffer.from(elsewhere.hash).equals(second.hash)).toBe(false);
    const behindAnother = linked({ seq: 1, hash: third.hash }, RECORD, SEALER);
    expect(Buffer.from(behindAnother.hash).equals(second.hash)).toBe(false);
    const check = new ChainCheck([SEALER]);
    expect(check.add(1, first)).toBeNull();
    expect(check.add(2, { ...second, previousHash: second.hash })).toEqual({
      seq: 2,
      why: "it does not follow from the row before it",
    });
  });

  test("another row in the place of the last is found without the secret too", () => {
    const check = new ChainCheck(null);
    expect(check.add(1, first)).toBeNull();
    expect(check.add(2, linked(first, { ...RECORD, atMs: 2 }, SEALER))).toBeNull();
    expect(check.finish(second)).toEqual({ seq: 2, why: "it is not the row that was written last" });
  });

  test.each([
    ["the row before it", PRUNED, { seq: 1, hash: first.hash }, true],
    ["the place of that row alone", PRUNED, { seq: 1, hash: second.hash }, false],
    ["the hash of that row alone", PRUNED, { seq: 2, hash: first.hash }, false],
    ["the row before it, and is no word of retention", "e", { seq: 1, hash: first.hash }, false],
  ] as const)("a beginning is good or not where a later row names %s", (_, event, named, isSound) => {
    const note = linked(third, { ...RECORD, event, detail: JSON.stringify(released(named)) }, SEALER);
    const check = new ChainCheck([SEALER]);
    for (const row of [second, third, note]) expect(check.add(row.seq, row)).toBeNull();
    expect(check.finish(note)).toEqual(
      isSound ? null : { seq: 1, why: "it is missing, and no retention removed it" },
    );
  });
});
