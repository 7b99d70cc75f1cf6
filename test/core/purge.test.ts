import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import { accountSubject } from "../../src/core/logins.ts";
import { DEPENDENTS } from "../../src/storage/accounts.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { personalToken, PASSWORD, someone } from "../support/someone.ts";

forEachEngine("purging an account", (start, engine) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("removes it with all that refers to it, and frees its names; the trail keeps what it says", async () => {
    const { core, database } = program();
    const owner = await someone(program(), "user");
    const { account, client } = owner;
    await client.post("/api/v1/todos", { title: "Mine" }, owner);
    await personalToken(owner);
    await client.post("/api/v1/users/login", { email: account.email, password: PASSWORD });
    const other = await someone(program(), "user");
    await client.post("/api/v1/todos", { title: "Another's" }, other);

    const live = await core.accounts.purge(account, OPERATOR).catch((error: unknown) => error);
    expect(Fault.is(live, "not_found")).toBe(true);
    await core.accounts.delete(account, OPERATOR);
    await core.accounts.purge(account, OPERATOR);

    for (const [table, column] of DEPENDENTS.user) {
      const left = await database.reader.first(`SELECT COUNT(*) AS n FROM ${table} WHERE ${column} = $1`, [
        account.id,
      ]);
      expect(`${table} ${left?.["n"]}`).toBe(`${table} 0`);
    }
    const attempts = "SELECT COUNT(*) AS n FROM login_attempts WHERE realm = 'user' AND subject = $1";
    const attemptsAt = async (id: number) =>
      Number((await database.reader.first(attempts, [accountSubject(id)]))?.["n"]);
    expect([await attemptsAt(account.id), await attemptsAt(other.account.id)]).toEqual([0, 1]);
    expect(
      await core.todos.list(
        { account: other.account, sessionId: null, scopes: null, expiresAtMs: null, by: OPERATOR },
        ALL,
      ),
    ).toHaveLength(1);
    expect(await core.store.read.accounts("user").byId(account.id)).toBeNull();
    const { email } = account;
    const again = await core.accounts.register("user", { email, password: PASSWORD }, OPERATOR);
    expect(again.id).toBeGreaterThan(account.id);
    const told = {
      event: null,
      account: { realm: "user", id: account.id },
      fromMs: null,
      untilMs: null,
    } as const;
    expect((await core.audit.list(told, null, 1))[0]?.event).toBe("account.purged");
  });

  test("takes an administrator's count of guesses along", async () => {
    const { core, database } = program();
    const { account } = await someone(program(), "admin");
    const counts = async () => {
      const subject = accountSubject(account.id);
      const sql = "SELECT COUNT(*) AS n FROM login_attempts WHERE realm = 'admin' AND subject = $1";
      return Number((await database.reader.first(sql, [subject]))?.["n"]);
    };
    expect(await counts()).toBe(1);
    await core.accounts.delete(account, OPERATOR);
    await core.accounts.purge(account, OPERATOR);
    expect(await counts()).toBe(0);
  });

  test("knows every table that refers to accounts", async () => {
    const { reader } = program().database;
    const rows = await reader.all(
      engine === "sqlite"
        ? `SELECT f."table" AS target, m.name AS source, f."from" AS col
           FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
        : `SELECT confrelid::regclass::text AS target, conrelid::regclass::text AS source, attname AS col
           FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'`,
    );
    const referring = (target: string) =>
      rows.filter((row) => row["target"] === target).map((row) => [row["source"], row["col"]]);
    expect(referring("users").toSorted()).toEqual(DEPENDENTS.user.map((pair) => [...pair]).toSorted());
    expect(referring("admins").toSorted()).toEqual(DEPENDENTS.admin.map((pair) => [...pair]).toSorted());
  });
});

const ALL = { completed: null, limit: null, offset: 0 };
