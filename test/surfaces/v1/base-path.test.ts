import { expect, test } from "bun:test";
import { forEachEngine } from "../../support/program.ts";
import type { Settings } from "../../support/program.ts";
import { registration, signUp } from "./people.ts";
import type { Person } from "./people.ts";

const HOST = "https://api.example";
const BASE = "/base";
const TODOS = "/v1/todos";

/** Goes where a link leads that an answer of `path` gave, by a proxy that takes the base path off. */
async function follow(person: Person, path: string, link: string) {
  const { origin, pathname, search } = new URL(link, HOST + BASE + path);
  expect(origin).toBe(HOST);
  expect(pathname).toStartWith(`${BASE}/`);
  return person.get(pathname.slice(BASE.length) + search);
}

forEachEngine("v1 behind a proxy that takes a path off", (start) => {
  const open = (settings: Settings = { PUBLIC_URL: HOST + BASE }) =>
    start({ RATE_LIMIT_ENABLED: "false", ...settings });

  test("what creates says where the new thing is, as clients reach it", async () => {
    const alice = await signUp(await open());
    for (const path of ["/v1/users", "/v1/auth/register"]) {
      const made = await alice.client.post(path, registration());
      const { id } = Object(made.body);
      expect(made.headers.get("location")).toBe(`${BASE}/v1/users/${id}`);
    }
    const made = await alice.post(TODOS, { title: "Learn FastAPI" });
    const found = await follow(alice, TODOS, made.headers.get("location") ?? "");
    expect(found.body).toEqual(made.body);
  });

  test("a page's links lead to its neighbours, as clients reach them", async () => {
    const alice = await signUp(await open());
    for (const title of ["First", "Second"]) await alice.post(TODOS, { title });
    const { headers } = await alice.get(`${TODOS}?page_size=1`);
    const links = [...(headers.get("link") ?? "").matchAll(/<([^>]*)>; rel="(\w+)"/g)];
    expect(links.map(([, , rel]) => rel)).toEqual(["first", "next", "last"]);
    for (const [, link = "", rel] of links) {
      const { body } = await follow(alice, TODOS, link);
      expect(body).toMatchObject({ items: [{ title: rel === "first" ? "Second" : "First" }] });
    }
  });

  test("an answer that was kept says where the thing is by now", async () => {
    const [before, since] = [await open({}), await open()];
    const headers = { "idempotency-key": crypto.randomUUID() };
    const user = registration();
    const made = await before.client("198.51.100.7").post("/v1/users", user, { headers });
    const location = made.headers.get("location") ?? "";
    expect(location).toStartWith("/v1/users/");
    const again = await since.client("198.51.100.7").post("/v1/users", user, { headers });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(BASE + location);
  });

  test("an address without a path puts nothing in front", async () => {
    const alice = await signUp(await open({ PUBLIC_URL: `${HOST}/` }));
    const made = await alice.post(TODOS, { title: "Plain" });
    expect(made.headers.get("location")).toBe(`${TODOS}/${Object(made.body).id}`);
  });
});
