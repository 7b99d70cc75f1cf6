import { describe, expect, test } from "bun:test";
import { forEachEngine } from "../../support/program.ts";
import type { Settings, TestProgram } from "../../support/program.ts";
import { dataOf, failure, logIn, newcomer, SETTINGS, SETUP_TOKEN, signUp, signUpAdmin } from "./people.ts";

const REGISTER = "/admin/auth/register";

forEachEngine("root administrators", (start, engine) => {
  /** Each test sees the program as it is before anyone administers it. */
  const fresh = async (settings: Settings = SETTINGS) => {
    const program = await start(settings);
    await program.database.write(async (connection) => {
      await connection.run("DELETE FROM admins");
      await connection.run("DELETE FROM login_attempts");
    });
    return program;
  };
  const withToken = (token: string) => ({ headers: { "x-setup-token": token } });

  describe("S6 the first administrator", () => {
    test("is nobody until someone is registered by the setup token, which works once", async () => {
      const program = await fresh();
      const client = program.client();
      const person = newcomer();
      for (const options of [
        {},
        withToken("wrong"),
        withToken(`${SETUP_TOKEN}x`),
        withToken(SETUP_TOKEN.slice(1)),
      ]) {
        const refused = await client.post(REGISTER, person, options);
        expect(refused.status).toBe(403);
        expect(refused.body).toEqual(failure("FORBIDDEN", "Required role: admin"));
      }
      const first = await client.post(REGISTER, person, withToken(SETUP_TOKEN));
      expect(first.status).toBe(201);
      expect(dataOf(first)).toMatchObject({
        username: person.username,
        email: person.email,
        is_active: true,
      });
      for (const late of [newcomer(), { password: "x" }])
        expect((await client.post(REGISTER, late, withToken(SETUP_TOKEN))).status).toBe(403);
      const refusals = program.log
        .map((line) => JSON.parse(line))
        .filter(({ event, client: from }) => event === "admin.setup_refused" && from === client.address);
      expect(refusals).toHaveLength(5);
      const token = await logIn(client, "/admin/auth", person.username);
      expect(dataOf(await client.get("/admin/me", { token }))["email"]).toBe(person.email);
      expect(program.log.join("\n")).not.toContain(SETUP_TOKEN);
    });

    test("has the answer again by the same Idempotency-Key, and nobody else by another", async () => {
      const client = (await fresh()).client();
      const send = (person: object, key: string) =>
        client.post(REGISTER, person, {
          headers: { "x-setup-token": SETUP_TOKEN, "idempotency-key": key },
        });
      const person = newcomer();
      const first = await send(person, "the-first");
      expect(first.status).toBe(201);
      const again = await send(person, "the-first");
      expect([again.status, again.body]).toEqual([201, first.body]);
      expect((await send(newcomer(), "another")).status).toBe(403);
    });

    test("is one of many who try at the same moment, on two instances", async () => {
      const instances = [await fresh(), await start(SETTINGS)];
      const tries = Array.from({ length: 3 }, () => instances.map((program) => program.client())).flat();
      const register = () => tries.map((client) => client.post(REGISTER, newcomer(), withToken(SETUP_TOKEN)));
      const answers = await Promise.all(
        engine === "postgres" ? await heldAtInsert(instances[0], register) : register(),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...tries.slice(1).map(() => 403)]);
    });

    test("a registration that is refused for its fields does not use the token up", async () => {
      const client = (await fresh()).client();
      expect(
        (await client.post(REGISTER, { ...newcomer(), password: "x" }, withToken(SETUP_TOKEN))).status,
      ).toBe(422);
      expect((await client.post(REGISTER, newcomer(), withToken(SETUP_TOKEN))).status).toBe(201);
    });

    test("is let in by a token in the log where none is set, told while there is none, and only then", async () => {
      await fresh();
      const program = await start({ RATE_LIMIT_ENABLED: "false" });
      const told = program.log
        .map((line) => JSON.parse(line))
        .filter(({ event }) => event === "admin.setup_token");
      expect(told).toHaveLength(1);
      const answer = await program.client().post(REGISTER, newcomer(), withToken(told[0].token));
      expect(answer.status).toBe(201);
      const later = await start({ RATE_LIMIT_ENABLED: "false" });
      expect(later.log.join("\n")).not.toContain("admin.setup_token");
      const given = await start(SETTINGS);
      expect(given.log.join("\n")).not.toContain("admin.setup_token");
    });

    test("a server that cannot find out whether there is one says so, and serves", async () => {
      const { database } = await fresh();
      const rename = (from: string, to: string) =>
        database.write((connection) => connection.run(`ALTER TABLE ${from} RENAME TO ${to}`));
      await rename("admins", "admins_gone");
      const program = await start({ RATE_LIMIT_ENABLED: "false" });
      await rename("admins_gone", "admins");
      expect(program.log.join("\n")).toContain("admin.setup_not_announced");
      expect((await program.client().get("/health/readiness")).status).toBe(200);
    });

    test("stays the first: once all are deleted, the token still opens nothing", async () => {
      const program = await fresh();
      await signUpAdmin(program);
      await program.database.write((connection) => connection.run("UPDATE admins SET deleted_at_ms = 1"));
      expect((await program.client().post(REGISTER, newcomer(), withToken(SETUP_TOKEN))).status).toBe(403);
    });
  });

  test("an administrator registers others; users and bad tokens do not", async () => {
    const program = await fresh();
    const first = await signUpAdmin(program);
    const second = await signUpAdmin(program, first);
    expect(dataOf(await second.client.get("/admin/me", { token: second.token }))["username"]).toBe(
      second.username,
    );
    const user = await signUp(program);
    expect((await user.client.post(REGISTER, newcomer(), { token: user.token })).status).toBe(401);
    expect((await user.client.post(REGISTER, newcomer(), { token: "nonsense" })).status).toBe(401);
  });

  test("the realms share no name: the same person may be a user and an administrator", async () => {
    const program = await fresh();
    const admin = await signUpAdmin(program);
    const { username, email } = admin;
    expect((await admin.client.post("/auth/register", { ...newcomer(), username, email })).status).toBe(201);
    const again = await admin.client.post(REGISTER, { ...newcomer(), username }, { token: admin.token });
    expect(again.status).toBe(409);
    expect(again.body).toEqual(failure("CONFLICT", "Admin with this username already exists"));
  });

  test("failures to log in as one lock nobody of the other realm", async () => {
    const program = await fresh();
    const { client, username } = await signUpAdmin(program);
    await client.post("/auth/register", { ...newcomer(), username });
    const form = { username, password: "wrong" };
    for (let i = 0; i < 6; i++) await client.post("/auth/login", undefined, { form });
    expect((await client.post("/auth/login", undefined, { form })).status).toBe(423);
    expect(await logIn(client, "/admin/auth", username)).toBeString();
  });
});

/**
 * Keeps PostgreSQL from inserting into admins, though not from reading it, until each of the tries waits for
 * something: whoever was going to look whether there is an administrator has looked by then.
 */
async function heldAtInsert<T>(
  program: TestProgram | undefined,
  begin: () => Promise<T>[],
): Promise<Promise<T>[]> {
  if (program === undefined) throw new Error("there is no program to hold");
  return program.database.write(async (connection) => {
    await connection.run("LOCK TABLE admins IN SHARE MODE");
    const begun = begin();
    for (;;) {
      const row = await connection.first(
        `SELECT COUNT(*) AS waiting FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      if (Number(row?.["waiting"]) === begun.length) return begun;
      // Within a transaction the activity stays as it was first seen, unless it is asked to look again.
      await connection.run("SELECT pg_sleep(0.02), pg_stat_clear_snapshot()");
    }
  });
}
