import { expect, test } from "bun:test";
import type { Realm } from "../../src/core/accounts.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { PASSWORD, someone } from "../support/someone.ts";

/** In characters, whichever script they are of. */
const long = (characters: number) => "😀".repeat(characters);

const TEXTS: readonly (readonly [route: string, most: number, body: (text: string) => object])[] = [
  ["POST /v1/todos", 255, (title) => ({ title })],
  ["POST /v1/todos", 1_000, (description) => ({ title: "t", description })],
  ["PATCH /v1/users/ID", 255, (full_name) => ({ full_name })],
  ["PUT /users/me", 255, (name) => ({ name })],
  ["POST /users/me/tokens", 100, (name) => ({ name })],
];

const QUERIES: readonly (readonly [route: string, most: number, query: (size: number) => string])[] = [
  ["/admin/users", 255, (size) => `search=${encodeURIComponent(long(size))}`],
  ["/admin/users", 100, (size) => `page_size=${size}`],
  ["/admin/audit", 100, (size) => `page_size=${size}`],
];

let named = 0;
/** A person whom nobody knows yet, in the words of every surface. */
function stranger(password: string) {
  named += 1;
  return {
    email: `stranger${named}@example.com`,
    username: `stranger${named}`,
    name: "A Stranger",
    password,
  };
}
const change = (password: string) => ({ password, current_password: PASSWORD });

const PASSWORDS: readonly (readonly [route: string, by: Realm, body: (password: string) => object])[] = [
  ["POST /api/v1/users/register", "user", stranger],
  ["POST /api/v1/auth/register", "user", stranger],
  [
    "POST /api/v1/users/me/password",
    "user",
    (new_password) => ({ new_password, current_password: PASSWORD }),
  ],
  ["POST /v1/auth/register", "user", stranger],
  ["POST /v1/users", "user", stranger],
  ["PATCH /v1/users/ID", "user", change],
  ["POST /auth/register", "user", stranger],
  ["PUT /users/me", "user", change],
  ["POST /admin/auth/register", "admin", stranger],
  ["PUT /admin/me", "admin", change],
  ["PUT /admin/users/OTHER", "admin", change],
];

forEachEngine("bounds", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test.each([...TEXTS])("a text of %s, up to %d characters", async (route, most, body) => {
    const { client, account, token } = await someone(program(), "user");
    const [method = "", path = ""] = route.replace("ID", String(account.id)).split(" ");
    const sent = async (size: number) =>
      (await client.send(method, path, { token, json: body(long(size)) })).status;
    expect([200, 201]).toContain(await sent(most));
    expect(await sent(most + 1)).toBe(422);
  });

  test("PASSWORD_MIN_LENGTH holds wherever a password is set", async () => {
    const strict = await start({ RATE_LIMIT_ENABLED: "false", PASSWORD_MIN_LENGTH: "20" });
    const other = await someone(strict, "user");
    for (const [route, by, body] of PASSWORDS) {
      const { client, account, token } = await someone(strict, by);
      const path = route.replace("ID", String(account.id)).replace("OTHER", String(other.account.id));
      const [method = "", where = ""] = path.split(" ");
      const sent = async (letters: number) =>
        (await client.send(method, where, { token, json: body("p".repeat(letters)) })).status;
      expect([route, await sent(19)]).toEqual([route, 422]);
      expect([200, 201, 204]).toContain(await sent(20));
    }
  }, 20_000);

  test.each([...QUERIES])("S27 a query of %s, up to %d", async (path, most, query) => {
    const { client, token } = await someone(program(), "admin");
    const sent = async (size: number) => (await client.get(`${path}?${query(size)}`, { token })).status;
    expect(await sent(most)).toBe(200);
    expect(await sent(most + 1)).toBe(422);
  });
});
