import { describe, expect, test } from "bun:test";
import { SCOPES } from "../../../src/core/caller.ts";
import { DAY_MS, MINUTE_MS, SECOND_MS } from "../../../src/core/clock.ts";
import { OPERATOR } from "../../../src/core/actor.ts";
import { Fault } from "../../../src/core/fault.ts";
import type { Route } from "../../../src/http/route.ts";
import { field, numberField, textField } from "../../support/client.ts";
import { failureOf } from "../../support/failure.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { data, ME, PASSWORD, personalToken, someone } from "../../support/someone.ts";

forEachEngine("personal access tokens", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  describe.each(["user", "admin"] as const)("of realm %s", (realm) => {
    const path = `${ME[realm]}/tokens`;
    const letter = realm.charAt(0);

    test("S16 a token is shown once, works as Bearer, and is listed by its prefix", async () => {
      const owner = await someone(program(), realm);
      const { client } = owner;
      const made = await client.post(path, { name: " backup ", expires_in_days: 30 }, owner);
      expect(made.status).toBe(201);
      const shown = {
        id: expect.any(Number),
        name: "backup",
        prefix: expect.stringMatching(new RegExp(`^lk_${letter}_[0-9A-Za-z]{8}$`)),
        scopes: null,
        last_used_at: null,
        expires_at: new Date(program().clock.nowMs() + 30 * DAY_MS).toISOString(),
        created_at: new Date(program().clock.nowMs()).toISOString(),
      };
      expect(made.body).toEqual({
        success: true,
        message: "Token created",
        data: { ...shown, token: expect.stringMatching(new RegExp(`^lk_${letter}_[0-9A-Za-z]{49}$`)) },
      });
      expect(data(await client.get(path, owner))).toEqual([shown]);

      const { token } = Object(data(made));
      const me = await client.get(ME[realm], { token });
      expect(me.status).toBe(200);
      expect(data(me)).toMatchObject({ id: owner.account.id, username: owner.username });
    });

    test("all that is given is optional, and what is wrong with it is said", async () => {
      const owner = await someone(program(), realm);
      expect(data(await owner.client.post(path, {}, owner))).toMatchObject({
        name: null,
        expires_at: null,
        scopes: null,
      });
      const wrong = await owner.client.post(
        path,
        { name: "", expires_in_days: 366, scopes: ["todos:read", "todos:all"] },
        owner,
      );
      expect(wrong.status).toBe(422);
      expect(wrong.body).toMatchObject({
        error: {
          details: [
            { field: "name", message: "Input should have at least 1 character" },
            { field: "expires_in_days", message: "Input should be less than or equal to 365" },
            {
              field: "scopes",
              message:
                "Input should be 'todos:read' or 'todos:write' or 'account:read' or 'account:write' or 'admin'",
            },
          ],
        },
      });
      for (const days of [0, -1, 1.5, "30"]) {
        expect((await owner.client.post(path, { expires_in_days: days }, owner)).status).toBe(422);
      }
    });

    test("S16 revocation works at once, and only on one's own", async () => {
      const owner = await someone(program(), realm);
      const other = await someone(program(), realm);
      const token = await personalToken(owner);
      expect((await other.client.delete(`${path}/${token.id}`, other)).status).toBe(404);
      expect((await owner.client.get(ME[realm], { token: token.text })).status).toBe(200);

      const revoked = await owner.client.delete(`${path}/${token.id}`, owner);
      expect(revoked.status).toBe(200);
      expect(revoked.body).toEqual({ success: true, message: "Token revoked", data: null });
      expect((await owner.client.get(ME[realm], { token: token.text })).status).toBe(401);
      expect((await owner.client.delete(`${path}/${token.id}`, owner)).status).toBe(404);
      expect(data(await owner.client.get(path, owner))).toEqual([]);
    });

    test("S12 S16 a blocked account's tokens rest; a deleted one's are over, also when it is restored", async () => {
      const { accounts } = program().core;
      const owner = await someone(program(), realm);
      const token = await personalToken(owner);
      const status = async () => (await owner.client.get(ME[realm], { token: token.text })).status;

      await accounts.update(owner.account, { isActive: false }, null, OPERATOR);
      expect(await status()).toBe(401);
      const asked = await program().core.personalTokens.list(owner.account);
      expect(asked).toMatchObject([{ lastUsedAtMs: null }]);
      await accounts.update(owner.account, { isActive: true }, null, OPERATOR);
      expect(await status()).toBe(200);
      await accounts.delete(owner.account, OPERATOR);
      expect(await status()).toBe(401);
      await accounts.restore(owner.account, OPERATOR);
      expect(await status()).toBe(401);
    });

    test("a password change leaves them", async () => {
      const owner = await someone(program(), realm);
      const token = await personalToken(owner);
      const change = { password: "another-password", entitlement: { current: PASSWORD } };
      await program().core.accounts.update(owner.account, {}, change, OPERATOR);
      expect((await owner.client.get(ME[realm], owner)).status).toBe(401);
      expect((await owner.client.get(ME[realm], { token: token.text })).status).toBe(200);
    });
  });

  test("S16 an expired token is refused from its last millisecond on", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const owner = await someone(own, "user");
    const token = await personalToken(owner, { expires_in_days: 1 });
    own.clock.forwardMs(DAY_MS - 1);
    expect((await owner.client.get("/users/me", { token: token.text })).status).toBe(200);
    own.clock.forwardMs(1);
    expect((await owner.client.get("/users/me", { token: token.text })).status).toBe(401);
  });

  test("the last use is kept to the minute, seen at once, and written down by a flush", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const owner = await someone(own, "user");
    const token = await personalToken(owner);
    own.clock.forwardMs(5 * MINUTE_MS + 12_345);
    const usedAt = "2026-01-04T10:05:00.000Z";
    const stored = async () =>
      (
        await own.database.reader.first("SELECT last_used_at_ms AS at FROM personal_tokens WHERE id = $1", [
          token.id,
        ])
      )?.["at"];

    for (let use = 0; use < 3; use += 1) await owner.client.get("/users/me", { token: token.text });
    expect(await stored()).toBeNull();
    expect(data(await owner.client.get("/users/me/tokens", { token: token.text }))).toMatchObject([
      { last_used_at: usedAt },
    ]);
    await own.core.tokenUses.flush();
    expect(Number(await stored())).toBe(Date.parse(usedAt));

    // Another instance knows of a later use: what this one writes does not take it back.
    await own.database.write((tx) =>
      tx.run("UPDATE personal_tokens SET last_used_at_ms = last_used_at_ms + 600000 WHERE id = $1", [
        token.id,
      ]),
    );
    own.clock.forwardMs(MINUTE_MS);
    await owner.client.get("/users/me", { token: token.text });
    await own.core.tokenUses.flush();
    expect(Number(await stored())).toBe(Date.parse(usedAt) + 600_000);
  });

  test("what was noted is written down when the program stops", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const owner = await someone(own, "user");
    const { id, text } = await personalToken(owner);
    own.clock.forwardMs(MINUTE_MS);
    await owner.client.get("/users/me", { token: text });
    await own.close();
    const again = await start();
    const tokens = await again.core.personalTokens.list(owner.account);
    expect(tokens).toMatchObject([{ id, lastUsedAtMs: Date.parse("2026-01-04T10:01:00Z") }]);
  });

  test("what could not be written down is kept for the next time", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const owner = await someone(own, "user");
    const { id, text } = await personalToken(owner);
    own.clock.forwardMs(MINUTE_MS);
    await owner.client.get("/users/me", { token: text });
    const { store, tokenUses } = own.core;
    const { write } = store;
    const unavailable = Fault.of({ kind: "unavailable" });
    Object.assign(store, { write: () => Promise.reject(unavailable) });
    expect(await failureOf(tokenUses.flush())).toBe(unavailable);
    Object.assign(store, { write });
    await tokenUses.flush();
    const stored = await store.read.personalTokens.ofAccount("user", owner.account.id);
    expect(stored).toMatchObject([{ id, lastUsedAtMs: own.clock.nowMs() }]);
  });

  test("S12 a token made while its account is deleted is not there after the restoration", async () => {
    const { accounts, personalTokens } = program().core;
    for (let round = 0; round < 10; round += 1) {
      const owner = await someone(program(), "user");
      const make = () => owner.client.post("/users/me/tokens", {}, owner);
      await Promise.all([make(), accounts.delete(owner.account, OPERATOR), make(), make()]);
      await accounts.restore(owner.account, OPERATOR);
      expect(await personalTokens.list(owner.account)).toEqual([]);
    }
  });

  test("a token makes no token with more scopes than it has", async () => {
    const owner = await someone(program(), "user");
    const narrow = await personalToken(owner, { scopes: ["account:write", "todos:read", "todos:read"] });
    const make = (body: object) => owner.client.post("/users/me/tokens", body, { token: narrow.text });
    expect((await make({})).status).toBe(403);
    expect((await make({ scopes: null })).status).toBe(403);
    const wider = await make({ scopes: ["todos:read", "admin"] });
    expect(wider.status).toBe(403);
    expect(wider.body).toMatchObject({
      error: { code: "FORBIDDEN", message: "This token lacks the scope admin" },
    });
    const fitting = await make({ scopes: ["todos:read"] });
    expect(fitting.status).toBe(201);
    expect(data(fitting)).toMatchObject({ scopes: ["todos:read"] });
    // A token for nothing at all is narrower than any.
    expect((await make({ scopes: [] })).status).toBe(201);
  });

  test("a token makes no token that outlives it", async () => {
    const owner = await someone(program(), "user");
    const { client } = owner;
    const path = `${ME.user}/tokens`;
    const day = data(await client.post(path, { expires_in_days: 1 }, owner));
    const ends = Object(day).expires_at;
    const token = String(Object(day).token);
    for (const days of [null, 365, 1]) {
      const made = data(await client.post(path, { expires_in_days: days }, { token }));
      expect(made).toMatchObject({ expires_at: ends });
    }
  });

  test("S12 a token of an account whose id was given again after a restore is somebody else's", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const before = await someone(own, "user");
    const { id } = before.account;
    await own.database.write((connection) => connection.run("DELETE FROM users WHERE id = $1", [id]));
    own.clock.forwardMs(1);
    const after = await someone(own, "user");
    await own.database.write((connection) =>
      connection.run("UPDATE users SET id = $1 WHERE id = $2", [id, after.account.id]),
    );
    expect((await before.client.get(ME.user, { token: before.token })).status).toBe(401);
  });

  test("S12 a token from before its account was made is somebody else's, in a database of a former release too", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const { client, account, username } = await someone(own, "user");
    await own.database.write((connection) =>
      connection.run("UPDATE users SET credentials_version = 1 WHERE id = $1", [account.id]),
    );
    const login = await client.post("/auth/login", undefined, { form: { username, password: PASSWORD } });
    const token = textField(login, "access_token");
    expect((await client.get(ME.user, { token })).status).toBe(200);
    own.clock.forwardMs(2 * MINUTE_MS);
    expect((await client.get(ME.user, { token })).status).toBe(200);
    await own.database.write((connection) =>
      connection.run("UPDATE users SET created_at_ms = $1 WHERE id = $2", [own.clock.nowMs(), account.id]),
    );
    expect((await client.get(ME.user, { token })).status).toBe(401);
  });

  test("a token is good that was made in the second of its account, or before an account that an import dates ahead", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    own.clock.forwardMs(SECOND_MS / 2);
    const { client, token, account } = await someone(own, "user");
    expect((await client.get(ME.user, { token })).status).toBe(200);
    await own.database.write((connection) =>
      connection.run("UPDATE users SET created_at_ms = $1 WHERE id = $2", [
        own.clock.nowMs() + DAY_MS,
        account.id,
      ]),
    );
    expect((await client.get(ME.user, { token })).status).toBe(200);
  });

  test("S22 without the scope admin a role admin's token opens nothing of another's", async () => {
    const other = await someone(program(), "user");
    const todo = numberField(await other.client.post("/api/v1/todos", { title: "Mine" }, other), "id");
    const owner = await someone(program(), "user");
    await program().core.accounts.update(owner.account, { role: "admin" }, null, OPERATOR);
    const statuses = async (scopes: readonly string[]) => {
      const { text: token } = await personalToken(owner, { scopes });
      const path = `/api/v1/todos/${todo}`;
      return [
        (await owner.client.get(path, { token })).status,
        (await owner.client.put(path, { title: "Theirs" }, { token })).status,
        (await owner.client.delete(path, { token })).status,
      ];
    };
    expect(await statuses(["todos:read", "todos:write"])).toEqual([404, 404, 403]);
    expect(await statuses(["todos:read", "todos:write", "admin"])).toEqual([200, 200, 204]);
  });

  test("S23 without the scopes admin and account:write a role admin's token gives nobody a role", async () => {
    const owner = await someone(program(), "user");
    await program().core.accounts.update(owner.account, { role: "admin" }, null, OPERATOR);
    const roleGiven = async (username: string, scopes: readonly string[]) => {
      const { text: token } = await personalToken(owner, { scopes });
      const json = { username, email: `${username}@example.com`, password: "long-enough-1", role: "admin" };
      const made = await owner.client.post("/v1/users", json, { token });
      return (await program().core.accounts.get("user", numberField(made, "id"))).role;
    };
    expect(await roleGiven("made_without", ["account:write"])).toBe("user");
    expect(await roleGiven("made_to_read", ["todos:read", "admin"])).toBe("user");
    expect(await roleGiven("made_with", ["account:write", "admin"])).toBe("admin");
  });

  test("S23 without the scopes admin and account:write an administrator's token makes no administrator", async () => {
    const owner = await someone(program(), "admin");
    const register = async (username: string, scopes: readonly string[]) => {
      const { text: token } = await personalToken(owner, { scopes });
      const json = { username, name: "New", email: `${username}@example.com`, password: "long-enough-1" };
      return (await owner.client.post("/admin/auth/register", json, { token })).status;
    };
    expect(await register("admin_without", ["account:write"])).toBe(403);
    expect(await register("admin_to_read", ["account:read", "admin"])).toBe(403);
    expect(await register("admin_with", ["account:write", "admin"])).toBe(201);
  });

  test("a role admin's token without the scope admin is an ordinary user's", async () => {
    const owner = await someone(program(), "user");
    await program().core.accounts.update(owner.account, { role: "admin" }, null, OPERATOR);
    const other = await someone(program(), "user");
    for (const users of ["/api/v1/users", "/v1/users"]) {
      const read = async (body: object) => {
        const { text } = await personalToken(owner, body);
        return (await owner.client.get(`${users}/${other.account.id}`, { token: text })).status;
      };
      expect(await read({})).toBe(200);
      expect(await read({ scopes: ["account:read", "admin"] })).toBe(200);
      expect(await read({ scopes: ["account:read"] })).toBe(403);
    }
    const list = async (scopes: readonly string[]) => {
      const { text } = await personalToken(owner, { scopes });
      return (await owner.client.get("/v1/users", { token: text })).status;
    };
    expect(await list(["account:read", "admin"])).toBe(200);
    expect(await list(["account:read"])).toBe(403);
  });

  test("S16 a token of the wrong form is refused before anything is looked up", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false", DB_ECHO: "true" });
    const owner = await someone(own, "user");
    const { text } = await personalToken(owner);
    const statements = async (token: string) => {
      const before = own.log.length;
      const { status } = await owner.client.get("/users/me", { token });
      return { status, sql: own.log.slice(before).filter((line) => line.includes('"event":"sql"')).length };
    };
    const last = text.endsWith("0") ? "1" : "0";
    expect(await statements(text)).toEqual({ status: 200, sql: 1 });
    for (const token of [text.slice(0, -1) + last, `${text}x`, "lk_", "lk_u_"]) {
      expect(await statements(token)).toEqual({ status: 401, sql: 0 });
    }
  });

  test("S15 the database and the log hold no token's text", async () => {
    const owner = await someone(program(), "user");
    const { id, text } = await personalToken(owner);
    const row = await program().database.reader.first("SELECT * FROM personal_tokens WHERE id = $1", [id]);
    const stored = Object.values(row ?? {}).map((value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value),
    );
    expect(stored.length).toBeGreaterThan(5);
    expect([...stored, ...program().log].filter((line) => line.includes(text.slice(13)))).toEqual([]);
  });

  const pathOf = ({ path }: Route) => path.replace(/:[a-z_]+/g, "1");
  const guardOf = ({ docs }: Route) => docs.parts.find(({ scopes }) => scopes !== undefined);

  test("S11 on every guarded route a token without one of the route's scopes gets 403", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const people = { user: await someone(own, "user"), admin: await someone(own, "admin") };
    const guarded = own.app.routes.filter((route) => guardOf(route) !== undefined);
    expect(guarded.length).toBeGreaterThan(12);
    for (const route of guarded) {
      const { realm = "user", scopes: needed = [] } = guardOf(route) ?? {};
      for (const lacked of needed) {
        const scopes = SCOPES.filter((each) => each !== lacked);
        const { text } = await personalToken(people[realm], { scopes });
        const answer = await people[realm].client.send(route.method, pathOf(route), { token: text });
        expect(`${route.method} ${route.path} ${answer.status}`).toBe(`${route.method} ${route.path} 403`);
        expect(JSON.stringify(answer.body)).toContain(`lacks the scope`);
      }
    }
  });

  test("S11 no kind of token opens a route of the other realm, and a refresh token none", async () => {
    const own = await start({ RATE_LIMIT_ENABLED: "false" });
    const user = await someone(own, "user");
    const admin = await someone(own, "admin");
    const login = { email: user.account.email, password: PASSWORD };
    await user.client.post("/api/v1/users/login", login);
    const refreshToken = user.client.cookies.get("refresh_token") ?? "";
    expect(refreshToken).not.toBe("");
    const wrong = {
      user: [admin.token, (await personalToken(admin)).text, refreshToken],
      admin: [user.token, (await personalToken(user)).text, refreshToken],
    };
    for (const route of own.app.routes) {
      const guard = guardOf(route);
      for (const token of guard === undefined ? [] : wrong[guard.realm ?? "user"]) {
        const client = own.client();
        const answer = await client.send(route.method, pathOf(route), { token });
        expect(`${route.method} ${route.path} ${answer.status}`).toBe(`${route.method} ${route.path} 401`);
      }
    }
    expect(field(await user.client.get("/users/me", user), "success")).toBe(true);
  });
});
