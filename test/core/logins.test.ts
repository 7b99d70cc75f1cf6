import { describe, expect, test } from "bun:test";
import type { Account, Realm } from "../../src/core/accounts.ts";
import { OPERATOR } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import { silentLog } from "../../src/core/log.ts";
import { ABANDONED_AFTER_MS } from "../../src/core/lockout.ts";
import type { LockoutState } from "../../src/core/lockout.ts";
import { accountSubject, Logins } from "../../src/core/logins.ts";
import type { Hasher } from "../../src/core/passwords.ts";
import { failureOf } from "../support/failure.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { PASSWORD, someone } from "../support/someone.ts";

const POLICY = { maxAttempts: 5, lockMs: 60_000 };

function loginsOn(program: TestProgram, hasher: Partial<Hasher>): Logins {
  return new Logins({
    store: program.core.store,
    clock: program.clock,
    log: silentLog,
    policy: POLICY,
    hasher: {
      hash: () => Promise.reject(new Error("not asked for")),
      verify: () => Promise.reject(new Error("not asked for")),
      refuseIfFull: () => {},
      running: () => 0,
      queued: () => 0,
      ...hasher,
    },
  });
}

function attemptsOf({ core, clock }: TestProgram, id: number, realm: Realm = "user"): Promise<LockoutState> {
  return core.store.write((tx) => tx.loginAttempts.lock(realm, accountSubject(id), clock.nowMs()));
}

/** A change that is ready at once. */
function changing<T>(result: T): () => Promise<() => Promise<T>> {
  return () => Promise.resolve(() => Promise.resolve(result));
}

forEachEngine("a login whose hasher has too much to do", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const loginsWith = (hasher: Partial<Hasher>) => loginsOn(program(), hasher);
  const overloaded = () => Promise.reject(Fault.of({ kind: "overloaded", retryAfterSeconds: 1 }));
  const attempts = (id: number) => attemptsOf(program(), id);

  test.each(["user", "admin"] as const)(
    "is no guess, of realm %s, where it could not be judged",
    async (realm) => {
      const { account } = await someone(program(), realm);
      const logins = loginsWith({ verify: overloaded });
      for (let attempt = 0; attempt < 2 * POLICY.maxAttempts; attempt += 1) {
        const failure = await failureOf(
          logins.login(realm, account.email, PASSWORD, OPERATOR, () => Promise.resolve(null)),
        );
        expect(Fault.is(failure, "overloaded")).toBe(true);
      }
      expect(await attemptsOf(program(), account.id, realm)).toMatchObject({ failures: 0, pending: 0 });
    },
  );

  test("is refused before anything is written where no more passwords may wait", async () => {
    const { account } = await someone(program(), "user");
    const logins = loginsWith({
      refuseIfFull: () => {
        throw Fault.of({ kind: "overloaded", retryAfterSeconds: 1 });
      },
    });
    const untouched = await attempts(account.id);
    program().clock.forwardMs(1);
    for (const attempt of [
      () => logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve(null)),
      () => logins.confirm(account, PASSWORD, OPERATOR, changing(null)),
    ]) {
      expect(Fault.is(await failureOf(attempt()), "overloaded")).toBe(true);
      expect(await attempts(account.id)).toEqual(untouched);
    }
  });

  test("is good all the same where only the old hash could not be replaced", async () => {
    const { account } = await someone(program(), "user");
    const accounts = program().core.store.read.accounts("user");
    const before = await accounts.passwordHash(account.id);
    const logins = loginsWith({
      verify: () => Promise.resolve({ ok: true, rehash: true }),
      hash: overloaded,
    });
    expect(
      await logins.login("user", account.email, PASSWORD, OPERATOR, (_, { id }) => Promise.resolve(id)),
    ).toBe(account.id);
    expect(await attempts(account.id)).toMatchObject({ failures: 0, pending: 0 });
    expect(await accounts.passwordHash(account.id)).toBe(before);
  });
});

forEachEngine("many guesses at one account", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("S5 wait their turn, and beyond 256 that wait the next is refused at once", async () => {
    const { account } = await someone(program(), "user");
    const judged = Promise.withResolvers<void>();
    const logins = loginsOn(program(), {
      verify: () => judged.promise.then(() => ({ ok: false, rehash: false })),
    });
    const guess = () => failureOf(logins.confirm(account, PASSWORD, OPERATOR, changing(null)));
    const guesses = Array.from({ length: POLICY.maxAttempts + 256 }, guess);
    expect(Fault.is(await guess(), "overloaded")).toBe(true);
    judged.resolve();
    const failures = await Promise.all(guesses);
    expect(failures.filter((failure) => Fault.is(failure, "wrong_current_password"))).toHaveLength(5);
    expect(failures.filter((failure) => Fault.is(failure, "locked"))).toHaveLength(256);
  });
});

forEachEngine("a wrong password", (start) => {
  test("S5 S8 makes nothing ready for the change that it was to confirm, nor does any once the account is locked", async () => {
    const program = await start({ RATE_LIMIT_ENABLED: "false" });
    const { account } = await someone(program, "user");
    const logins = loginsOn(program, { verify: () => Promise.resolve({ ok: false, rehash: false }) });
    let prepared = 0;
    const attempt = () =>
      failureOf(
        logins.confirm(account, "wrong", OPERATOR, () => {
          prepared += 1;
          return Promise.resolve(() => Promise.resolve(null));
        }),
      );
    const failures = [];
    for (let turn = 0; turn <= POLICY.maxAttempts; turn += 1) failures.push(await attempt());
    expect(failures.filter((failure) => Fault.is(failure, "wrong_current_password"))).toHaveLength(5);
    expect(Fault.is(failures.at(-1), "locked")).toBe(true);
    expect(prepared).toBe(0);
  });

  test("S5 is answered as one only where it could be counted", async () => {
    const program = await start({ RATE_LIMIT_ENABLED: "false" });
    const { account } = await someone(program, "user");
    const logins = loginsOn(program, {
      verify: async () => {
        await program.database.close();
        return { ok: false, rehash: false };
      },
    });
    const login = logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve(null));
    expect(Fault.is(await failureOf(login), "unavailable")).toBe(true);
  });
});

