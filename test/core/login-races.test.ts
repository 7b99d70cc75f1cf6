import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import type { Account } from "../../src/core/accounts.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { PASSWORD, someone } from "../support/someone.ts";

forEachEngine("a login at the moment of", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  /** Logs in, and begins `act` between the login's last look at the account and the opening of its session. */
  async function duringLogin(account: Account, act: () => Promise<unknown>): Promise<void> {
    const { logins, sessions } = program().core;
    const done: Promise<unknown>[] = [];
    await logins.login("user", account.email, PASSWORD, OPERATOR, async (tx, current) => {
      if (done.length === 0) done.push(act());
      for (let look = 0; look < 50; look += 1) await tx.accounts("user").byId(account.id);
      return sessions.open(tx, "rotating", current, OPERATOR);
    });
    await Promise.all(done);
  }

  const open = (account: Account) =>
    program().core.store.read.sessions.openOf(account.id, program().clock.nowMs());

  test("S12 a deletion leaves no session that a restoration would find", async () => {
    const { accounts } = program().core;
    const { account } = await someone(program(), "user");
    await duringLogin(account, () => accounts.delete(account, OPERATOR));
    await accounts.restore(account, OPERATOR);
    expect(await open(account)).toEqual([]);
  });

  test("S12 a password change leaves no session that the old password opened", async () => {
    const { account } = await someone(program(), "user");
    // A whole change hashes first, which takes longer than the login has left: this is the write that it ends in.
    await duringLogin(account, () =>
      program().core.store.write(async (tx) => {
        const nowMs = program().clock.nowMs();
        await tx.accounts("user").setPassword(account.id, "another hash", nowMs);
        await tx.sessions.endAll(account.id, nowMs, null);
      }),
    );
    expect(await open(account)).toEqual([]);
  });

  test("S12 a current password that was confirmed stays the current one until its change is made", async () => {
    const { account } = await someone(program(), "user");
    const { core, clock } = program();
    const done: Promise<unknown>[] = [];
    const versions = await core.logins.confirm(account, PASSWORD, OPERATOR, async () => async (tx) => {
      const byAdministrator = () =>
        core.store.write((other) =>
          other.accounts("user").setPassword(account.id, "another hash", clock.nowMs()),
        );
      if (done.length === 0) done.push(byAdministrator());
      const seen = new Set<number | undefined>();
      for (let look = 0; look < 50; look += 1)
        seen.add((await tx.accounts("user").byId(account.id))?.credentialsVersion);
      return seen;
    });
    await Promise.all(done);
    expect([...versions]).toEqual([account.credentialsVersion]);
  });
});
