import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../../src/core/clock.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import {
  dataOf,
  failure,
  formOf,
  logIn,
  newcomer,
  PASSWORD,
  SETTINGS,
  signUp,
  signUpAdmin,
} from "./people.ts";

const IMAGES = `${import.meta.dir}/../../fixtures/images`;

forEachEngine("root auth", (start) => {
  const program = shared(start, SETTINGS);

  describe("register", () => {
    test("takes JSON and multipart, and answers exactly the documented keys", async () => {
      const client = program().client();
      for (const phone of ["+49 (151) 123-45.678", undefined]) {
        for (const as of ["json", "form"]) {
          const person = newcomer();
          const fields = { ...person, ...(phone === undefined || as === "json" ? {} : { phone }) };
          const answer =
            as === "json"
              ? await client.post("/auth/register", { ...fields, phone: null })
              : await client.post("/auth/register", undefined, { raw: formOf(fields) });
          expect(answer.status).toBe(201);
          expect(answer.headers.get("cache-control")).toBe("no-store");
          expect(answer.body).toEqual({
            success: true,
            message: "Registration successful",
            data: {
              id: expect.any(Number),
              username: person.username,
              name: person.name,
              email: person.email,
              phone: phone === undefined || as === "json" ? null : "+4915112345678",
              avatar: null,
              avatar_url: null,
              is_active: true,
              created_at: "2026-01-04T10:00:00.000Z",
            },
          });
        }
      }
    });

    test("sent again under its Idempotency-Key makes one account, with one picture", async () => {
      const client = program().client();
      const person = { ...newcomer(), avatar: Bun.file(`${IMAGES}/gps.webp`) };
      const headers = { "idempotency-key": crypto.randomUUID() };
      const register = (fields: typeof person) =>
        client.post("/auth/register", undefined, { raw: formOf(fields), headers });
      const first = await register(person);
      expect(first.status).toBe(201);
      const again = await register(person);
      expect([again.status, again.body]).toEqual([201, first.body]);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      const another = await register({ ...person, avatar: Bun.file(`${IMAGES}/small.png`) });
      expect(another.status).toBe(422);
      expect((await client.get(String(dataOf(first)["avatar_url"]))).status).toBe(200);
    });

    test("S7 a username, e-mail or phone that is taken answers 409, in any case and any spelling", async () => {
      const client = program().client();
      const person = { ...newcomer(), phone: "+1 202 555 0147" };
      expect((await client.post("/auth/register", person)).status).toBe(201);
      for (const same of [
        { username: person.username.toUpperCase() },
        { email: person.email.toUpperCase() },
        { phone: "+1.202-555(0147)" },
      ]) {
        const answer = await client.post("/auth/register", { ...newcomer(), ...same });
        expect(answer.status).toBe(409);
        expect(answer.body).toEqual(
          failure("CONFLICT", `User with this ${Object.keys(same)[0]} already exists`),
        );
      }
      const twins = [newcomer(), newcomer()].map((twin) => ({ ...twin, phone: "+12025550148" }));
      const answers = await Promise.all(twins.map((twin) => client.post("/auth/register", twin)));
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409]);
    });

    test("names every wrong field, by JSON and by form, and echoes none", async () => {
      const client = program().client();
      const wrong = { username: "a b", name: "", email: "nobody", password: "short", phone: "0151 123" };
      const json = await client.post("/auth/register", wrong);
      const form = await client.post("/auth/register", undefined, { raw: formOf(wrong) });
      for (const answer of [json, form]) {
        expect(answer.status).toBe(422);
        const named = Object(Reflect.get(Object(answer.body), "error"));
        expect(named.code).toBe("VALIDATION_ERROR");
        expect(named.details.map(({ field }: { field: string }) => field)).toEqual(Object.keys(wrong));
        expect(JSON.stringify(answer.body)).not.toContain("short");
      }
    });

    test("phone numbers are E.164 in the end", async () => {
      const client = program().client();
      for (const phone of [
        "12345678",
        "+0123456789",
        "+123456",
        "+1234567890123456",
        "+49 151 abc",
        "++4915112345",
      ]) {
        expect((await client.post("/auth/register", { ...newcomer(), phone })).status).toBe(422);
      }
      const answer = await client.post("/auth/register", { ...newcomer(), phone: "" });
      expect(dataOf(answer)["phone"]).toBeNull();
    });

    test("S25 takes nothing but JSON and multipart, and of them no more than a megabyte of text", async () => {
      const client = program().client();
      const urlencoded = await client.post("/auth/register", undefined, { form: newcomer() });
      expect(urlencoded.status).toBe(415);
      expect(urlencoded.body).toEqual(failure("UNSUPPORTED_MEDIA_TYPE"));
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      expect((await client.post("/auth/register", undefined, { raw: "nonsense", headers })).status).toBe(400);
      const long = "x".repeat(1024 * 1024);
      for (const options of [
        { raw: formOf({ ...newcomer(), other: long }) },
        { raw: formOf({ ...newcomer(), [long]: "" }) },
        { json: { ...newcomer(), other: long } },
      ]) {
        const answer = await client.post("/auth/register", undefined, options);
        expect(answer.status).toBe(413);
        expect(answer.body).toEqual(failure("PAYLOAD_TOO_LARGE"));
      }
    });

    test("S23 takes no field that would raise the caller's rights", async () => {
      const { client, token } = await signUp(program());
      const raising = {
        role: "admin",
        is_superuser: true,
        is_active: false,
        id: 1,
        user_id: 1,
        avatar_url: "x",
      };
      const person = newcomer();
      await client.post("/auth/register", { ...person, ...raising });
      const registered = await client.get("/users/me", { token: await logIn(client, "/auth", person.email) });
      const { is_active, avatar_url } = dataOf(registered);
      expect({ is_active, avatar_url }).toEqual({ is_active: true, avatar_url: null });
      await client.put("/users/me", raising, { token });
      const rows = await program().database.reader.all(
        "SELECT role, is_active FROM users WHERE role <> 'user'",
      );
      expect(rows).toEqual([]);
    });
  });

  describe("login", () => {
    test("takes a form, urlencoded or multipart, and answers the token twice", async () => {
      const { client, username, email, id } = await signUp(program());
      for (const options of [
        { form: { username, password: PASSWORD } },
        { form: { username: email.toUpperCase(), password: PASSWORD, grant_type: "password" } },
        { raw: formOf({ username: username.toLowerCase(), password: PASSWORD }) },
      ]) {
        const answer = await client.post("/auth/login", undefined, options);
        expect(answer.status).toBe(200);
        const { access_token } = dataOf(answer);
        expect(answer.body).toEqual({
          success: true,
          message: "Login successful",
          data: { access_token: expect.any(String), token_type: "bearer", expires_in: 3600 },
          access_token,
          token_type: "bearer",
        });
        const claims = JSON.parse(
          Buffer.from(String(access_token).split(".")[1] ?? "", "base64url").toString(),
        );
        expect(claims).toMatchObject({ sub: username, user_id: id, aud: "latchkey:user", type: "access" });
        expect(claims.exp - claims.iat).toBe(3600);
      }
    });

    test("S4 answers alike for a wrong password and for nobody", async () => {
      const { client, username } = await signUp(program());
      for (const name of [username, "nobody-of-this-name"]) {
        const answer = await client.post("/auth/login", undefined, {
          form: { username: name, password: "wrong" },
        });
        expect(answer.status).toBe(401);
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
        expect(answer.body).toEqual(failure("UNAUTHORIZED", "Incorrect username or password"));
      }
    });

    test("S5 the sixth guess answers 423, also for the right password, until half an hour is over", async () => {
      const { client, username } = await signUp(program());
      const guess = (password: string, name = username) =>
        client.post("/auth/login", undefined, { form: { username: name, password } });
      for (const name of [username, "nobody.at.all"]) {
        for (let i = 0; i < 5; i++) expect((await guess("wrong", name)).status).toBe(401);
        const locked = await guess(PASSWORD, name);
        expect(locked.status).toBe(423);
        expect(locked.body).toEqual(failure("ACCOUNT_LOCKED"));
        expect(locked.headers.get("retry-after")).toBe("1800");
      }
      program().clock.forwardMs(30 * MINUTE_MS);
      expect((await guess(PASSWORD)).status).toBe(200);
    });

    test("a blocked account answers 403 to the right password alone, a deleted one 401", async () => {
      const { client, username, id, token } = await signUp(program());
      const login = (password: string) =>
        client.post("/auth/login", undefined, { form: { username, password } });
      const admin = await signUpAdmin(program());
      await client.patch(`/admin/users/${id}/block`, undefined, { token: admin.token });
      expect((await login("wrong")).status).toBe(401);
      const blocked = await login(PASSWORD);
      expect(blocked.status).toBe(403);
      expect(blocked.body).toEqual(failure("FORBIDDEN", "Account is deactivated"));
      expect((await client.get("/users/me", { token })).status).toBe(401);
      await client.patch(`/admin/users/${id}/activate`, undefined, { token: admin.token });
      const again = await logIn(client, "/auth", username);
      expect((await client.delete("/users/me", { token: again })).status).toBe(200);
      expect((await login(PASSWORD)).status).toBe(401);
    });
  });

  test("the sixth login of a client in 15 minutes answers 429, for users and administrators each", async () => {
    const limited = await start({ ADMIN_SETUP_TOKEN: SETTINGS.ADMIN_SETUP_TOKEN });
    const client = limited.client();
    for (const path of ["/auth/login", "/admin/auth/login/"]) {
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) statuses.push((await client.post(path, undefined, { form: {} })).status);
      expect(statuses).toEqual([422, 422, 422, 422, 422, 429]);
      const refused = await client.post(path, undefined, { form: {} });
      expect(refused.body).toEqual(failure("RATE_LIMITED"));
      expect(refused.headers.get("retry-after")).toBe("900");
    }
    limited.clock.forwardMs(15 * MINUTE_MS);
    expect((await client.post("/auth/login", undefined, { form: {} })).status).toBe(422);
  });
});
