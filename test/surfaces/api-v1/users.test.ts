import { describe, expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../../src/core/clock.ts";
import { numberField, textField } from "../../support/client.ts";
import { forEachEngine, shared, TEST_SECRET } from "../../support/program.ts";
import { someone } from "../../support/someone.ts";
import { newEmail, PASSWORD, signUp } from "./people.ts";

forEachEngine("api-v1 users", (start) => {
  const program = shared(start);

  describe("register", () => {
    test("makes an account and answers its id and e-mail, in lower case", async () => {
      const email = newEmail();
      const answer = await program()
        .client()
        .post("/api/v1/users/register", { email: email.toUpperCase(), password: PASSWORD });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ id: expect.any(Number), email });
    });

    test("answers 400 for an e-mail that is taken, in any case and any Unicode form", async () => {
      const client = program().client();
      const email = `josé.${newEmail()}`;
      expect((await client.post("/api/v1/users/register", { email, password: PASSWORD })).status).toBe(200);
      const again = await client.post("/api/v1/users/register", {
        email: email.normalize("NFD").toUpperCase(),
        password: PASSWORD,
      });
      expect(again.status).toBe(400);
      expect(again.body).toEqual({ detail: `User with email ${email} already exists` });
    });

    test("S7 of two registrations of one e-mail at the same moment one wins and one conflicts", async () => {
      const client = program().client();
      const email = newEmail();
      const answers = await Promise.all(
        [email, email.toUpperCase()].map((spelling) =>
          client.post("/api/v1/users/register", { email: spelling, password: PASSWORD }),
        ),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    });

    test("names every wrong field and echoes none", async () => {
      const answer = await program()
        .client()
        .post("/api/v1/users/register", { email: "nobody", password: "short!" });
      expect(answer.status).toBe(422);
      expect(answer.body).toEqual({
        detail: "Validation error",
        errors: [
          { field: "body.email", message: "value is not a valid email address" },
          {
            field: "body.password",
            message: "Password must be between 8 and 30 characters and contain only alphanumeric characters",
          },
        ],
      });
    });

    test("S23 takes no field that would raise the caller's rights", async () => {
      const client = program().client();
      const email = newEmail();
      const body = `{"email":"${email}","password":"${PASSWORD}","role":"admin","is_superuser":true,"id":1,"__proto__":{"role":"admin"},"constructor":{}}`;
      const headers = { "content-type": "application/json" };
      expect((await client.send("POST", "/api/v1/users/register", { raw: body, headers })).status).toBe(200);
      const token = textField(
        await client.post("/api/v1/users/login", { email, password: PASSWORD }),
        "access_token",
      );
      const me = await client.get("/api/v1/users/me", { token });
      expect(me.body).toEqual({
        id: expect.any(Number),
        email,
        username: null,
        is_active: true,
        is_superuser: false,
        created_at: "2026-01-04T10:00:00.000Z",
      });
    });
  });

  describe("login", () => {
    test("answers a bearer token and sets the cookie as the contract writes it", async () => {
      const { client, email } = await signUp(program());
      const answer = await client.post("/api/v1/users/login", { email, password: PASSWORD });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ access_token: expect.any(String), token_type: "bearer" });
      expect(answer.headers.get("set-cookie")).toMatch(
        /^refresh_token=[A-Za-z0-9_-]{86}; HttpOnly; Max-Age=604800; Path=\/; SameSite=lax$/,
      );
      expect(answer.headers.get("cache-control")).toBe("no-store");
    });

    test("is by e-mail alone: what is none is a mistake in the form, also where it is somebody's username", async () => {
      const { client, username } = await someone(program(), "user");
      for (const email of [username, "not an e-mail", ""]) {
        const answer = await client.post("/api/v1/users/login", { email, password: PASSWORD });
        expect(answer.status).toBe(422);
        expect(answer.body).toMatchObject({ errors: [{ field: "body.email" }] });
      }
      const odd = { email: "@", password: PASSWORD };
      expect((await client.post("/api/v1/users/login", odd)).status).toBe(401);
    });

    test("S4 answers alike for a wrong password and for nobody", async () => {
      const { client, email } = await signUp(program());
      const wrong = await client.post("/api/v1/users/login", { email, password: "wrongpassword" });
      const nobody = await client.post("/api/v1/users/login", {
        email: newEmail(),
        password: "wrongpassword",
      });
      for (const answer of [wrong, nobody]) {
        expect(answer.status).toBe(401);
        expect(answer.body).toEqual({ detail: "Incorrect email or password" });
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
        expect(answer.headers.get("set-cookie")).toBeNull();
      }
      expect([...wrong.headers.keys()]).toEqual([...nobody.headers.keys()]);
    });

    test("the token carries the claims of the contract", async () => {
      const { token, email, id } = await signUp(program());
      const [header, claims] = token
        .split(".")
        .slice(0, 2)
        .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
      expect(header).toEqual({ alg: "HS256", typ: "JWT", kid: expect.any(String) });
      expect(claims).toMatchObject({
        sub: email,
        user_id: id,
        role: "user",
        type: "access",
        exp: claims.iat + 1_800,
      });
      expect(Object.keys(claims)).toEqual(expect.arrayContaining(["iss", "aud", "jti"]));
      const [, ofAdmin = ""] = (await signUp(program(), { role: "admin" })).token.split(".");
      expect(JSON.parse(Buffer.from(ofAdmin, "base64url").toString())).toMatchObject({ role: "admin" });
    });
  });

  describe("lockout", () => {
    for (const who of ["an account", "a name that belongs to nobody"]) {
      test(`the sixth attempt at ${who} answers 423, with the right password too, until the lock ends`, async () => {
        const instance = await start({ RATE_LIMIT_ENABLED: "false" });
        const client = instance.client();
        const email = who === "an account" ? (await signUp(instance)).email : newEmail();
        const login = (password: string) => client.post("/api/v1/users/login", { email, password });
        for (let attempt = 1; attempt <= 5; attempt += 1)
          expect((await login("wrongpassword")).status).toBe(401);
        const locked = await login(PASSWORD);
        expect(locked.status).toBe(423);
        expect(locked.headers.get("retry-after")).toBe("1800");
        instance.clock.forwardMs(30 * MINUTE_MS);
        expect((await login(PASSWORD)).status).toBe(who === "an account" ? 200 : 401);
      });
    }

    test("S4 the spellings of a name share one count, whether somebody has it or nobody", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const client = instance.client();
      for (const email of [(await signUp(instance)).email, newEmail()]) {
        const spellings = [email, email.toUpperCase(), ` ${email}`, `${email} `, email, email.toUpperCase()];
        const statuses: number[] = [];
        for (const spelling of spellings) {
          const login = { email: spelling, password: "wrongpassword" };
          statuses.push((await client.post("/api/v1/users/login", login)).status);
        }
        expect(statuses).toEqual([401, 401, 401, 401, 401, 423]);
      }
    });

    test("a heap of accents for a name holds nobody up", async () => {
      const { client } = await signUp(program());
      const startedNs = Bun.nanoseconds();
      const email = `a${"\u0301\u0316".repeat(40_000)}@example.com`;
      expect((await client.post("/api/v1/users/login", { email, password: PASSWORD })).status).toBe(401);
      expect(Bun.nanoseconds() - startedNs).toBeLessThan(2_000e6);
    });

    test("S5 of 50 wrong guesses at once at most five are judged", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, email } = await signUp(instance);
      const guesses = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          client.post("/api/v1/users/login", { email, password: `wrongpassword${n}` }),
        ),
      );
      const statuses = guesses.map(({ status }) => status);
      expect(statuses.filter((status) => status === 401)).toHaveLength(5);
      expect(statuses.filter((status) => status === 423)).toHaveLength(45);
    });

    test("many logins at once with the right password lock nobody out", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, email } = await signUp(instance);
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => client.post("/api/v1/users/login", { email, password: PASSWORD })),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
    });

    test("a success resets the count, and a session that is open goes on while the account is locked", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, email, token } = await signUp(instance);
      const login = (password: string) => client.post("/api/v1/users/login", { email, password });
      for (let attempt = 1; attempt <= 4; attempt += 1) await login("wrongpassword");
      expect((await login(PASSWORD)).status).toBe(200);
      for (let attempt = 1; attempt <= 5; attempt += 1)
        expect((await login("wrongpassword")).status).toBe(401);
      expect((await login(PASSWORD)).status).toBe(423);
      expect((await client.get("/api/v1/users/me", { token })).status).toBe(200);
    });
  });

  describe("rate limits", () => {
    test("answer 429 with Retry-After to the client that spent its budget, and to no other", async () => {
      const instance = await start();
      const client = instance.client();
      const body = { email: newEmail(), password: PASSWORD };
      for (let request = 1; request <= 10; request += 1) {
        expect((await client.post("/api/v1/users/login", request === 3 ? {} : body)).status).not.toBe(429);
      }
      const refused = await client.post("/api/v1/users/login", body);
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("60");
      expect((await instance.client().post("/api/v1/users/login", body)).status).not.toBe(429);
      instance.clock.forwardMs(MINUTE_MS);
      expect((await client.post("/api/v1/users/login", body)).status).not.toBe(429);
    });

    test("S28 count all addresses of an IPv6 /64 as one client", async () => {
      const instance = await start({ RATE_LIMIT_LOGIN: "1/minute" });
      const login = async (address: string) =>
        (await instance.client(address).post("/api/v1/users/login", {})).status;
      expect(await login("2001:db8:1:2::1")).toBe(422);
      expect(await login("2001:db8:1:2:ffff::9")).toBe(429);
      expect(await login("2001:db8:1:3::1")).toBe(422);
    });
  });

  describe("refresh", () => {
    test("answers a new access token; the cookie stays good", async () => {
      const { client } = await signUp(program());
      for (let round = 0; round < 2; round += 1) {
        const answer = await client.post("/api/v1/users/refresh");
        expect(answer.status).toBe(200);
        expect(answer.headers.get("set-cookie")).toBeNull();
        const me = await client.get("/api/v1/users/me", { token: textField(answer, "access_token") });
        expect(me.status).toBe(200);
      }
    });

    test("says what is wrong with the cookie", async () => {
      const instance = await start();
      const { client } = await signUp(instance);
      const refresh = (cookie: string) =>
        instance.client().post("/api/v1/users/refresh", undefined, { headers: { cookie } });
      expect((await instance.client().post("/api/v1/users/refresh")).body).toEqual({
        detail: "Refresh token not found",
      });
      expect((await refresh("refresh_token=nonsense")).body).toEqual({ detail: "Invalid refresh token" });
      expect((await refresh('refresh_token={"a":1}')).body).toEqual({ detail: "Invalid refresh token" });
      instance.clock.forwardMs(7 * DAY_MS);
      const expired = await client.post("/api/v1/users/refresh");
      expect(expired.status).toBe(401);
      expect(expired.body).toEqual({ detail: "Refresh token expired" });
    });
  });

  describe("logout", () => {
    test("ends the session, its access tokens at once, and clears the cookie", async () => {
      const { client, token } = await signUp(program());
      const renewed = textField(await client.post("/api/v1/users/refresh"), "access_token");
      const cookie = `refresh_token=${client.cookies.get("refresh_token")}`;
      const answer = await client.post("/api/v1/users/logout");
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ message: "Successfully logged out" });
      expect(answer.headers.get("set-cookie")).toBe(
        "refresh_token=; HttpOnly; Max-Age=0; Path=/; SameSite=lax",
      );
      const refreshed = await client.post("/api/v1/users/refresh", undefined, { headers: { cookie } });
      expect(refreshed.body).toEqual({ detail: "Invalid refresh token" });
      for (const each of [token, renewed]) {
        expect((await client.get("/api/v1/users/me", { token: each })).body).toEqual({
          detail: "Invalid or expired token",
        });
      }
    });

    test("S18 the cookie has its attributes from the settings, and is cleared with the same ones", async () => {
      for (const [settings, attributes] of [
        [{ COOKIE_SECURE: "true", COOKIE_SAMESITE: "none" }, "SameSite=none; Secure"],
        [{ COOKIE_SAMESITE: "strict", COOKIE_DOMAIN: "example.com" }, "SameSite=strict; Domain=example.com"],
        [
          { ENVIRONMENT: "production", SECRET_KEY: TEST_SECRET, COOKIE_DOMAIN: "example.com" },
          "SameSite=strict; Secure; Domain=example.com",
        ],
      ] as const) {
        const { client, email } = await signUp(await start({ RATE_LIMIT_ENABLED: "false", ...settings }));
        const login = await client.post("/api/v1/users/login", { email, password: PASSWORD });
        expect(login.headers.getSetCookie().at(-1)).toEndWith(`; Path=/; ${attributes}`);
        const logout = await client.post("/api/v1/users/logout");
        expect(logout.headers.getSetCookie().at(-1)).toBe(
          `refresh_token=; HttpOnly; Max-Age=0; Path=/; ${attributes}`,
        );
      }
    });

    test("S18 a cookie from before there was a domain goes with the next login, and with the logout", async () => {
      const settings = { RATE_LIMIT_ENABLED: "false", COOKIE_DOMAIN: "example.com" };
      const { client, email } = await signUp(await start(settings));
      for (const [route, body] of [
        ["login", { email, password: PASSWORD }],
        ["logout", undefined],
      ] as const) {
        const [hostOnly, ...others] = (
          await client.post(`/api/v1/users/${route}`, body)
        ).headers.getSetCookie();
        expect(hostOnly).toBe("refresh_token=; HttpOnly; Max-Age=0; Path=/; SameSite=lax");
        expect(others).toEqual([expect.stringContaining("; Domain=example.com")]);
      }
    });

    test("S18 of two cookies the newer counts, one that is good counts before one that is not, and a logout ends both", async () => {
      const [anna, bert] = [await signUp(program()), await signUp(program())];
      const both = [anna, bert].map(({ client }) => client.cookies.get("refresh_token") ?? "");
      const sendWith = (route: string, tokens: readonly string[]) => {
        const cookie = tokens.map((token) => `refresh_token=${token}`).join("; ");
        return program().client().post(`/api/v1/users/${route}`, undefined, { headers: { cookie } });
      };
      const whoRefreshes = async (tokens: readonly string[]) => {
        const token = textField(await sendWith("refresh", tokens), "access_token");
        return numberField(await anna.client.get("/api/v1/users/me", { token }), "id");
      };
      expect(await whoRefreshes(both)).toBe(bert.id);
      expect(await whoRefreshes(both.toReversed())).toBe(anna.id);
      expect(await whoRefreshes([...both, "stale"])).toBe(bert.id);
      const stale = await sendWith("refresh", ["old", "older", "stale"]);
      expect(stale.body).toEqual({ detail: "Invalid refresh token" });
      expect((await sendWith("logout", both)).status).toBe(200);
      for (const token of both) expect((await sendWith("refresh", [token])).status).toBe(401);
    });

    test("S18 clears the cookie also where there was none", async () => {
      const answer = await program().client().post("/api/v1/users/logout");
      expect(answer.status).toBe(200);
      expect(answer.headers.get("set-cookie")).toStartWith("refresh_token=; ");
    });
  });

  test("S19 a page of another origin gets nothing by a visitor's cookie", async () => {
    const { client, token } = await signUp(program());
    for (const origin of [
      "https://evil.example",
      "null",
      "http://localhost.evil.example",
      "https://localhost:1",
      "https://local",
      "https://my.localhost",
      "http://localhost:80.evil.example",
      "file://",
      "chrome-extension://localhost",
    ]) {
      for (const route of ["refresh", "logout"]) {
        const answer = await client.post(`/api/v1/users/${route}`, undefined, {
          headers: { origin, host: "localhost" },
        });
        expect(answer.status).toBe(403);
        expect(answer.headers.get("set-cookie")).toBeNull();
      }
    }
    expect((await client.get("/api/v1/users/me", { token })).status).toBe(200);
  });

  test("S19 a page of this very host acts by its visitor's cookie, also where one of them names the scheme's port", async () => {
    const { client } = await signUp(await start({ PUBLIC_URL: "https://todo.example" }));
    for (const [origin, host] of [
      ["http://localhost", "localhost"],
      ["https://localhost", "localhost:443"],
      ["http://localhost:80", "localhost"],
      // A proxy has put its own name for this server in place of the one that browsers know.
      ["https://todo.example", "backend:8000"],
    ] as const) {
      const refreshed = await client.post("/api/v1/users/refresh", undefined, { headers: { origin, host } });
      expect(refreshed.status).toBe(200);
    }
    const guessed = { origin: "https://other.example", host: "backend:8000" };
    expect((await client.post("/api/v1/users/refresh", undefined, { headers: guessed })).status).toBe(403);
  });

  test("S19 a page of a listed origin acts by its visitor's cookie, and of no other", async () => {
    const { client } = await signUp(await start({ CORS_ORIGINS: "https://app.example" }));
    const refreshFrom = async (origin: string) => {
      const headers = { origin, host: "api.example" };
      return (await client.post("/api/v1/users/refresh", undefined, { headers })).status;
    };
    expect(await refreshFrom("https://app.example")).toBe(200);
    for (const origin of ["http://app.example", "https://app.example:8443", "https://example"])
      expect([origin, await refreshFrom(origin)]).toEqual([origin, 403]);
  });

  describe("reading accounts", () => {
    test("one's own by id, nobody else's", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const own = await alice.client.get(`/api/v1/users/${alice.id}`, { token: alice.token });
      expect(own.status).toBe(200);
      expect(own.body).toEqual({ id: alice.id, email: alice.email });
      for (const other of [bob.id, 999_999]) {
        const answer = await alice.client.get(`/api/v1/users/${other}`, { token: alice.token });
        expect(answer.status).toBe(403);
      }
    });

    test("an administrator reads anyone's, and learns of those that are not there", async () => {
      const alice = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      const read = (id: number | string) => admin.client.get(`/api/v1/users/${id}`, { token: admin.token });
      expect((await read(alice.id)).body).toEqual({ id: alice.id, email: alice.email });
      const missing = await read(999_999);
      expect(missing.status).toBe(404);
      expect(missing.body).toEqual({ detail: "User with id 999999 not found" });
      expect((await read("9007199254740993")).status).toBe(404);
      await alice.client.delete("/users/me", { token: alice.token });
      expect((await read(alice.id)).status).toBe(404);
      for (const bad of ["0", "-1", "1e3", "0x10", "abc", "1.5", "%FF", "01"]) {
        const answer = await read(bad);
        expect(answer.status).toBe(422);
        expect(answer.body).toMatchObject({ errors: [{ field: "path.user_id" }] });
      }
    });
  });

  test("S12 a token of a deactivated, deleted or password-changed account is refused at the next request", async () => {
    const instance = program();
    const changes = [
      "UPDATE users SET is_active = FALSE WHERE id = $1",
      "UPDATE users SET deleted_at_ms = 1 WHERE id = $1",
      "UPDATE users SET credentials_version = credentials_version + 1 WHERE id = $1",
      // As an older backup has it, which knows nothing of the password that this token came by.
      "UPDATE users SET credentials_version = credentials_version - 1 WHERE id = $1",
    ];
    for (const sql of changes) {
      const { client, token, id } = await signUp(instance);
      expect((await client.get("/api/v1/users/me", { token })).status).toBe(200);
      await instance.database.write((connection) => connection.run(sql, [id]));
      const refused = await client.get("/api/v1/users/me", { token });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    }
  });

  test("a deactivated account answers 403 to the right password, and 401 to a wrong one", async () => {
    const instance = program();
    const { client, email, id } = await signUp(instance);
    await instance.database.write((connection) =>
      connection.run("UPDATE users SET is_active = FALSE WHERE id = $1", [id]),
    );
    const right = await client.post("/api/v1/users/login", { email, password: PASSWORD });
    expect(right.status).toBe(403);
    expect(right.headers.get("set-cookie")).toBeNull();
    expect((await client.post("/api/v1/users/login", { email, password: "wrongpassword" })).status).toBe(401);
  });
});
