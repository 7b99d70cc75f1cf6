import { describe, expect, test } from "bun:test";
import { OPERATOR } from "../../../src/core/actor.ts";
import { MINUTE_MS } from "../../../src/core/clock.ts";
import { numberField, textField } from "../../support/client.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { data, someone } from "../../support/someone.ts";
import { PASSWORD, signUp, signUpByName, tokensOf } from "./people.ts";

const ME = "/api/v1/users/me";
const SESSIONS = `${ME}/sessions`;

forEachEngine("api-v1 sessions", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const listed = async (client: TestClient, token: string): Promise<readonly Record<string, unknown>[]> => {
    const { status, body } = await client.get(SESSIONS, { token });
    expect(status).toBe(200);
    return Array.isArray(body) ? body : [];
  };
  const login = async (client: TestClient, email: string, userAgent = "") => {
    const json = { email, password: PASSWORD };
    const headers = { "user-agent": userAgent };
    return textField(await client.post("/api/v1/users/login", json, { headers }), "access_token");
  };

  describe("list", () => {
    test("shows one's open sessions of both kinds, and which one asks", async () => {
      const { client, username, email, tokens } = await signUpByName(program());
      program().clock.forwardMs(MINUTE_MS);
      const now = new Date(program().clock.nowMs()).toISOString();
      const token = await login(program().client("203.0.113.7"), email, "Mozilla/5.0 (test)");
      await tokensOf((await signUpByName(program())).client, username);
      expect(await listed(client, token)).toEqual([
        expect.objectContaining({ kind: "rotating", current: false }),
        {
          id: expect.any(Number),
          kind: "cookie",
          created_at: now,
          last_used_at: now,
          client_address: "203.0.113.7",
          user_agent: "Mozilla/5.0 (test)",
          current: true,
        },
        expect.objectContaining({ kind: "rotating", client_address: client.address, current: false }),
      ]);
      const currents = (await listed(client, tokens.access)).map(({ current }) => current);
      expect(currents).toEqual([false, false, true]);
    });

    test("a refresh is a use; a session that has run out is not shown", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false", REFRESH_TOKEN_EXPIRE_DAYS: "1" });
      const { client, email, token } = await signUp(instance);
      instance.clock.forwardMs(MINUTE_MS);
      await client.post("/api/v1/users/refresh");
      const [session] = await listed(client, token);
      expect(session).toMatchObject({
        created_at: "2026-01-04T10:00:00.000Z",
        last_used_at: "2026-01-04T10:01:00.000Z",
      });
      instance.clock.forwardMs(24 * 60 * MINUTE_MS);
      const later = await login(client, email);
      expect(await listed(client, later)).toHaveLength(1);
    });

    test("a rotation is a use as well", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, tokens } = await signUpByName(instance);
      instance.clock.forwardMs(MINUTE_MS);
      await client.post("/api/v1/auth/refresh", { refresh_token: tokens.refresh });
      const [session] = await listed(client, tokens.access);
      expect(session).toMatchObject({
        created_at: "2026-01-04T10:00:00.000Z",
        last_used_at: "2026-01-04T10:01:00.000Z",
      });
    });

    test("of what a client calls itself 255 characters are kept", async () => {
      const { client, email } = await signUp(program());
      const token = await login(client, email, "x".repeat(300));
      const [session] = await listed(client, token);
      expect(session?.["user_agent"]).toBe("x".repeat(255));
    });

    test("a login without a session shows none as its own", async () => {
      const { client, username } = await signUpByName(program());
      const form = { username, password: PASSWORD };
      const token = textField(await client.send("POST", "/api/v1/auth/login", { form }), "access_token");
      expect((await listed(client, token)).map(({ current }) => current)).toEqual([false]);
    });
  });

  describe("end", () => {
    const end = (client: TestClient, token: string, id: unknown): Promise<Answer> =>
      client.delete(`${SESSIONS}/${String(id)}`, { token });

    test("one: its refresh token is void, its access tokens stop at once, the others go on", async () => {
      const { client, email, tokens } = await signUpByName(program());
      const token = await login(client, email);
      const [cookieSession, rotating] = await listed(client, token);
      expect((await end(client, token, rotating?.["id"])).status).toBe(204);
      expect((await client.get(ME, { token: tokens.access })).status).toBe(401);
      expect((await client.post("/api/v1/auth/refresh", { refresh_token: tokens.refresh })).status).toBe(401);
      expect((await end(client, token, rotating?.["id"])).status).toBe(404);
      expect(await listed(client, token)).toHaveLength(1);

      expect((await end(client, token, cookieSession?.["id"])).status).toBe(204);
      expect((await client.get(ME, { token })).status).toBe(401);
      expect((await client.post("/api/v1/users/refresh")).status).toBe(401);
    });

    test("S22 another's session is as if it were not there, to an administrator too", async () => {
      const alice = await signUpByName(program());
      const bob = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      const [session] = await listed(alice.client, alice.tokens.access);
      for (const { client, token } of [bob, admin]) {
        const answer = await end(client, token, session?.["id"]);
        expect(answer.status).toBe(404);
        expect(answer.body).toEqual({ detail: "Session not found" });
      }
      expect((await alice.client.get(ME, { token: alice.tokens.access })).status).toBe(200);
      expect((await end(bob.client, bob.token, 999_999)).status).toBe(404);
      expect((await end(bob.client, bob.token, "abc")).status).toBe(422);
      expect((await end(bob.client, "nothing", session?.["id"])).status).toBe(401);
    });

    test("all others: this one goes on, and so does everybody else's", async () => {
      const { client, username, email, tokens } = await signUpByName(program());
      const bob = await signUp(program());
      const second = await tokensOf(client, username);
      const token = await login(client, email);
      expect((await client.delete(SESSIONS, { token })).status).toBe(204);
      for (const { access } of [tokens, second])
        expect((await client.get(ME, { token: access })).status).toBe(401);
      expect((await client.post("/api/v1/users/refresh")).status).toBe(200);
      expect((await bob.client.get(ME, { token: bob.token })).status).toBe(200);
      expect((await listed(client, token)).map(({ current }) => current)).toEqual([true]);
    });

    test("asked for by several at one moment: one of them is left", async () => {
      const { client, username } = await signUpByName(program());
      const sessions = await Promise.all(Array.from({ length: 6 }, () => tokensOf(client, username)));
      const answers = await Promise.all(
        sessions.map(({ access }) => client.delete(SESSIONS, { token: access })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401, 401, 401, 401, 401]);
      const after = await Promise.all(sessions.map(({ access }) => client.get(ME, { token: access })));
      expect(after.filter(({ status }) => status === 200)).toHaveLength(1);
    });

    test("asked for by a token that belongs to none: all of them", async () => {
      const { client, username, tokens } = await signUpByName(program());
      const json = { username, password: PASSWORD };
      const token = textField(await client.post("/api/v1/auth/login-json", json), "access_token");
      expect((await client.delete(SESSIONS, { token })).status).toBe(204);
      expect((await client.get(ME, { token: tokens.access })).status).toBe(401);
      expect(await listed(client, token)).toEqual([]);
    });
  });

  describe("password", () => {
    const NEW_PASSWORD = "newPassword1";
    const change = (client: TestClient, token: string, json: unknown) =>
      client.post(`${ME}/password`, json, { token });

    test("S12 a change ends all sessions and voids all access tokens", async () => {
      const { client, username, email, tokens } = await signUpByName(program());
      const token = await login(client, email);
      const form = { username, password: PASSWORD };
      const bare = textField(await client.send("POST", "/api/v1/auth/login", { form }), "access_token");
      const body = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      const answer = await change(client, token, body);
      expect(answer.status).toBe(204);
      expect(answer.body).toBeUndefined();
      for (const dead of [token, bare, tokens.access])
        expect((await client.get(ME, { token: dead })).status).toBe(401);
      expect((await client.post("/api/v1/users/refresh")).status).toBe(401);
      expect((await client.post("/api/v1/auth/refresh", { refresh_token: tokens.refresh })).status).toBe(401);
      const relogin = (password: string) => client.post("/api/v1/users/login", { email, password });
      expect((await relogin(PASSWORD)).status).toBe(401);
      expect((await relogin(NEW_PASSWORD)).status).toBe(200);
    });

    test("a wrong or missing current password is a 403 that changes nothing", async () => {
      const { client, email, token } = await signUp(program());
      for (const current of [{ current_password: "wrong" }, { current_password: null }, {}]) {
        const answer = await change(client, token, { ...current, new_password: NEW_PASSWORD });
        expect(answer.status).toBe(403);
        expect(answer.body).toEqual({ detail: "Current password is incorrect" });
      }
      expect((await client.get(ME, { token })).status).toBe(200);
      expect((await client.post("/api/v1/users/login", { email, password: PASSWORD })).status).toBe(200);
    });

    test("the new one keeps the rule of its surface, and PASSWORD_MIN_LENGTH", async () => {
      const { client, token } = await signUp(program());
      for (const new_password of ["short", "has spaces in it", "x".repeat(31), undefined, 12345678]) {
        const answer = await change(client, token, { current_password: PASSWORD, new_password });
        expect(answer.status).toBe(422);
        expect(answer.body).toMatchObject({ errors: [{ field: "body.new_password" }] });
      }
      const strict = await start({ RATE_LIMIT_ENABLED: "false", PASSWORD_MIN_LENGTH: "11" });
      const person = await signUp(strict);
      const body = (new_password: string) => ({ current_password: PASSWORD, new_password });
      expect((await change(person.client, person.token, body("tenLetters"))).status).toBe(422);
      expect((await change(person.client, person.token, body("elevenChars"))).status).toBe(204);
    });

    test("of an administrator ends no session or token of the user with the same id, nor does a deletion", async () => {
      const instance = program();
      const { client, id, token } = await signUp(instance);
      const made = await client.post("/users/me/tokens", {}, { token });
      const personal = String(Object(data(made)).token);
      const boss = await someone(instance, "admin");
      await instance.database.write((connection) =>
        connection.run("UPDATE admins SET id = $1 WHERE id = $2", [id, boss.account.id]),
      );
      const { accounts } = instance.core;
      const password = { password: NEW_PASSWORD, entitlement: "administrator" } as const;
      const changed = await accounts.update(await accounts.get("admin", id), {}, password, OPERATOR);
      await accounts.delete(changed, OPERATOR);
      for (const each of [token, personal]) expect((await client.get(ME, { token: each })).status).toBe(200);
      expect((await client.post("/api/v1/users/refresh")).status).toBe(200);
    });

    test("of two changes at once with the same current password one is kept", async () => {
      const { client, email, token } = await signUp(program());
      const passwords = ["firstPassword1", "secondPassword2"];
      const answers = await Promise.all(
        passwords.map((new_password) => change(client, token, { current_password: PASSWORD, new_password })),
      );
      const kept = answers.filter(({ status }) => status === 204);
      expect(kept).toHaveLength(1);
      const logins = await Promise.all(
        passwords.map((password) => client.post("/api/v1/users/login", { email, password })),
      );
      expect(logins.filter(({ status }) => status === 200)).toHaveLength(1);
    });
  });

  test("S5 all the ways to try a password share one count", async () => {
    const { client, username, email, tokens } = await signUpByName(program());
    const wrong = { username, password: "wrongpassword" };
    const attempts = [
      () => client.post("/api/v1/users/login", { email, password: "wrongpassword" }),
      () => client.send("POST", "/api/v1/auth/token", { form: wrong }),
      () => client.send("POST", "/api/v1/auth/login", { form: wrong }),
      () => client.post("/api/v1/auth/login-json", wrong),
      () =>
        client.post(
          `${ME}/password`,
          { current_password: "wrongpassword", new_password: "newPassword1" },
          { token: tokens.access },
        ),
    ];
    const statuses: number[] = [];
    for (const attempt of attempts) statuses.push((await attempt()).status);
    expect(statuses).toEqual([401, 401, 401, 401, 403]);
    const right = { username, password: PASSWORD };
    for (const answer of [
      await client.post("/api/v1/users/login", { email, password: PASSWORD }),
      await client.send("POST", "/api/v1/auth/token", { form: right }),
      await client.send("POST", "/api/v1/auth/login", { form: right }),
      await client.post("/api/v1/auth/login-json", { ...right, username: username.toUpperCase() }),
      await client.post(
        `${ME}/password`,
        { current_password: PASSWORD, new_password: "newPassword1" },
        { token: tokens.access },
      ),
    ]) {
      expect(answer.status).toBe(423);
      expect(Number(answer.headers.get("retry-after"))).toBe(1_800);
    }
    // A session that is open goes on.
    const refreshed = await client.post("/api/v1/auth/refresh", { refresh_token: tokens.refresh });
    expect(refreshed.status).toBe(200);
    expect(numberField(refreshed, "expires_in")).toBe(1_800);
  });
});
