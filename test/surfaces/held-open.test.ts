import { describe, expect, test } from "bun:test";
import type { Answer } from "../support/client.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { dataOf, PASSWORD, SETTINGS, signUp, signUpAdmin } from "./root/people.ts";
import type { Person } from "./root/people.ts";

interface Held {
  readonly method: string;
  readonly path: string;
  readonly body: object;
  /** Not the person's own. */
  readonly token?: string;
}

/** Longer than a body may take before it is asked again whose request it is. */
const LONG_MS = 1_000;

/** A request whose body begins, and whose end comes once `meanwhile` is done and so much time has passed. */
async function heldOpen(
  program: TestProgram,
  { client, token }: Person,
  held: Held,
  meanwhile: () => Promise<unknown>,
  passedMs = LONG_MS,
): Promise<Answer> {
  const text = new TextEncoder().encode(JSON.stringify(held.body));
  const isRead = Promise.withResolvers<void>();
  const isOver = Promise.withResolvers<void>();
  const raw = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        isRead.resolve();
        controller.enqueue(text.subarray(0, 1));
        await isOver.promise;
        controller.enqueue(text.subarray(1));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { "content-type": "application/json" };
  const answer = client.send(held.method, held.path, { token: held.token ?? token, headers, raw });
  await isRead.promise;
  await meanwhile();
  program.clock.forwardMs(passedMs);
  isOver.resolve();
  return answer;
}

forEachEngine("S12 S16 a request that is held open", (start) => {
  const program = shared(start, SETTINGS);
  const newToken: Held = { method: "POST", path: "/users/me/tokens", body: { name: "mine" } };
  const run = (sql: string, values: readonly (string | number)[]) =>
    program().database.write((connection) => connection.run(sql, values));

  test("is answered, where nothing changes meanwhile", async () => {
    const person = await signUp(program());
    const made = await heldOpen(program(), person, newToken, () => Promise.resolve());
    expect(dataOf(made)).toMatchObject({ name: "mine" });
  });

  describe("does not outlive what let it in", () => {
    test("a password that is changed", async () => {
      const person = await signUp(program());
      const change = () =>
        person.client.put(
          "/users/me",
          { password: "another phrase", current_password: PASSWORD },
          { token: person.token },
        );
      expect((await heldOpen(program(), person, newToken, change)).status).toBe(401);
    });

    test("a password that is changed just now: what would live on is looked at within the write", async () => {
      const person = await signUp(program());
      const change = () =>
        run("UPDATE users SET credentials_version = credentials_version + 1 WHERE id = $1", [person.id]);
      expect((await heldOpen(program(), person, newToken, change, 0)).status).toBe(401);
      const another = await signUp(program());
      const blocked = () => run("UPDATE users SET is_active = FALSE WHERE id = $1", [another.id]);
      expect((await heldOpen(program(), another, newToken, blocked, 0)).status).toBe(401);
    });

    test("an account that is blocked, also for another's field", async () => {
      const person = await signUp(program());
      const block = () => run("UPDATE users SET is_active = FALSE WHERE id = $1", [person.id]);
      const email = { method: "PUT", path: "/users/me", body: { email: "taken.over@example.com" } };
      expect((await heldOpen(program(), person, email, block)).status).toBe(401);
    });

    test("a personal token that is deleted", async () => {
      const person = await signUp(program());
      const given = dataOf(await person.client.post("/users/me/tokens", {}, { token: person.token }));
      const deleted = () =>
        person.client.delete(`/users/me/tokens/${String(given["id"])}`, { token: person.token });
      const held = { ...newToken, token: String(given["token"]) };
      expect((await heldOpen(program(), person, held, deleted)).status).toBe(401);
    });

    test("a role that is taken away", async () => {
      const person = await signUp(program());
      const role = (name: string) => run("UPDATE users SET role = $2 WHERE id = $1", [person.id, name]);
      await role("admin");
      const again = { method: "PATCH", path: `/v1/users/${person.id}`, body: { role: "admin" } };
      const answer = await heldOpen(program(), person, again, () => role("user"));
      expect(Object(answer.body)["is_superuser"] ?? false).toBe(false);
      expect(
        await program().database.reader.first("SELECT role FROM users WHERE id = $1", [person.id]),
      ).toEqual({
        role: "user",
      });
    });

    test("an administrator who is deleted", async () => {
      const admin = await signUpAdmin(program());
      const another = {
        username: "another-one",
        name: "A",
        email: "another.one@example.com",
        password: PASSWORD,
      };
      const held = { method: "POST", path: "/admin/auth/register", body: another };
      const deleted = () => run("UPDATE admins SET deleted_at_ms = 1 WHERE id = $1", [admin.id]);
      expect((await heldOpen(program(), admin, held, deleted)).status).toBe(401);
    });
  });

  test("S26 finds its account purged, and is no failure of the server's", async () => {
    for (const path of ["/v1/todos", "/api/v1/todos", "/api/v1/items"]) {
      const person = await signUp(program());
      const purge = async () => {
        for (const table of ["sessions", "personal_tokens", "todos", "items"])
          await run(`DELETE FROM ${table} WHERE user_id = $1`, [person.id]);
        await run("DELETE FROM users WHERE id = $1", [person.id]);
      };
      const held = { method: "POST", path, body: { title: "late", name: "late" } };
      expect([path, (await heldOpen(program(), person, held, purge, 0)).status]).toEqual([path, 401]);
    }
  });
});
