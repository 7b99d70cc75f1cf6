import { describe, expect, test } from "bun:test";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { numberField, textField } from "../../support/client.ts";
import type { Answer } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { expectFailure, newUsername, registration, signUp, wrongFields } from "./people.ts";

const named = (key: string) => ({ "idempotency-key": key });
const KEPT_HEADERS = ["location", "etag", "content-type"];
const TODOS = "/v1/todos";

/** The same answer, but for the mark. */
function expectReplay(again: Answer, first: Answer): void {
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(first.headers.get("idempotency-replayed")).toBeNull();
  expect([again.status, again.body]).toEqual([first.status, first.body]);
  for (const name of KEPT_HEADERS) expect(again.headers.get(name)).toBe(first.headers.get(name));
}

forEachEngine("v1 retries", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test.each(["/v1/users", "/v1/auth/register"])(
    "POST %s makes one user, without an account",
    async (path) => {
      const client = program().client();
      const headers = named(crypto.randomUUID());
      const user = registration();
      const first = await client.post(path, user, { headers });
      expect(first.status).toBe(201);
      expect(first.headers.get("location")).toBe(`/v1/users/${numberField(first, "id")}`);
      expectReplay(await client.post(path, user, { headers }), first);
      const other = await client.post(path, registration(), { headers });
      expect(wrongFields(other)).toEqual(["Idempotency-Key"]);
      expect((await client.post(path, user)).status).toBe(409);
    },
  );

  test("POST /v1/users by an administrator belongs to their account", async () => {
    const [one, two] = [
      await signUp(program(), { role: "admin" }),
      await signUp(program(), { role: "admin" }),
    ];
    const headers = named("user-1");
    const user = { ...registration(), role: "admin" };
    const first = await one.post("/v1/users", user, headers);
    expectReplay(await one.post("/v1/users", user, headers), first);
    expect((await two.post("/v1/users", user, headers)).status).toBe(409);
    expect((await two.post("/v1/users", registration(newUsername()), headers)).status).toBe(201);
  });

  test("POST /v1/todos makes one todo", async () => {
    const person = await signUp(program());
    const headers = named("todo-1");
    const first = await person.post(TODOS, { title: "Once" }, headers);
    expect(first.headers.get("etag")).toBeString();
    expectReplay(await person.post(TODOS, { title: "Once" }, headers), first);
    expect(numberField(await person.get(TODOS), "total")).toBe(1);
  });

  test("POST /v1/todos/bulk is done once, all of it, and not at all where it was refused", async () => {
    const person = await signUp(program());
    const headers = named("bulk-1");
    const make = (title: string) => ({ op: "create", title });
    const refused = { operations: [make("A"), { op: "delete", id: 999_999_999 }] };
    expect((await person.post(`${TODOS}/bulk`, refused, headers)).status).toBe(404);
    const good = { operations: [make("A"), make("B")] };
    const answers = await Promise.all([1, 2, 3].map(() => person.post(`${TODOS}/bulk`, good, headers)));
    const [first, ...again] = answers.toSorted(
      (a, b) => Number(a.headers.has("idempotency-replayed")) - Number(b.headers.has("idempotency-replayed")),
    );
    if (first === undefined) throw new Error("there is no answer");
    expect(first.status).toBe(200);
    for (const each of again) expectReplay(each, first);
    expect(numberField(await person.get(TODOS), "total")).toBe(2);
  });

  test("a bad key is told in this dialect", async () => {
    const person = await signUp(program());
    expect(wrongFields(await person.post(TODOS, { title: "x" }, named("a b")))).toEqual(["Idempotency-Key"]);
    expectFailure(
      await person.client.post(TODOS, { title: "x" }, { headers: named("k") }),
      401,
      "Invalid authentication token",
    );
  });
});

forEachEngine("v1 tokens elsewhere", (start, engine) => {
  if (engine !== "sqlite") return;

  describe("without any setting", () => {
    const program = shared(start);

    test("a token is signed with RS256, and jose verifies it by the address of the keys", async () => {
      const { token, id } = await signUp(program());
      expect(decodeProtectedHeader(token).alg).toBe("RS256");
      const metadata = await program().client().get("/.well-known/oauth-authorization-server");
      expect(textField(metadata, "jwks_uri")).toBe("http://localhost/.well-known/jwks.json");
      const { url } = program().app.listen({ host: "127.0.0.1", port: 0 });
      try {
        const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", url));
        const { payload } = await jwtVerify(token, keys, {
          algorithms: ["RS256"],
          issuer: "latchkey",
          audience: "latchkey:user",
          currentDate: new Date(program().clock.nowMs()),
        });
        expect(payload).toMatchObject({ sub: String(id), user_id: id, type: "access" });
      } finally {
        await program().app.stop(100);
      }
    });
  });
});
