import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import { silentLog } from "../../src/core/log.ts";
import { accountSubject, Logins } from "../../src/core/logins.ts";
import type { Hasher } from "../../src/core/passwords.ts";
import { failureOf } from "../support/failure.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { PASSWORD, someone } from "../support/someone.ts";

const POLICY = { maxAttempts: 5, lockMs: 60_000 };

forEachEngine("a login whose hasher has too much to do", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const loginsWith = (hasher: Partial<Hasher>) =>
    new Logins({
      store: program().core.store,
      clock: program().clock,
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
  const overloaded = () => Promise.reject(Fault.of({ kind: "overloaded", retryAfterSeconds: 1 }));
  const attempts = (id: number) =>
    program().core.store.write((tx) =>
      tx.loginAttempts.lock("user", accountSubject(id), program().clock.nowMs()),
    );

  test("is no guess where the password could not be judged", async () => {
    const { account } = await someone(program(), "user");
    const logins = loginsWith({ verify: overloaded });
    for (let attempt = 0; attempt < 2 * POLICY.maxAttempts; attempt += 1) {
      const failure = await failureOf(
        logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve(null)),
      );
      expect(Fault.is(failure, "overloaded")).toBe(true);
    }
    expect(await attempts(account.id)).toMatchObject({ failures: 0, pending: 0 });
  });

  test("is refused before anything is written where no more passwords may wait", async () => {
    const { account } = await someone(program(), "user");
    const logins = loginsWith({
      refuseIfFull: () => {
        throw Fault.of({ kind: "overloaded", retryAfterSeconds: 1 });
      },
    });
    const untouched = await attempts(account.id);
    program().clock.forwardMs(1);
    const failure = await failureOf(
      logins.login("user", account.email, PASSWORD, OPERATOR, () => Promise.resolve(null)),
    );
    expect(Fault.is(failure, "overloaded")).toBe(true);
    expect(await attempts(account.id)).toEqual(untouched);
  });

  test("is good all the same where only the old hash could not be replaced", async () => {
    const { account } = await someone(program(), "user");
    const logins = loginsWith({
      verify: () => Promise.resolve({ ok: true, rehash: true }),
      hash: overloaded,
    });
    expect(
      await logins.login("user", account.email, PASSWORD, OPERATOR, (_, { id }) => Promise.resolve(id)),
    ).toBe(account.id);
    expect(await attempts(account.id)).toMatchObject({ failures: 0, pending: 0 });
    expect(await program().core.store.read.accounts("user").byId(account.id)).toMatchObject({
      passwordHash: account.passwordHash,
    });
  });
});
