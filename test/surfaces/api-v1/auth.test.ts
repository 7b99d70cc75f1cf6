import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../../src/core/clock.ts";
import { textField } from "../../support/client.ts";
import type { Options } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { newEmail, PASSWORD, signUp, signUpByName, tokenPair, tokensOf } from "./people.ts";

const AUTH = "/api/v1/auth";

forEachEngine("api-v1 auth", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });
  const send = (path: string, options: Options) => program().client().send("POST", `${AUTH}${path}`, options);
  const claimsOf = (token: string) =>
    JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

  describe("register", () => {
    test("answers 200 and the account", async () => {
      const email = newEmail();
      const json = { email: email.toUpperCase(), username: "John.Doe-1", password: "secret" };
      const answer = await send("/register", { json });
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        id: expect.any(Number),
        email,
        username: "John.Doe-1",
        is_active: true,
        is_superuser: false,
        created_at: "2026-01-04T10:00:00.000Z",
      });
    });

    test("S7 answers 400 for an e-mail or a username that is taken, in any case, also at the same moment", async () => {
      const { email, username } = await signUpByName(program());
      const register = (json: object) => send("/register", { json: { password: PASSWORD, ...json } });
      const byName = await register({ email: newEmail(), username: username.toUpperCase() });
      expect(byName.status).toBe(400);
      expect(byName.body).toEqual({
        detail: `User with username ${username.toUpperCase()} already exists`,
      });
      const byEmail = await register({ email: email.toUpperCase(), username: `${username}-2` });
      expect(byEmail.status).toBe(400);
      expect(byEmail.body).toEqual({ detail: `User with email ${email} already exists` });
      const answers = await Promise.all(
        ["Racer", "racer"].map((username) => register({ email: newEmail(), username })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    });

    test("names every wrong field", async () => {
      const answer = await send("/register", { json: { email: "x", username: "a@b.co", password: "short" } });
      expect(answer.status).toBe(422);
      expect(answer.body).toMatchObject({
        detail: "Validation error",
        errors: [{ field: "body.email" }, { field: "body.username" }, { field: "body.password" }],
      });
    });

    test("S1 takes a long passphrase in other scripts, and tells its spellings apart where people do", async () => {
      const passphrase = `Zwölf laute Möwen über κύμα ${"и".repeat(40)} end`;
      const username = "phrase";
      const json = { email: newEmail(), username, password: passphrase };
      expect((await send("/register", { json })).status).toBe(200);
      const login = async (password: string) =>
        (await send("/login", { form: { username, password } })).status;
      expect(await login(passphrase.normalize("NFD"))).toBe(200);
      expect(await login(passphrase.toUpperCase())).toBe(401);
      expect(await login(`${passphrase} `)).toBe(401);
      expect(await login(`${passphrase.slice(0, -1)}D`)).toBe(401);
    });

    test("S23 takes no field that would raise the caller's rights", async () => {
      const json = { email: newEmail(), username: "climber", password: PASSWORD };
      const rights = { role: "admin", is_superuser: true, is_active: false, id: 1, user_id: 1 };
      const answer = await send("/register", { json: { ...json, ...rights } });
      expect(answer.body).toMatchObject({ is_superuser: false, is_active: true });
    });
  });

  describe("token", () => {
    test("answers tokens that say how long they live, to be kept nowhere", async () => {
      const { client, username, email, id } = await signUpByName(program());
      for (const name of [username, username.toUpperCase(), email, email.toUpperCase()]) {
        const form = { grant_type: "password", username: name, password: PASSWORD };
        const answer = await client.send("POST", `${AUTH}/token`, { form });
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual({
          access_token: expect.any(String),
          refresh_token: expect.stringMatching(/^[A-Za-z0-9_-]{86}$/),
          token_type: "bearer",
          expires_in: 1_800,
        });
        expect(answer.headers.get("cache-control")).toBe("no-store");
        expect(answer.headers.get("set-cookie")).toBeNull();
        const claims = claimsOf(textField(answer, "access_token"));
        expect(claims).toMatchObject({ sub: username, user_id: id, role: "user", type: "access" });
        expect(claims.exp - claims.iat).toBe(1_800);
      }
    });

    test("an account without a username logs in by its e-mail, and is its subject", async () => {
      const { client, email } = await signUp(program());
      expect(claimsOf((await tokensOf(client, email)).access)).toMatchObject({ sub: email });
    });

    test("a multipart form will do, and the client's own credentials are read by nobody", async () => {
      const { username } = await signUpByName(program());
      const raw = new FormData();
      for (const [name, value] of Object.entries({
        username,
        password: PASSWORD,
        scope: "",
        client_id: "web",
      }))
        raw.set(name, value);
      expect((await send("/token", { raw })).status).toBe(200);
      const headers = { authorization: `Basic ${btoa("web:secret")}` };
      expect((await send("/token", { form: { username, password: PASSWORD }, headers })).status).toBe(200);
    });

    test("of a field that is sent twice the last one counts, in either form", async () => {
      const { username } = await signUpByName(program());
      const fields = [
        ["username", "somebody-else"],
        ["username", username],
        ["password", PASSWORD],
      ] as const;
      const multipart = new FormData();
      for (const [name, value] of fields) multipart.append(name, value);
      expect((await send("/token", { raw: multipart })).status).toBe(200);
      const raw = fields.map((field) => field.join("=")).join("&");
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      expect((await send("/token", { raw, headers })).status).toBe(200);
    });

    test("S4 a wrong password and nobody's name read the same, in OAuth2's words too", async () => {
      const { username } = await signUpByName(program());
      const answers = [
        await send("/token", { form: { username, password: "wrong" } }),
        await send("/token", { form: { username: "nobody.at.all", password: "wrong" } }),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(401);
        expect(answer.body).toEqual({
          detail: "Incorrect username or password",
          error: "invalid_grant",
          error_description: "Incorrect username or password",
        });
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      }
    });

    test("a refresh token that is not good is an invalid grant", async () => {
      const answer = await send("/token", {
        form: { grant_type: "refresh_token", refresh_token: "nonsense" },
      });
      expect(answer.status).toBe(401);
      expect(answer.body).toEqual({
        detail: "Invalid refresh token",
        error: "invalid_grant",
        error_description: "The refresh token is not valid",
      });
    });

    test("another grant is unsupported, whatever comes with it", async () => {
      for (const grant_type of ["client_credentials", "authorization_code", "PASSWORD", "\0"]) {
        const answer = await send("/token", { form: { grant_type, username: "a", password: "b" } });
        expect(answer.status).toBe(400);
        expect(answer.body).toEqual({
          detail: "Unsupported grant type",
          error: "unsupported_grant_type",
          error_description: "Use password or refresh_token",
        });
      }
    });

    test("a missing field, or one without a value, is an invalid request", async () => {
      const missing: readonly (readonly [Record<string, string>, readonly string[]])[] = [
        [{}, ["form.username", "form.password"]],
        [{ username: "john" }, ["form.password"]],
        [{ username: "john", password: "" }, ["form.password"]],
        [{ grant_type: "", username: "", password: "x" }, ["form.username"]],
        [{ grant_type: "refresh_token", username: "john", password: "x" }, ["form.refresh_token"]],
      ];
      for (const [form, fields] of missing) {
        const answer = await send("/token", { form });
        expect(answer.status).toBe(422);
        expect(answer.body).toEqual({
          detail: "Validation error",
          errors: fields.map((field) => ({ field, message: "Field required" })),
          error: "invalid_request",
          error_description: `Missing or wrong: ${fields.join(", ").replaceAll("form.", "")}`,
        });
      }
    });

    test("S25 takes a form, and says so", async () => {
      const answer = await send("/token", { json: { username: "john", password: PASSWORD } });
      expect(answer.status).toBe(415);
      expect(Object.keys(Object(answer.body))).toEqual(["detail"]);
      const raw = `username=${"x".repeat(1024 * 1024)}`;
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      expect((await send("/token", { raw, headers })).status).toBe(413);
      expect((await send("/token", { raw: "username=%FF%FE&password=%00", headers })).status).toBeLessThan(
        500,
      );
      const broken = { "content-type": "multipart/form-data; boundary=x" };
      expect((await send("/token", { raw: "--x\r\nno form", headers: broken })).status).toBe(400);
    });
  });

  describe("login without a session", () => {
    test("by form and by JSON, by username and by e-mail: an access token alone", async () => {
      const { client, username, email, id } = await signUpByName(program());
      for (const name of [username, email]) {
        const login = { username: name, password: PASSWORD };
        for (const answer of [
          await client.send("POST", `${AUTH}/login`, { form: login }),
          await client.post(`${AUTH}/login-json`, login),
        ]) {
          expect(answer.status).toBe(200);
          expect(answer.body).toEqual({ access_token: expect.any(String), token_type: "bearer" });
          const token = textField(answer, "access_token");
          expect(claimsOf(token)).not.toHaveProperty("sid");
          for (const path of [`${AUTH}/me`, "/api/v1/users/me"]) {
            expect((await client.get(path, { token })).body).toEqual({
              id,
              email,
              username,
              is_active: true,
              is_superuser: false,
              created_at: "2026-01-04T10:00:00.000Z",
            });
          }
        }
      }
    });

    test("fails in the words of its seed", async () => {
      const { username } = await signUpByName(program());
      const wrong = { username, password: "wrong" };
      for (const answer of [
        await send("/login", { form: wrong }),
        await send("/login-json", { json: wrong }),
      ]) {
        expect(answer.status).toBe(401);
        expect(answer.body).toEqual({ detail: "Incorrect username or password" });
      }
      expect((await send("/login", { form: { username } })).body).toMatchObject({
        errors: [{ field: "form.password", message: "Field required" }],
      });
      expect((await send("/login", { json: wrong })).status).toBe(415);
      expect((await send("/login-json", { form: wrong })).status).toBe(415);
    });
  });

  describe("revoke", () => {
    test("ends the session: its refresh token, and its access tokens at once", async () => {
      const alice = await signUpByName(program());
      const { access, refresh } = alice.tokens;
      const other = await tokensOf(alice.client, alice.username);
      const answer = await alice.client.post(`${AUTH}/revoke`, { refresh_token: refresh });
      expect(answer.status).toBe(204);
      expect(answer.body).toBeUndefined();
      expect((await alice.client.post(`${AUTH}/refresh`, { refresh_token: refresh })).status).toBe(401);
      expect((await alice.client.get(`${AUTH}/me`, { token: access })).status).toBe(401);
      expect((await alice.client.get(`${AUTH}/me`, { token: other.access })).status).toBe(200);
    });

    test("by RFC 7009's form, for either token of a session", async () => {
      for (const [which, hint] of [
        ["refresh", "refresh_token"],
        ["refresh", ""],
        ["refresh", "access_token"],
        ["access", "access_token"],
      ] as const) {
        const { client, tokens } = await signUpByName(program());
        const form = { token: tokens[which], token_type_hint: hint };
        const answer = await client.send("POST", `${AUTH}/revoke`, { form });
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual({});
        expect((await client.post(`${AUTH}/refresh`, { refresh_token: tokens.refresh })).status).toBe(401);
        expect((await client.get(`${AUTH}/me`, { token: tokens.access })).status).toBe(401);
      }
    });

    test("answers the same for a token that nobody knows, and 422 without one", async () => {
      expect((await send("/revoke", { json: { refresh_token: "unknown" } })).status).toBe(204);
      expect((await send("/revoke", { form: { token: "unknown" } })).status).toBe(200);
      expect((await send("/revoke", { json: {} })).body).toMatchObject({
        errors: [{ field: "body.refresh_token" }],
      });
      expect((await send("/revoke", { form: {} })).body).toMatchObject({ errors: [{ field: "form.token" }] });
      expect((await send("/revoke", { raw: "x", headers: { "content-type": "text/plain" } })).body).toEqual({
        detail:
          "Unsupported media type: send application/json or application/x-www-form-urlencoded or multipart/form-data",
      });
    });
  });

  test("ACCESS_TOKEN_EXPIRE_MINUTES is what expires_in says, and what holds", async () => {
    const instance = await start({ ACCESS_TOKEN_EXPIRE_MINUTES: "5" });
    const { client, tokens } = await signUpByName(instance);
    expect(claimsOf(tokens.access).exp - claimsOf(tokens.access).iat).toBe(300);
    instance.clock.forwardMs(5 * MINUTE_MS);
    expect((await client.get(`${AUTH}/me`, { token: tokens.access })).status).toBe(401);
    const renewed = await client.post(`${AUTH}/refresh`, { refresh_token: tokens.refresh });
    expect(renewed.body).toMatchObject({ expires_in: 300 });
    expect((await client.get(`${AUTH}/me`, { token: tokenPair(renewed).access })).status).toBe(200);
  });
});
