import { expect, test } from "bun:test";
import { forEachEngine, shared } from "../support/program.ts";
import { someone } from "../support/someone.ts";

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

  test.each([...QUERIES])("S27 a query of %s, up to %d", async (path, most, query) => {
    const { client, token } = await someone(program(), "admin");
    const sent = async (size: number) => (await client.get(`${path}?${query(size)}`, { token })).status;
    expect(await sent(most)).toBe(200);
    expect(await sent(most + 1)).toBe(422);
  });
});
