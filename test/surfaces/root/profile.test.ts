import { describe, expect, test } from "bun:test";
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
import type { Person } from "./people.ts";

forEachEngine("root profile", (start) => {
  const program = shared(start, SETTINGS);
  let firstAdmin: Person | undefined;
  const admin = async () => {
    firstAdmin ??= await signUpAdmin(program());
    return signUpAdmin(program(), firstAdmin);
  };

  for (const [realm, me, auth, person] of [
    ["users", "/users/me", "/auth", () => signUp(program())],
    ["admins", "/admin/me", "/admin/auth", admin],
  ] as const) {
    describe(`of ${realm}`, () => {
      test("changes what is given, by JSON and by form, and leaves the rest", async () => {
        const { client, token, id, email, username } = await person();
        const changed = newcomer();
        const { name } = changed;
        const byJson = await client.put(me, { name: `  ${name} `, phone: "+44 20 7946 0958" }, { token });
        expect(byJson.status).toBe(200);
        const expected = {
          id,
          username,
          name,
          email,
          phone: "+442079460958",
          avatar: null,
          avatar_url: null,
        };
        const known = { is_active: true, created_at: "2026-01-04T10:00:00.000Z" };
        expect(dataOf(byJson)).toEqual({ ...expected, ...known });
        const byForm = await client.send("PUT", me, {
          raw: formOf({
            email: changed.email,
            username: changed.username,
            name: "",
            password: "",
            phone: "",
          }),
          token,
        });
        expect(dataOf(byForm)).toEqual({
          ...expected,
          ...known,
          email: changed.email,
          username: changed.username,
          phone: null,
        });
        expect(dataOf(await client.get(me, { token }))).toEqual(dataOf(byForm));
      });

      test("an account sent back as it was read stays as it is", async () => {
        const { client, token } = await person();
        const before = dataOf(await client.get(me, { token }));
        expect(dataOf(await client.put(me, before, { token }))).toEqual(before);
      });

      test("takes no value that a registration would not, and no name that is taken", async () => {
        const { client, token } = await person();
        const other = await person();
        for (const change of [
          { name: "" },
          { email: "x" },
          { username: "a b" },
          { phone: "123" },
          { avatar: "x" },
        ]) {
          expect((await client.put(me, change, { token })).status).toBe(422);
        }
        const taken = await client.put(me, { username: other.username }, { token });
        expect(taken.status).toBe(409);
        expect(taken.body).toEqual(failure("CONFLICT"));
      });

      test("a new password needs the current one, and ends the tokens made before", async () => {
        const { client, token, username } = await person();
        const password = "another phrase";
        for (const wrong of [{ password }, { password, current_password: "wrong" }]) {
          const refused = await client.put(me, { ...wrong, name: "Changed" }, { token });
          expect(refused.status).toBe(403);
          expect(refused.body).toEqual(failure("FORBIDDEN", "Current password is incorrect"));
        }
        expect(dataOf(await client.get(me, { token }))["name"]).not.toBe("Changed");
        expect(
          (await client.put(me, { password: "short", current_password: PASSWORD }, { token })).status,
        ).toBe(422);
        const done = await client.put(me, { password, current_password: PASSWORD }, { token });
        expect(done.status).toBe(200);
        expect((await client.get(me, { token })).status).toBe(401);
        const form = { username, password };
        expect((await client.post(`${auth}/login`, undefined, { form })).status).toBe(200);
      });

      test("S5 wrong current passwords count towards the lockout", async () => {
        const { client, token, username } = await person();
        const guess = { password: "another phrase", current_password: "wrong" };
        for (let i = 0; i < 5; i++) expect((await client.put(me, guess, { token })).status).toBe(403);
        expect((await client.put(me, { ...guess, current_password: PASSWORD }, { token })).status).toBe(423);
        const form = { username, password: PASSWORD };
        expect((await client.post(`${auth}/login`, undefined, { form })).status).toBe(423);
        expect((await client.get(me, { token })).status).toBe(200);
      });
    });
  }

  test("S12 a deleted account is gone at once, and its names stay taken", async () => {
    const { client, token, username } = await signUp(program());
    const answer = await client.delete("/users/me", { token });
    expect(answer.body).toEqual({ success: true, message: "Account deleted", data: null });
    expect((await client.get("/users/me", { token })).status).toBe(401);
    expect((await client.post("/auth/register", { ...newcomer(), username })).status).toBe(409);
  });

  test("an administrator cannot delete themselves", async () => {
    const { client, token } = await admin();
    const answer = await client.delete("/admin/me", { token });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD, PUT");
  });

  test("a user of api-v1 is the same account here", async () => {
    const client = program().client();
    const { email } = newcomer();
    const password = "password123";
    await client.post("/api/v1/users/register", { email, password });
    const { body } = await client.post("/api/v1/users/login", { email, password });
    const token = String(Object(body).access_token);
    expect(dataOf(await client.get("/users/me", { token }))).toMatchObject({
      email,
      username: null,
      name: null,
    });
    const named = await client.put(
      "/users/me",
      { ...dataOf(await client.get("/users/me", { token })) },
      { token },
    );
    expect(named.status).toBe(200);
    const rootToken = Object(
      (await client.post("/auth/login", undefined, { form: { username: email, password } })).body,
    ).access_token;
    expect((await client.get("/api/v1/users/me", { token: rootToken })).status).toBe(200);
  });

  test("S11 a user's token opens no administrator's route, nor the other way round", async () => {
    const user = await signUp(program());
    const { client, token } = await admin();
    const own = [
      ["GET", "/admin/me"],
      ["PUT", "/admin/me"],
      ["GET", "/admin/users"],
      ["GET", `/admin/users/${user.id}`],
      ["PUT", `/admin/users/${user.id}`],
      ["DELETE", `/admin/users/${user.id}`],
      ...["activate", "block", "unlock", "restore"].map((verb) => [
        "PATCH",
        `/admin/users/${user.id}/${verb}`,
      ]),
      ["POST", "/admin/auth/register"],
    ] as const;
    for (const [method = "", path = ""] of own) {
      expect((await client.send(method, path, { token: user.token })).status).toBe(401);
    }
    for (const [method, path] of [
      ["GET", "/users/me"],
      ["PUT", "/users/me"],
      ["DELETE", "/users/me"],
      ["GET", "/api/v1/users/me"],
      ["GET", "/api/v1/todos"],
    ] as const) {
      expect((await client.send(method, path, { token })).status).toBe(401);
    }
    // A user whose role is admin is no administrator of this realm.
    await program().database.write((connection) =>
      connection.run("UPDATE users SET role = 'admin' WHERE id = $1", [user.id]),
    );
    const promoted = await logIn(client, "/auth", user.username);
    expect((await client.get("/admin/users", { token: promoted })).status).toBe(401);
    // The same name and password in the other realm are nobody's.
    const form = { username: user.username, password: PASSWORD };
    expect((await client.post("/admin/auth/login", undefined, { form })).status).toBe(401);
  });
});
