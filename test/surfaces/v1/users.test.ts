import { describe, expect, test } from "bun:test";
import { SECOND_MS } from "../../../src/core/clock.ts";
import { integer, text } from "../../../src/storage/rows.ts";
import { field, numberField, textField } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { expectFailure, logIn, newUsername, PASSWORD, registration, signUp, wrongFields } from "./people.ts";
import type { Person } from "./people.ts";

const USER_KEYS = ["created_at", "email", "full_name", "id", "is_active", "updated_at", "username"];
const DAY_SECONDS = 86_400;

forEachEngine("v1 users", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const logInAs = (username: string, password: string) =>
    program().client().post("/v1/auth/login", { username, password });
  const roleOf = async (id: number) =>
    (await program().database.reader.first("SELECT role FROM users WHERE id = $1", [id]))?.["role"];

  test("seed 004's examples, as written", async () => {
    const client = program().client();
    const headers = { "content-type": "application/json" };
    const health = await client.get("/v1/health");
    expect(health.status).toBe(200);
    expect(health.body).toEqual({
      status: "healthy",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      environment: "test",
      timestamp: "2026-01-04T10:00:00.000Z",
      database: { status: "connected", current_time: expect.stringMatching(/^\d{4}-.*Z$/) },
    });

    const registered = await client.send("POST", "/v1/auth/register", {
      headers,
      raw: `{
    "email": "john@example.com",
    "username": "john_doe",
    "full_name": "John Doe",
    "password": "securepass123"
  }`,
    });
    expect(registered.status).toBe(201);
    expect(registered.body).toEqual({
      id: expect.any(Number),
      email: "john@example.com",
      username: "john_doe",
      full_name: "John Doe",
      is_active: true,
      created_at: "2026-01-04T10:00:00.000Z",
      updated_at: null,
    });

    const loggedIn = await client.send("POST", "/v1/auth/login", {
      headers,
      raw: `{
    "username": "john_doe",
    "password": "securepass123"
  }`,
    });
    expect(loggedIn.status).toBe(200);
    expect(loggedIn.body).toEqual({
      access_token: expect.stringMatching(/^eyJ/),
      token_type: "bearer",
      expires_in: DAY_SECONDS,
    });

    const token = textField(loggedIn, "access_token");
    const created = await client.send("POST", "/v1/todos", {
      headers,
      token,
      raw: `{
    "title": "Learn FastAPI",
    "description": "Build an async REST API",
    "priority": "high"
  }`,
    });
    expect(created.status).toBe(201);
    const listed = await client.get("/v1/todos", { token });
    expect(listed.status).toBe(200);
    expect(listed.body).toMatchObject({ items: [created.body], total: 1, page: 1, page_size: 20, pages: 1 });
    expectFailure(await client.get("/v1/todos"), 401, "Invalid authentication token");
  });

  test("a token is RS256, lives a day, and names the user by id", async () => {
    const alice = await signUp(program());
    const [header = "", payload = ""] = alice.token.split(".");
    const decoded = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(decoded(header)).toMatchObject({ alg: "RS256", kid: expect.any(String) });
    const claims = decoded(payload);
    expect(claims).toMatchObject({ sub: String(alice.id), user_id: alice.id, role: "user", type: "access" });
    expect(claims.exp - claims.iat).toBe(DAY_SECONDS);
    expect((await alice.get("/api/v1/users/me")).status).toBe(200);
  });

  describe("register", () => {
    test.each(["/v1/auth/register", "/v1/users"])(
      "at %s answers the user, and 409 where a name is taken",
      async (path) => {
        const client = program().client();
        const given = registration();
        const { full_name: _, ...least } = given;
        const answer = await client.post(path, { ...least, email: given.email.toUpperCase() });
        expect(answer.status).toBe(201);
        expect(Object.keys(Object(answer.body)).toSorted()).toEqual(USER_KEYS);
        expect(answer.body).toMatchObject({ email: given.email, full_name: null });
        expect(answer.headers.get("location")).toBe(`/v1/users/${numberField(answer, "id")}`);
        expectFailure(
          await client.post(path, { ...registration(), email: given.email }),
          409,
          "User with this email already exists",
        );
        const sameName = { ...registration(), username: given.username.toUpperCase() };
        expectFailure(await client.post(path, sameName), 409, "User with this username already exists");
      },
    );

    test("names every wrong field, and echoes none", async () => {
      const answer = await program()
        .client()
        .post("/v1/auth/register", { email: "no", username: "a b", full_name: 5, password: "hunter2" });
      expect(wrongFields(answer)).toEqual(["email", "username", "full_name", "password"]);
      expect(JSON.stringify(answer.body)).not.toContain("hunter2");
    });

    test("S23 gives nobody more rights than they had", async () => {
      const alice = await signUp(program());
      const extra = {
        role: "admin",
        is_active: false,
        is_superuser: true,
        id: 1,
        __proto__: { role: "admin" },
      };
      const strange = { role: "emperor", is_active: "never" };
      for (const rights of [extra, strange]) {
        for (const answer of [
          await program()
            .client()
            .post("/v1/auth/register", { ...registration(), ...rights }),
          await program()
            .client()
            .post("/v1/users", { ...registration(), ...rights }),
          await alice.post("/v1/users", { ...registration(), ...rights }),
          await alice.patch(`/v1/users/${alice.id}`, rights),
        ]) {
          expect(answer.status).toBeOneOf([200, 201]);
          expect(answer.body).toMatchObject({ is_active: true });
          expect(await roleOf(numberField(answer, "id"))).toBe("user");
        }
      }
    });

    test("an administrator gives a role and may begin with a blocked account", async () => {
      const admin = await signUp(program(), { role: "admin" });
      const given = registration();
      const answer = await admin.post("/v1/users", { ...given, role: "admin", is_active: false });
      expect(answer.body).toMatchObject({ is_active: false });
      expect(await roleOf(numberField(answer, "id"))).toBe("admin");
      expectFailure(await logInAs(given.username, PASSWORD), 403, "User account is inactive");
      expect(wrongFields(await admin.post("/v1/users", { ...registration(), role: "emperor" }))).toEqual([
        "role",
      ]);
    });

    test("a request with a bad token is counted all the same", async () => {
      const instance = await start({ RATE_LIMIT_REGISTER: "2/minute" });
      const client = instance.client();
      const statuses: number[] = [];
      for (let request = 1; request <= 3; request += 1)
        statuses.push((await client.post("/v1/users", registration(), { token: "forged" })).status);
      expect(statuses).toEqual([401, 401, 429]);
    });

    test("a bad token is refused even where none is needed", async () => {
      const answer = await program().client().post("/v1/users", registration(), { token: "forged" });
      expectFailure(answer, 401, "Invalid authentication token");
    });
  });

  describe("login", () => {
    test("takes the username in any case, or the e-mail address", async () => {
      const alice = await signUp(program());
      for (const name of [alice.username.toUpperCase(), alice.email]) {
        expect((await logInAs(name, PASSWORD)).status).toBe(200);
      }
    });

    test("S4 fails alike for an unknown name and a wrong password, and locks", async () => {
      const alice = await signUp(program());
      for (const name of [alice.username, newUsername()]) {
        for (let guess = 0; guess < 5; guess += 1) {
          expectFailure(await logInAs(name, "wrong-password"), 401, "Incorrect username or password");
        }
        const locked = await logInAs(name, PASSWORD);
        expectFailure(locked, 423, "Account is locked after too many failed logins. Try again later.");
        expect(locked.headers.get("retry-after")).toBe("1800");
      }
    });

    test("is JSON", async () => {
      const client = program().client();
      const form = { username: "a", password: "b" };
      expectFailure(
        await client.send("POST", "/v1/auth/login", { form }),
        415,
        "Unsupported media type: send application/json",
      );
      expectFailure(
        await client.send("POST", "/v1/auth/login", {
          raw: "{",
          headers: { "content-type": "application/json" },
        }),
        400,
        "The body is not valid JSON",
      );
    });
  });

  describe("list", () => {
    test("S22 is an administrator's, in pages, the newest first, without the deleted", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const admin = await signUp(instance, { role: "admin" });
      const people: Person[] = [];
      for (let count = 0; count < 5; count += 1) people.push(await signUp(instance));
      const [alice, gone] = people;
      if (alice === undefined || gone === undefined) throw new Error("nobody signed up");
      await gone.delete(`/v1/users/${gone.id}`);
      expectFailure(await alice.get("/v1/users"), 403, "Not authorized: this takes the role admin");
      expectFailure(await instance.client().get("/v1/users"), 401, "Invalid authentication token");

      const first = await admin.get("/v1/users?page_size=3");
      const items: readonly { readonly id: number }[] = Object(first.body).items;
      expect(items.map(({ id }) => id)).toEqual(
        people
          .map(({ id }) => id)
          .toReversed()
          .slice(0, 3),
      );
      expect(Object.keys(items[0] ?? {}).toSorted()).toEqual(USER_KEYS);
      expect(first.headers.get("link")).toContain('</v1/users?page_size=3&page=2>; rel="next"');
      const second = await admin.get(`/v1/users?page_size=100&cursor=${textField(first, "next_cursor")}`);
      const rest: readonly { readonly id: number }[] = Object(second.body).items;
      expect(rest.map(({ id }) => id)).not.toContain(gone.id);
      expect(rest.length + 3).toBe(numberField(first, "total"));
      expect(field(second, "next_cursor")).toBeNull();
      for (const bad of ["page=0", "page_size=101", "page_size=0", "cursor=x"]) {
        expect(wrongFields(await admin.get(`/v1/users?${bad}`))).toEqual([bad.split("=")[0] ?? ""]);
      }
    });

    test("S27 a cursor of todos is none of users", async () => {
      const admin = await signUp(program(), { role: "admin" });
      for (const title of ["a", "b"]) await admin.post("/v1/todos", { title });
      const cursor = textField(await admin.get("/v1/todos?page_size=1"), "next_cursor");
      expect(wrongFields(await admin.get(`/v1/users?cursor=${cursor}`))).toEqual(["cursor"]);
    });
  });

  describe("S22 one user", () => {
    test("is seen, changed and deleted by themselves and an administrator, and by nobody else", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      for (const id of [alice.id, 999_999]) {
        const path = `/v1/users/${id}`;
        for (const answer of [
          await bob.get(path),
          await bob.patch(path, { full_name: "Mallory" }),
          await bob.delete(path),
        ]) {
          expectFailure(answer, 403, "Not authorized to access this user");
        }
        for (const method of ["GET", "PATCH", "DELETE"]) {
          expectFailure(await bob.client.send(method, path), 401, "Invalid authentication token");
        }
      }
      for (const answer of [
        await admin.get("/v1/users/999999"),
        await admin.patch("/v1/users/999999", {}),
        await admin.delete("/v1/users/999999"),
      ]) {
        expectFailure(answer, 404, "User not found");
      }
      const path = `/v1/users/${alice.id}`;
      expect((await alice.get(path)).body).toEqual((await admin.get(path)).body);
      expect((await alice.get("/v1/auth/me")).body).toEqual((await alice.get(path)).body);
      expect(wrongFields(await alice.get("/v1/users/0"))).toEqual(["user_id"]);
    });

    test("PATCH changes what is there, clears the name, and refuses other nulls", async () => {
      const alice = await signUp(program());
      const path = `/v1/users/${alice.id}`;
      const before = await alice.get(path);
      program().clock.forwardMs(SECOND_MS);
      const username = newUsername();
      const changed = await alice.patch(path, {
        username,
        email: `${username}@Example.com`,
        full_name: null,
      });
      expect(changed.status).toBe(200);
      expect(changed.body).toEqual({
        ...Object(before.body),
        username,
        email: `${username}@example.com`,
        full_name: null,
        updated_at: new Date(program().clock.nowMs()).toISOString(),
      });
      expect((await alice.get(path)).body).toEqual(changed.body);
      expect((await logInAs(username, PASSWORD)).status).toBe(200);
      const nulls = { email: null, username: null, password: null, current_password: null };
      expect(wrongFields(await alice.patch(path, nulls))).toEqual(Object.keys(nulls));
      const nothing = await alice.patch(path, {});
      expect(nothing.body).toEqual(changed.body);
    });

    test("a full name is kept trimmed, as root keeps it, and an empty one is none", async () => {
      const client = program().client();
      for (const [given, kept] of [
        ["  Ada  ", "Ada"],
        ["", null],
        [" \t ", null],
        [`A${" ".repeat(255)}`, "A"],
      ] as const) {
        for (const path of ["/v1/auth/register", "/v1/users"])
          expect(field(await client.post(path, { ...registration(), full_name: given }), "full_name")).toBe(
            kept,
          );
        const alice = await signUp(program());
        expect(field(await alice.patch(`/v1/users/${alice.id}`, { full_name: given }), "full_name")).toBe(
          kept,
        );
      }
    });

    test("PATCH to a taken name answers 409, changes nothing, and is no guess at a password", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const path = `/v1/users/${alice.id}`;
      expectFailure(
        await alice.patch(path, { full_name: "X", email: bob.email }),
        409,
        "User with this email already exists",
      );
      const change = { username: bob.username, password: "another-password", current_password: PASSWORD };
      for (let attempt = 0; attempt < 7; attempt += 1) {
        expectFailure(await alice.patch(path, change), 409, "User with this username already exists");
      }
      expect((await alice.get(path)).body).toMatchObject({ username: alice.username, full_name: "A Person" });
      expect((await logInAs(alice.username, PASSWORD)).status).toBe(200);
    });

    test("S12 a new password needs the current one, and ends every token", async () => {
      const alice = await signUp(program());
      const path = `/v1/users/${alice.id}`;
      const password = "another-password";
      for (const wrong of [{ password }, { password, current_password: "wrong-password" }]) {
        expectFailure(await alice.patch(path, wrong), 403, "Current password is incorrect");
      }
      expect((await alice.patch(path, { current_password: "not looked at" })).status).toBe(200);
      expect(wrongFields(await alice.patch(path, { password: "short", current_password: PASSWORD }))).toEqual(
        ["password"],
      );
      expect((await alice.patch(path, { password, current_password: PASSWORD })).status).toBe(200);
      expectFailure(await alice.get(path), 401, "Invalid authentication token");
      expect((await logInAs(alice.username, PASSWORD)).status).toBe(401);
      expect((await logInAs(alice.username, password)).status).toBe(200);
    });

    test("S12 a token of a password that was lost with a restored backup is void, also once the password changes again", async () => {
      const instance = await start();
      const alice = await signUp(instance);
      const path = `/v1/users/${alice.id}`;
      const changeTo = async (password: string) => {
        instance.clock.forwardMs(SECOND_MS);
        expect((await alice.patch(path, { password, current_password: PASSWORD })).status).toBe(200);
      };
      const columns = "password_hash, credentials_version";
      const backup = await instance.database.reader.first(`SELECT ${columns} FROM users WHERE id = $1`, [
        alice.id,
      ]);
      await changeTo("lost-password");
      const lost = await logIn(alice.client, alice.username, "lost-password");
      const statusOfLost = async () => (await alice.client.get(path, { token: lost })).status;
      expect(await statusOfLost()).toBe(200);

      await instance.database.write((connection) =>
        connection.run(`UPDATE users SET (${columns}) = ($2, $3) WHERE id = $1`, [
          alice.id,
          text(backup ?? {}, "password_hash"),
          integer(backup ?? {}, "credentials_version"),
        ]),
      );
      expect(await statusOfLost()).toBe(401);
      await changeTo("third-password");
      expect(await statusOfLost()).toBe(401);
    });

    test("S5 wrong current passwords count towards the lock", async () => {
      const alice = await signUp(program());
      const change = { password: "another-password", current_password: "wrong-password" };
      for (let guess = 0; guess < 5; guess += 1) {
        expect((await alice.patch(`/v1/users/${alice.id}`, change)).status).toBe(403);
      }
      expect(
        (await alice.patch(`/v1/users/${alice.id}`, { ...change, current_password: PASSWORD })).status,
      ).toBe(423);
      expect((await logInAs(alice.username, PASSWORD)).status).toBe(423);
    });

    test("an administrator sets another's password, role and block, but needs the current one for their own", async () => {
      const alice = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      const path = `/v1/users/${alice.id}`;
      expect((await admin.patch(path, { password: "given-password", role: "admin" })).status).toBe(200);
      expect(await roleOf(alice.id)).toBe("admin");
      expectFailure(await alice.get(path), 401, "Invalid authentication token");
      const token = await logIn(program().client(), alice.username, "given-password");
      expect((await admin.patch(path, { is_active: false })).body).toMatchObject({ is_active: false });
      expectFailure(await program().client().get(path, { token }), 401, "Invalid authentication token");
      const own = `/v1/users/${admin.id}`;
      expectFailure(
        await admin.patch(own, { password: "given-password" }),
        403,
        "Current password is incorrect",
      );
    });

    test("DELETE ends the account softly: it is gone, and its names stay taken", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const admin = await signUp(program(), { role: "admin" });
      const own = await alice.delete(`/v1/users/${alice.id}`);
      expect(own.status).toBe(204);
      expect(own.body).toBeUndefined();
      expect((await admin.delete(`/v1/users/${bob.id}`)).status).toBe(204);
      for (const gone of [alice, bob]) {
        expectFailure(await gone.get("/v1/auth/me"), 401, "Invalid authentication token");
        expectFailure(await logInAs(gone.username, PASSWORD), 401, "Incorrect username or password");
        expectFailure(await admin.get(`/v1/users/${gone.id}`), 404, "User not found");
        expectFailure(await admin.delete(`/v1/users/${gone.id}`), 404, "User not found");
        const again = { ...registration(), username: gone.username };
        expect((await program().client().post("/v1/auth/register", again)).status).toBe(409);
      }
    });
  });

  test("a database that is gone answers 503, and the health check says so", async () => {
    const instance = await start({ RATE_LIMIT_ENABLED: "false" });
    const alice = await signUp(instance);
    await instance.database.close();
    expectFailure(await alice.get("/v1/todos"), 503, "Service temporarily unavailable");
    const health = await instance.client().get("/v1/health");
    expect(health.status).toBe(503);
    expect(health.body).toMatchObject({
      status: "unhealthy",
      database: { status: "disconnected", current_time: null },
    });
  });

  test("routing: slashes, methods and unknown paths, in this surface's words", async () => {
    const { client, token } = await signUp(program());
    for (const path of ["/v1/todos/", "/v1/auth/me/", "/v1/health/"]) {
      expect((await client.get(path, { token })).status).toBe(200);
    }
    for (const [method, path, allow] of [
      ["GET", "/v1/auth/register", "POST"],
      ["PUT", "/v1/todos/1", "GET, HEAD, PATCH, DELETE"],
      ["GET", "/v1/todos/bulk", "POST"],
      ["POST", "/v1/health", "GET, HEAD"],
    ] as const) {
      const answer = await client.send(method, path);
      expectFailure(answer, 405, "Method not allowed");
      expect(answer.headers.get("allow")).toBe(allow);
    }
    for (const path of ["/v1", "/v1/nothing", "/v1/todos/1/2"])
      expectFailure(await client.get(path), 404, "Not found");
  });
});

forEachEngine("v1 limits", (start) => {
  test("registering counts on both of its routes together, and logins by themselves", async () => {
    const client = (await start()).client();
    const statuses: number[] = [];
    for (const path of [
      "/v1/users",
      "/v1/auth/register",
      "/v1/users",
      "/v1/auth/register",
      "/v1/users",
      "/v1/users",
    ]) {
      statuses.push((await client.post(path, {})).status);
    }
    expect(statuses).toEqual([422, 422, 422, 422, 422, 429]);
    const limited = await client.post("/v1/auth/register", {});
    expectFailure(limited, 429, "Too many requests. Try again later.");
    expect(limited.headers.get("retry-after")).toMatch(/^\d+$/);
    for (let count = 0; count < 10; count += 1)
      expect((await client.post("/v1/auth/login", {})).status).toBe(422);
    expect((await client.post("/v1/auth/login", {})).status).toBe(429);
  });
});