forEachEngine("a right password for something that fails", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("is no guess, at a login and at a change", async () => {
    const { account } = await someone(program(), "user");
    const logins = loginsOn(program(), { verify: () => Promise.resolve({ ok: true, rehash: false }) });
    const fail = () => Promise.reject(Fault.of({ kind: "conflict", noun: "user", field: "email" }));
    for (let attempt = 0; attempt < POLICY.maxAttempts; attempt += 1) {
      for (const failing of [
        () => logins.login("user", account.email, PASSWORD, OPERATOR, fail),
        () => logins.confirm(account, PASSWORD, OPERATOR, fail),
        () => logins.confirm(account, PASSWORD, OPERATOR, () => Promise.resolve(fail)),
      ]) {
        expect(Fault.is(await failureOf(failing()), "conflict")).toBe(true);
      }
    }
    expect(await attemptsOf(program(), account.id)).toMatchObject({ failures: 0, pending: 0 });
  });
});

forEachEngine("a hash that is not current", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test.each(["user", "admin"] as const)("S3 is renewed when one of realm %s logs in", async (realm) => {
    const { account } = await someone(program(), realm);
    const logins = loginsOn(program(), {
      verify: () => Promise.resolve({ ok: true, rehash: true }),
      hash: () => Promise.resolve("a current hash"),
    });
    await logins.login(realm, account.email, PASSWORD, OPERATOR, () => Promise.resolve(null));
    const renewed = await program().core.store.read.accounts(realm).passwordHash(account.id);
    expect(renewed).toBe("a current hash");
  });
});

forEachEngine("a hash that cannot be renewed", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("for any other reason fails the login, which is no guess", async () => {
    const { account } = await someone(program(), "user");
    const broken = new Error("no memory for it");
    const logins = loginsOn(program(), {
      verify: () => Promise.resolve({ ok: true, rehash: true }),
      hash: () => Promise.reject(broken),
    });
    const login = logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve(null));
    expect(await failureOf(login)).toBe(broken);
    expect(await attemptsOf(program(), account.id)).toMatchObject({ failures: 0, pending: 0 });
  });
});

forEachEngine("a password that was right when it was judged", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  /** What an administrator may do while the password is being judged. */
  const MEANWHILE: readonly (readonly [string, (account: Account) => Promise<unknown>])[] = [
    [
      "a new password",
      (account) => {
        const password = { password: "another-password", entitlement: "administrator" } as const;
        return program().core.accounts.update(account, {}, password, OPERATOR);
      },
    ],
    ["a deletion", (account) => program().core.accounts.delete(account, OPERATOR)],
  ];

  const loginsDuring = (act: () => Promise<unknown>) =>
    loginsOn(program(), {
      verify: async () => {
        await act();
        return { ok: true, rehash: false };
      },
    });
  const lastEvent = async ({ realm, id }: Account) => {
    const filter = { event: null, account: { realm, id }, fromMs: null, untilMs: null };
    return (await program().core.audit.list(filter, null, 1))[0]?.event;
  };

  describe.each(MEANWHILE)("since %s came between", (_, act) => {
    test("S12 a login opens nothing, and is told as failed", async () => {
      const { account } = await someone(program(), "user");
      const logins = loginsDuring(() => act(account));
      const failure = await failureOf(
        logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve("granted")),
      );
      expect(Fault.is(failure, "login_failed")).toBe(true);
      expect(await lastEvent(account)).toBe("login.failed");
    });

    test("S12 a current password confirms nothing, and is told as failed", async () => {
      const { account } = await someone(program(), "user");
      const logins = loginsDuring(() => act(account));
      const failure = await failureOf(logins.confirm(account, PASSWORD, OPERATOR, changing("changed")));
      expect(Fault.is(failure, "wrong_current_password")).toBe(true);
      expect(await lastEvent(account)).toBe("password.confirmation_failed");
    });
  });

  test("S12 since a block came between a login opens nothing, and is told as refused", async () => {
    const { account } = await someone(program(), "user");
    const block = () => program().core.accounts.update(account, { isActive: false }, null, OPERATOR);
    const failure = await failureOf(
      loginsDuring(block).login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve("granted")),
    );
    expect(Fault.is(failure, "deactivated")).toBe(true);
    expect(await lastEvent(account)).toBe("login.refused");
  });

  test("S5 a right password judged too late opens no lock that this has set", async () => {
    const { account } = await someone(program(), "user");
    const tried: number[] = [];
    const logins = loginsOn(program(), {
      verify: () => {
        tried.push(tried.length);
        if (tried.length < POLICY.maxAttempts) return Promise.resolve({ ok: false, rehash: false });
        program().clock.forwardMs(ABANDONED_AFTER_MS);
        return Promise.resolve({ ok: true, rehash: false });
      },
    });
    const login = () =>
      failureOf(logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve("granted")));
    for (let wrong = 1; wrong < POLICY.maxAttempts; wrong += 1)
      expect(Fault.is(await login(), "login_failed")).toBe(true);
    expect(Fault.is(await login(), "locked")).toBe(true);
    expect(await lastEvent(account)).toBe("login.refused");
  });
});
