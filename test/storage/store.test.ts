import { beforeAll, describe, expect, test } from "bun:test";
import { migrationFiles } from "../../migrations/index.ts";
import type { Realm } from "../../src/core/accounts.ts";
import { OPERATOR } from "../../src/core/actor.ts";
import { AuditSealer } from "../../src/core/audit-chain.ts";
import { Fault } from "../../src/core/fault.ts";
import type { AccountWrites, NewAccount, Store, Writes } from "../../src/core/store.ts";
import type { Database } from "../../src/storage/database.ts";
import { migrateUp, parseMigrations } from "../../src/storage/migrations.ts";
import { openStore } from "../../src/storage/store.ts";
import { failureOf } from "../support/failure.ts";
import { numbers } from "../support/numbers.ts";
import { forEachEngine } from "./engines.ts";

const NOW_MS = 1_800_000_000_000;
const sealer = new AuditSealer("a secret of the tests");

let made = 0;
function newAccount(change: Partial<NewAccount> = {}): NewAccount {
  made += 1;
  return {
    email: `person${made}@example.com`,
    username: `Person${made}`,
    usernameKey: `person${made}`,
    name: null,
    phone: null,
    passwordHash: "hash",
    createdAtMs: NOW_MS,
    ...change,
  };
}

forEachEngine("the store", (_, open) => {
  let database: Database;
  let store: Store;
  let another: Store;

  beforeAll(async () => {
    database = open();
    await migrateUp(database, parseMigrations(migrationFiles), { nowMs: () => NOW_MS });
    store = openStore(database, sealer);
    another = openStore(open(), sealer);
  });

  const insert = (account: NewAccount = newAccount(), realm: "user" | "admin" = "user") =>
    store.write((tx) => tx.accounts(realm).insert(account));

  describe("accounts", () => {
    for (const realm of ["user", "admin"] as const) {
      test(`a ${realm} is read as it was written`, async () => {
        const given = newAccount({ name: "Ada 😀", phone: `+4930${made}` });
        const account = await insert(given, realm);
        const { usernameKey, passwordHash, ...told } = given;
        expect(account).toEqual({
          ...told,
          realm,
          id: expect.any(Number),
          avatar: null,
          role: realm,
          isActive: true,
          credentialsVersion: NOW_MS,
          version: 1,
          updatedAtMs: null,
          deletedAtMs: null,
        });
        const reads = another.read.accounts(realm);
        expect(await reads.byId(account.id)).toEqual(account);
        const credentials = { account, passwordHash };
        expect(await reads.credentialsByName(account.email.toUpperCase())).toEqual(credentials);
        expect(await reads.credentialsByName(usernameKey?.toUpperCase() ?? "")).toEqual(credentials);
        expect(await reads.passwordHash(account.id)).toBe(passwordHash);
        expect(await reads.passwordHash(account.id + 1_000)).toBeNull();
      });
    }

    for (const [field, change] of [
      ["email", (taken: NewAccount) => ({ email: taken.email })],
      ["username", (taken: NewAccount) => ({ username: taken.username, usernameKey: taken.usernameKey })],
      ["phone", (taken: NewAccount) => ({ phone: taken.phone })],
    ] as const) {
      test(`a taken ${field} is a conflict that names it, also when its owner is deleted`, async () => {
        const first = newAccount({ phone: `+4940${made}` });
        const { id } = await insert(first);
        const conflict = { kind: "conflict", noun: "user", field };
        expect(await failureOf(insert(newAccount(change(first))))).toMatchObject({ what: conflict });
        await store.write((tx) => tx.accounts("user").delete(id, NOW_MS));
        expect(await failureOf(insert(newAccount(change(first))))).toMatchObject({ what: conflict });
        expect(await insert(newAccount(change(first)), "admin")).toMatchObject({ realm: "admin" });
      });
    }

    for (const realm of ["user", "admin"] as const) {
      test(`of many files those are told that a ${realm} names`, async () => {
        const own = (nth: number) => `${realm}-${nth}.png`;
        const ofOther = `not-of-${realm}.png`;
        const { id } = await insert(newAccount({ avatar: own(0) }), realm);
        await insert(newAccount({ avatar: own(250) }), realm);
        await insert(newAccount({ avatar: ofOther }), realm === "user" ? "admin" : "user");
        const asked = [...Array.from({ length: 251 }, (_, nth) => own(nth)), ofOther];
        const { avatarsAmong } = another.read.accounts(realm);
        expect((await avatarsAmong(asked)).toSorted()).toEqual([own(0), own(250)]);
        await store.write((tx) => tx.accounts(realm).delete(id, NOW_MS));
        expect(await avatarsAmong(asked)).toEqual([own(250)]);
        expect(await avatarsAmong([])).toEqual([]);
      });
    }

    test("S7 of many who take one name at the same moment one wins, on two instances", async () => {
      const wanted = newAccount();
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, turn) =>
          (turn % 2 === 0 ? store : another).write((tx) =>
            tx.accounts("user").insert({ ...newAccount(), email: wanted.email }),
          ),
        ),
      );
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const result of results) {
        if (result.status === "rejected") expect(Fault.is(result.reason, "conflict")).toBe(true);
      }
    });

    test("a change touches what it names and nothing else", async () => {
      const account = await insert(newAccount({ name: "Before" }));
      const changed = await store.write((tx) =>
        tx.accounts("user").update(account.id, { name: null, isActive: false }, NOW_MS + 1),
      );
      expect(changed).toEqual({
        ...account,
        name: null,
        isActive: false,
        version: 2,
        updatedAtMs: NOW_MS + 1,
      });
      expect(
        await store.write((tx) => tx.accounts("user").update(999_999, { name: "x" }, NOW_MS)),
      ).toBeNull();
    });

    test("a deleted one is found by its id alone, counts its credentials on, and can be restored", async () => {
      const account = await insert();
      const deleted = await store.write((tx) => tx.accounts("user").delete(account.id, NOW_MS));
      expect(deleted).toMatchObject({ deletedAtMs: NOW_MS, credentialsVersion: NOW_MS + 1 });
      expect(await store.write((tx) => tx.accounts("user").delete(account.id, NOW_MS))).toBeNull();
      for (const name of [account.email, account.username ?? ""]) {
        expect(await store.read.accounts("user").credentialsByName(name)).toBeNull();
      }
      expect(await store.read.accounts("user").byId(account.id)).toMatchObject({ deletedAtMs: NOW_MS });
      expect(
        await store.write((tx) => tx.accounts("user").update(account.id, { name: "x" }, NOW_MS)),
      ).toBeNull();
      expect(await store.write((tx) => tx.accounts("user").restore(account.id, NOW_MS))).toMatchObject({
        deletedAtMs: null,
        credentialsVersion: NOW_MS + 1,
      });
      expect(await store.write((tx) => tx.accounts("user").restore(account.id, NOW_MS))).toBeNull();
    });

    test("a blocked one that is deleted and restored is still blocked", async () => {
      const account = await insert(newAccount({ isActive: false }));
      await store.write((tx) => tx.accounts("user").delete(account.id, NOW_MS));
      expect(await store.write((tx) => tx.accounts("user").restore(account.id, NOW_MS))).toEqual({
        ...account,
        credentialsVersion: NOW_MS + 1,
        version: 3,
        updatedAtMs: NOW_MS,
      });
    });

    test("a live one is not purged, nor anything that is its own", async () => {
      const { id: accountId } = await insert();
      const todo = await store.write((tx) =>
        tx.todos.insert({
          accountId,
          title: "Mine",
          description: null,
          priority: "low",
          createdAtMs: NOW_MS,
        }),
      );
      expect(await store.write((tx) => tx.accounts("user").purge(accountId))).toBe(false);
      expect(await store.read.todos.byId(todo.id)).toEqual(todo);
    });

    test("what is told of a row that was made is what is read of it", async () => {
      const { id: accountId } = await insert();
      for (const description of [null, "Milk"]) {
        const filled = { accountId, title: "É", description, priority: "high", createdAtMs: NOW_MS } as const;
        const todo = await store.writeOne((tx) => tx.todos.insert(filled));
        expect(await store.read.todos.byId(todo.id)).toStrictEqual(todo);
        const item = await store.write((tx) =>
          tx.items.insert({ accountId, name: "É", description, createdAtMs: NOW_MS }),
        );
        expect(await store.read.items.byId(item.id)).toStrictEqual(item);
      }
    });

    test("a change and a deletion that name a version are for that one alone", async () => {
      const { id } = await insert(newAccount({ name: "First" }));
      const write = <T>(work: (accounts: AccountWrites) => Promise<T>) =>
        store.write((tx) => work(tx.accounts("user")));
      expect(
        await write((accounts) => accounts.update(id, { name: "Second" }, NOW_MS, { atVersion: 1 })),
      ).toMatchObject({ version: 2 });
      for (const atVersion of [1, 3]) {
        expect(
          await write((accounts) => accounts.update(id, { name: "Lost" }, NOW_MS, { atVersion })),
        ).toBeNull();
        expect(await write((accounts) => accounts.delete(id, NOW_MS, atVersion))).toBeNull();
      }
      expect(await store.read.accounts("user").byId(id)).toMatchObject({ name: "Second", deletedAtMs: null });
      expect(await write((accounts) => accounts.delete(id, NOW_MS, 2))).toMatchObject({
        deletedAtMs: NOW_MS,
      });
    });

    test("a hash is replaced only while it is the one that was verified", async () => {
      const { id } = await insert();
      const accounts = store.read.accounts("user");
      const kept = async () => [
        await accounts.passwordHash(id),
        (await accounts.byId(id))?.credentialsVersion,
      ];
      await store.write((tx) => tx.accounts("user").replaceHash(id, "another", "new"));
      expect(await kept()).toEqual(["hash", NOW_MS]);
      await store.write((tx) => tx.accounts("user").replaceHash(id, "hash", "new"));
      expect(await kept()).toEqual(["new", NOW_MS]);
      await store.write((tx) => tx.accounts("user").setPassword(id, "third", NOW_MS));
      expect(await kept()).toEqual(["third", NOW_MS + 1]);
    });

    test("no version of credentials comes twice, whatever the clock does", async () => {
      const { id, credentialsVersion } = await insert(newAccount({ createdAtMs: NOW_MS - 1 }));
      expect(credentialsVersion).toBe(NOW_MS - 1);
      const versionAt = async (nowMs: number) =>
        (await store.write((tx) => tx.accounts("user").setPassword(id, "hash", nowMs)))?.credentialsVersion;
      expect(await versionAt(NOW_MS)).toBe(NOW_MS);
      expect(await versionAt(NOW_MS)).toBe(NOW_MS + 1);
      expect(await versionAt(NOW_MS - 60_000)).toBe(NOW_MS + 2);
      expect(await versionAt(NOW_MS + 60_000)).toBe(NOW_MS + 60_000);
      const fromBefore1970 = await insert(newAccount({ createdAtMs: -1 }));
      expect(fromBefore1970.credentialsVersion).toBe(1);
    });
  });

  describe("sessions", () => {
    const openSession = async (tokenHash: Uint8Array) => {
      const account = await insert();
      const session = await store.write(async (tx) => {
        const session = await tx.sessions.insert({
          accountId: account.id,
          kind: "rotating",
          createdAtMs: NOW_MS,
          endsAtMs: null,
          clientAddress: "198.51.100.1",
          userAgent: "test",
        });
        await tx.sessions.insertToken({
          sessionId: session.id,
          tokenHash,
          createdAtMs: NOW_MS,
          expiresAtMs: NOW_MS + 10,
        });
        return session;
      });
      return { account, session };
    };
    const randomHash = () => crypto.getRandomValues(new Uint8Array(32));

    test("a token is found by its hash, with its session", async () => {
      const tokenHash = randomHash();
      const { session } = await openSession(tokenHash);
      expect(await store.read.sessions.token(tokenHash)).toEqual({
        session,
        token: { id: expect.any(Number), sessionId: session.id, expiresAtMs: NOW_MS + 10, usedAtMs: null },
      });
      expect(await store.read.sessions.token(randomHash())).toBeNull();
    });

    test("S13 a token is used once, however many try, on two instances", async () => {
      const tokenHash = randomHash();
      await openSession(tokenHash);
      const id = (await store.read.sessions.token(tokenHash))?.token.id ?? 0;
      const used = await Promise.all(
        Array.from({ length: 20 }, (_, turn) =>
          (turn % 2 === 0 ? store : another).write((tx) => tx.sessions.useToken(id, NOW_MS)),
        ),
      );
      expect(used.filter(Boolean)).toHaveLength(1);
    });

    test("a request's token sees at once that its session has ended", async () => {
      const { account, session } = await openSession(randomHash());
      const bystander = await insert();
      const isOpen = async (accountId: number) =>
        (await store.read.accounts("user").byToken(accountId, session.id))?.sessionOpen;
      expect(await isOpen(account.id)).toBe(true);
      expect(await isOpen(bystander.id)).toBe(false);
      expect(await store.read.sessions.openOf(account.id, NOW_MS)).toEqual([session]);
      expect(await store.read.sessions.openOf(account.id, NOW_MS + 10)).toEqual([]);
      expect(await store.write((tx) => tx.sessions.end(session.id, NOW_MS))).toBe(true);
      expect(await store.write((tx) => tx.sessions.end(session.id, NOW_MS))).toBe(false);
      expect(await isOpen(account.id)).toBe(false);
      expect(await store.read.sessions.openOf(account.id, NOW_MS)).toEqual([]);
    });
  });

  describe("the sessions of one account", () => {
    test("end together, but for one, and those that had ended keep the time of it", async () => {
      const { id: accountId } = await insert();
      const { id: bystander } = await insert();
      const open = (of: number) =>
        store.write((tx) =>
          tx.sessions.insert({
            accountId: of,
            kind: "cookie",
            createdAtMs: NOW_MS,
            endsAtMs: null,
            clientAddress: null,
            userAgent: null,
          }),
        );
      const [kept, open1, ended] = [await open(accountId), await open(accountId), await open(accountId)];
      const others = await open(bystander);
      await store.write((tx) => tx.sessions.end(ended.id, NOW_MS));
      expect(await store.write((tx) => tx.sessions.endAll(accountId, NOW_MS + 5, kept.id))).toBe(1);
      const endOf = async ({ id }: { id: number }) => (await store.read.sessions.byId(id))?.endedAtMs;
      const ends = [await endOf(kept), await endOf(open1), await endOf(ended), await endOf(others)];
      expect(ends).toEqual([null, NOW_MS + 5, NOW_MS, null]);
      expect(await store.write((tx) => tx.sessions.endAll(accountId, NOW_MS + 9, null))).toBe(1);
    });
  });

  describe("personal tokens", () => {
    const newToken = (realm: Realm, accountId: number) => ({
      realm,
      accountId,
      name: null,
      prefix: "lk_",
      tokenHash: hashOf(realm, accountId),
      scopes: [],
      createdAtMs: NOW_MS,
      expiresAtMs: null,
    });
    const hashOf = (realm: Realm, accountId: number) => new TextEncoder().encode(`${realm} ${accountId}`);

    test("S11 those of a user and of an administrator of the same id are kept apart", async () => {
      const twin: Record<Realm, number> = { user: 0, admin: 0 };
      do {
        const behind = twin.user <= twin.admin ? "user" : "admin";
        twin[behind] = (await insert(newAccount(), behind)).id;
      } while (twin.user !== twin.admin);
      const insertToken = (realm: Realm) =>
        store.write((tx) => tx.personalTokens.insert(newToken(realm, twin[realm])));
      const tokens = { user: await insertToken("user"), admin: await insertToken("admin") };
      for (const [realm, other] of [
        ["user", "admin"],
        ["admin", "user"],
      ] as const) {
        const own = tokens[realm];
        expect(own).toMatchObject({ realm, accountId: twin[realm], scopes: [] });
        expect(await store.read.personalTokens.ofAccount(realm, twin[realm])).toEqual([own]);
        const byHash = (of: Realm) => store.read.accounts(of).byPersonalToken(hashOf(realm, twin[realm]));
        expect((await byHash(realm))?.token).toEqual(own);
        expect(await byHash(other)).toBeNull();
        expect(await store.write((tx) => tx.personalTokens.delete(other, twin[other], own.id))).toBeNull();
      }
      expect(await store.write((tx) => tx.personalTokens.deleteAll("admin", twin.admin))).toBe(1);
      expect(await store.read.personalTokens.ofAccount("user", twin.user)).toEqual([tokens.user]);
    });

    test("the last use of one is never moved back", async () => {
      const { id: accountId } = await insert();
      const { id } = await store.write((tx) => tx.personalTokens.insert(newToken("user", accountId)));
      for (const usedAtMs of [NOW_MS + 10, NOW_MS + 5])
        await store.write((tx) => tx.personalTokens.noteUse(id, usedAtMs));
      expect(await store.read.personalTokens.ofAccount("user", accountId)).toMatchObject([
        { lastUsedAtMs: NOW_MS + 10 },
      ]);
    });

    test("a scope that this program does not know makes nobody anything", async () => {
      const { id: accountId } = await insert();
      await store.write((tx) => tx.personalTokens.insert(newToken("user", accountId)));
      await database.write((connection) =>
        connection.run("UPDATE personal_tokens SET scopes = 'todos:read todos:all' WHERE user_id = $1", [
          accountId,
        ]),
      );
      expect(await failureOf(store.read.personalTokens.ofAccount("user", accountId))).toBeInstanceOf(
        TypeError,
      );
    });
  });

  describe("items", () => {
    test("of two who remove one, one has", async () => {
      const { id: accountId } = await insert();
      const { id } = await store.write((tx) =>
        tx.items.insert({ accountId, name: "Lamp", description: null, createdAtMs: NOW_MS }),
      );
      const removed = await Promise.all(
        [store, another].map((each) => each.write((tx) => tx.items.delete(id))),
      );
      expect(removed.toSorted()).toEqual([false, true]);
    });
  });

  describe("todos", () => {
    test("a change and a deletion that name a version are for that one alone", async () => {
      const { id: accountId } = await insert();
      const given = {
        accountId,
        title: "First",
        description: null,
        priority: "low",
        createdAtMs: NOW_MS,
      } as const;
      const { id } = await store.write((tx) => tx.todos.insert(given));
      expect(await store.write((tx) => tx.todos.update(id, { title: "Second" }, NOW_MS, 1))).toMatchObject({
        version: 2,
      });
      for (const version of [1, 3]) {
        expect(await store.write((tx) => tx.todos.update(id, { title: "Lost" }, NOW_MS, version))).toBeNull();
        expect(await store.write((tx) => tx.todos.delete(id, version))).toBe(false);
      }
      expect(await store.read.todos.byId(id)).toMatchObject({ title: "Second" });
      expect(await store.write((tx) => tx.todos.delete(id, 2))).toBe(true);
      expect(await store.write((tx) => tx.todos.delete(id))).toBe(false);
    });
  });

  describe("login attempts", () => {
    test("S5 transactions that lock one subject take turns, on two instances", async () => {
      const count = async (from: Store) =>
        from.write(async (tx) => {
          const state = await tx.loginAttempts.lock("user", "account:1", NOW_MS);
          await tx.loginAttempts.save("user", "account:1", {
            ...state,
            failures: state.failures + 1,
            lockedUntilMs: NOW_MS,
          });
        });
      await Promise.all(Array.from({ length: 40 }, (_, turn) => count(turn % 2 === 0 ? store : another)));
      const state = await store.write((tx) => tx.loginAttempts.lock("user", "account:1", NOW_MS));
      expect(state).toEqual({
        failures: 40,
        pending: 0,
        pendingSinceMs: NOW_MS,
        lockedUntilMs: NOW_MS,
        updatedAtMs: NOW_MS,
      });
      expect(await store.write((tx) => tx.loginAttempts.lock("admin", "account:1", NOW_MS))).toMatchObject({
        failures: 0,
      });
    });

    test("S5 those of a user and of an administrator of the same id are kept apart", async () => {
      const lock = (realm: Realm) => store.write((tx) => tx.loginAttempts.lock(realm, "account:2", NOW_MS));
      const before = await lock("admin");
      const failed = { ...(await lock("user")), failures: 3 };
      await store.write((tx) => tx.loginAttempts.save("user", "account:2", failed));
      expect(await lock("admin")).toEqual(before);
      await store.write((tx) => tx.loginAttempts.clear("admin", "account:2"));
      expect(await lock("user")).toEqual(failed);
    });
  });

  describe("idempotency keys", () => {
    test("what was sent from another address says more than what one's own key stands for", async () => {
      const bytes = (text: string) => new TextEncoder().encode(text);
      const keep = (owner: string, request: string) =>
        store.write((tx) =>
          tx.idempotency.keep({
            key: "a key",
            owner,
            fingerprint: bytes(request),
            answer: { status: 201, headers: {}, body: request },
            createdAtMs: NOW_MS,
            expiresAtMs: NOW_MS + 10,
          }),
        );
      expect(await keep("here", "one")).toBe(true);
      expect(await keep("there", "another")).toBe(true);
      expect(await keep("here", "another")).toBe(false);
      const find = (owner: string, request: string, nowMs = NOW_MS) =>
        store.read.idempotency.find({ key: "a key", owner, fingerprint: bytes(request) }, nowMs);
      for (const owner of ["here", "there", "elsewhere"])
        expect(await find(owner, "another")).toMatchObject({
          isSameRequest: true,
          answer: { body: "another" },
        });
      expect(await find("here", "a third")).toMatchObject({ isSameRequest: false });
      expect(await find("elsewhere", "a third")).toBeNull();
      expect(await find("here", "one", NOW_MS + 10)).toBeNull();
    });
  });

  describe("the audit trail", () => {
    test("tells a user's deeds from those of an administrator of the same id", async () => {
      const realms = ["user", "admin"] as const;
      const account = (realm: Realm) => ({ realm, id: 4_711 });
      for (const realm of realms)
        await store.write(async (tx) => {
          const by = { ...OPERATOR, account: account(realm) };
          tx.audit.record({ event: "account.changed", atMs: NOW_MS, by, subject: null });
          tx.audit.record({ event: "account.blocked", atMs: NOW_MS, by: OPERATOR, subject: account(realm) });
        });
      for (const realm of realms) {
        const filter = { event: null, account: account(realm), fromMs: null, untilMs: null };
        expect(await store.read.audit.list(filter, null, 10)).toMatchObject([
          { subject: account(realm) },
          { actor: { kind: realm } },
        ]);
      }
    });

    test("is released once up to a row, and never back", async () => {
      for (let rows = 0; rows < 3; rows += 1)
        await store.write(async (tx) => {
          tx.audit.record({ event: "audit.pruned", atMs: NOW_MS, by: OPERATOR, subject: null });
        });
      const { seq: last } = await store.read.audit.head();
      const release = (from: Store, seq: number) => from.write((tx) => tx.audit.deleteThrough(seq));
      const both = await Promise.all([store, another].map((each) => release(each, last - 1)));
      expect(both.toSorted()).toEqual([false, true]);
      expect(await release(store, last - 2)).toBe(false);
      expect((await store.read.audit.chain(0, 10)).map(({ seq }) => seq)).toEqual([last]);
    });
  });

  describe("what is over is removed from its moment on, and not before", () => {
    const ALL = 1_000;
    const removed = (work: (tx: Writes) => Promise<number>) => store.write(work);
    const tokensOf = new Map<number, readonly Uint8Array[]>();

    beforeAll(async () => {
      for (const find of [endedBefore, expiredBefore]) {
        const dead = await find(Number.MAX_SAFE_INTEGER);
        await removed((tx) => tx.sessions.deleteUsedTokens(dead, ALL));
        await removed((tx) => tx.sessions.deleteWithoutUsed(dead));
      }
      await removed((tx) =>
        tx.loginAttempts.deleteForgotten(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, ALL),
      );
    });

    const endedBefore = (ms: number) => store.write((tx) => tx.sessions.endedBefore(ms, ALL));
    const expiredBefore = (ms: number) => store.write((tx) => tx.sessions.expiredBefore(ms, ALL));

    const openUntil = async (...expiresAtMs: readonly number[]) => {
      const account = await insert();
      return store.write(async (tx) => {
        const given = { kind: "rotating", endsAtMs: null, clientAddress: null, userAgent: null } as const;
        const { id } = await tx.sessions.insert({ ...given, accountId: account.id, createdAtMs: NOW_MS });
        for (const each of expiresAtMs) {
          const tokenHash = crypto.getRandomValues(new Uint8Array(32));
          tokensOf.set(id, [...(tokensOf.get(id) ?? []), tokenHash]);
          await tx.sessions.insertToken({ sessionId: id, tokenHash, createdAtMs: NOW_MS, expiresAtMs: each });
        }
        return id;
      });
    };

    test("sessions that were ended", async () => {
      const id = await openUntil(NOW_MS + 100);
      await store.write((tx) => tx.sessions.end(id, NOW_MS));
      expect(await endedBefore(NOW_MS)).toEqual([]);
      expect(await endedBefore(NOW_MS + 1)).toEqual([id]);
    });

    test("sessions of which no token is good any more", async () => {
      const id = await openUntil(NOW_MS, NOW_MS + 5);
      for (const atMs of [NOW_MS, NOW_MS + 1, NOW_MS + 5]) expect(await expiredBefore(atMs)).toEqual([]);
      expect(await expiredBefore(NOW_MS + 6)).toEqual([id]);
    });

    test("used tokens, at most so many, and sessions with those that they still have", async () => {
      const [id, other] = [await openUntil(NOW_MS, NOW_MS, NOW_MS, NOW_MS), await openUntil(NOW_MS)];
      await store.write(async (tx) => {
        const hashes = tokensOf.get(id) ?? [];
        for (const hash of hashes.slice(0, 3)) {
          const found = await tx.sessions.token(hash);
          await tx.sessions.useToken(found?.token.id ?? NaN, NOW_MS);
        }
      });
      const used = (limit: number) => removed((tx) => tx.sessions.deleteUsedTokens([id, other], limit));
      const deleted = () => removed((tx) => tx.sessions.deleteWithoutUsed([id]));
      // Another instance may have removed what this one was about to: that none was there to remove is no sign of the end.
      expect([await used(2), await deleted(), await used(2), await used(2)]).toEqual([2, 0, 1, 0]);
      expect(await deleted()).toBe(1);
      for (const hash of tokensOf.get(id) ?? []) expect(await store.read.sessions.token(hash)).toBeNull();
      for (const hash of tokensOf.get(other) ?? [])
        expect(await store.read.sessions.token(hash)).not.toBeNull();
    });

    test("S5 counts of guesses that nobody touched, unless they still lock", async () => {
      const realms = { free: "user", locked: "admin" } as const;
      const hold = (realm: Realm, lockedUntilMs: number | null) =>
        store.write(async (tx) => {
          const state = await tx.loginAttempts.lock(realm, "account:77", NOW_MS);
          await tx.loginAttempts.save(realm, "account:77", { ...state, lockedUntilMs });
        });
      await hold(realms.free, null);
      await hold(realms.locked, NOW_MS + 10);
      const forget = (untouchedSinceMs: number, nowMs: number) =>
        removed((tx) => tx.loginAttempts.deleteForgotten(untouchedSinceMs, nowMs, ALL));
      expect(await forget(NOW_MS, NOW_MS + 11)).toBe(0);
      expect(await forget(NOW_MS + 1, NOW_MS + 10)).toBe(1);
      expect(await forget(NOW_MS + 1, NOW_MS + 11)).toBe(1);
    });
  });

  // The last, since it gives thousands of ids.
  describe("the directory", () => {
    const MANY = 10_010;

    beforeAll(async () => {
      await database.write((connection) =>
        connection.run(
          `${numbers(MANY)}
           INSERT INTO users (email, password_hash, role, is_active, created_at_ms)
           SELECT 'q7x' || i || '@example.com', 'hash', 'user', TRUE, 0 FROM numbers`,
        ),
      );
    });

    // Three letters are found by an index, and two without.
    for (const search of ["q7x", "q7"]) {
      test(`finds everybody by "${search}", page by page, and counts up to 10,000 of them`, async () => {
        const { directory } = store.read;
        const filter = { search, isActive: null, deleted: false };
        const order = { key: "created_at", descending: true } as const;
        const page = async (offset: number, limit: number) =>
          (await directory.users(filter, { order, limit, offset, after: null })).map(({ id }) => id);
        const all = await page(0, MANY + 1);
        expect(new Set(all).size).toBe(MANY);
        expect(await page(4_995, 10)).toEqual(all.slice(4_995, 5_005));
        expect(await directory.count(filter)).toBe(10_000);
      });
    }
  });
});
