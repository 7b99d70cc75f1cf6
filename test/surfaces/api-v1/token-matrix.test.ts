import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { OPERATOR } from "../../../src/core/actor.ts";
import { apiV1 } from "../../../src/surfaces/api-v1/index.ts";
import { textField } from "../../support/client.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import { forEachEngine, shared, TEST_SECRET } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import { newEmail, PASSWORD, signUpByName } from "./people.ts";

/** One person's credentials of every kind, and an administrator's of the other realm. */
async function credentialsOf(program: TestProgram) {
  const { client, username, email, tokens } = await signUpByName(program);
  const login = { username, password: PASSWORD };
  const bySession = await client.post("/api/v1/users/login", { email, password: PASSWORD });
  const bare = await client.post("/api/v1/auth/login-json", login);
  const admin = await program.core.accounts.register(
    "admin",
    { email: newEmail(), password: PASSWORD },
    OPERATOR,
  );
  return {
    client,
    "cookie access": textField(bySession, "access_token"),
    "rotating access": tokens.access,
    "login access": textField(bare, "access_token"),
    "rotating refresh": tokens.refresh,
    "cookie refresh": client.cookies.get("refresh_token") ?? "",
    "admin access": program.core.accessTokens.issue("root", admin, null),
    nothing: "nothing",
  };
}

type Kind = Exclude<keyof Awaited<ReturnType<typeof credentialsOf>>, "client">;
const KINDS: readonly Kind[] = [
  "cookie access",
  "rotating access",
  "login access",
  "rotating refresh",
  "cookie refresh",
  "admin access",
  "nothing",
];

type Door = (client: TestClient, token: string) => Promise<Answer>;
const bearer =
  (method: string, path: string): Door =>
  (client, token) =>
    client.send(method, `/api/v1${path}`, { token, headers: { cookie: "" } });

const USER_ACCESS: readonly Kind[] = ["cookie access", "rotating access", "login access"];

const DOORS: readonly (readonly [name: string, opens: readonly Kind[], door: Door])[] = [
  ["GET /users/me", USER_ACCESS, bearer("GET", "/users/me")],
  ["GET /users/me/sessions", USER_ACCESS, bearer("GET", "/users/me/sessions")],
  ["GET /auth/me", USER_ACCESS, bearer("GET", "/auth/me")],
  ["GET /todos", USER_ACCESS, bearer("GET", "/todos/")],
  ["GET /items", USER_ACCESS, bearer("GET", "/items")],
  [
    "POST /auth/refresh",
    ["rotating refresh"],
    (client, token) => client.post("/api/v1/auth/refresh", { refresh_token: token }),
  ],
  [
    "POST /auth/token",
    ["rotating refresh"],
    (client, token) =>
      client.send("POST", "/api/v1/auth/token", {
        form: { grant_type: "refresh_token", refresh_token: token },
      }),
  ],
  [
    "POST /users/refresh",
    ["cookie refresh"],
    (client, token) =>
      client.send("POST", "/api/v1/users/refresh", { headers: { cookie: `refresh_token=${token}` } }),
  ],
];

forEachEngine("api-v1 credentials", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  describe("S11 each kind of token opens its own doors and no other", () => {
    for (const [name, opens, door] of DOORS) {
      test(name, async () => {
        const credentials = await credentialsOf(program());
        for (const kind of KINDS) {
          const { status } = await door(credentials.client, credentials[kind]);
          expect([kind, status]).toEqual([kind, opens.includes(kind) ? 200 : 401]);
        }
      });
    }
  });

  test("S11 the routes of one kind of session end none of the other", async () => {
    const credentials = await credentialsOf(program());
    const { client } = credentials;
    const rotating = credentials["rotating refresh"];
    await client.post("/api/v1/auth/revoke", { refresh_token: credentials["cookie refresh"] });
    for (const kind of ["cookie refresh", "cookie access", "login access", "admin access"] as const) {
      const form = { token: credentials[kind] };
      expect((await client.send("POST", "/api/v1/auth/revoke", { form })).status).toBe(200);
    }
    await client.send("POST", "/api/v1/users/logout", { headers: { cookie: `refresh_token=${rotating}` } });
    for (const kind of USER_ACCESS) {
      expect((await client.get("/api/v1/users/me", { token: credentials[kind] })).status).toBe(200);
    }
    const cookie = `refresh_token=${credentials["cookie refresh"]}`;
    const byCookie = await client.send("POST", "/api/v1/users/refresh", { headers: { cookie } });
    expect(byCookie.status).toBe(200);
    expect((await client.post("/api/v1/auth/refresh", { refresh_token: rotating })).status).toBe(200);
  });

  test("S21 every route but those that open a door wants a token", async () => {
    const open = new Set(
      ["register", "login", "refresh", "logout"]
        .map((name) => `POST /api/v1/users/${name}`)
        .concat(
          ["register", "token", "refresh", "revoke", "login", "login-json"].map(
            (name) => `POST /api/v1/auth/${name}`,
          ),
        ),
    );
    const { routes } = apiV1(program().core, { secure: false, sameSite: "lax", domain: null });
    const guarded = routes.filter(({ method, path }) => !open.delete(`${method} ${path}`));
    expect(open.size).toBe(0);
    expect(guarded.length).toBeGreaterThan(10);
    for (const { method, path } of guarded) {
      const answer = await program().client().send(method, path.replace(/:\w+/g, "1"));
      expect([method, path, answer.status]).toEqual([method, path, 401]);
      expect(answer.body).toEqual({ detail: "Missing or invalid Authorization header" });
    }
  });

  test("S9 S10 no token that this program did not write opens anything", async () => {
    const { client, tokens } = await signUpByName(program());
    const [header = "", payload = "", signature = ""] = tokens.access.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString());
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = (head: object, body: object, digest = "sha256") => {
      const text = `${encode(head)}.${encode(body)}`;
      return `${text}.${createHmac(digest, TEST_SECRET).update(text).digest("base64url")}`;
    };
    const typical = { alg: "HS256", typ: "JWT", kid };
    // What is forged below differs from a good token in the one thing that its line says.
    expect((await client.get("/api/v1/auth/me", { token: signed(typical, claims) })).status).toBe(200);
    const forged: Readonly<Record<string, string>> = {
      "alg none": `${encode({ ...typical, alg: "none" })}.${payload}.`,
      "alg nOnE": `${encode({ ...typical, alg: "nOnE" })}.${payload}.${signature}`,
      "alg HS512": signed({ ...typical, alg: "HS512" }, claims, "sha512"),
      "alg HS384": signed({ ...typical, alg: "HS384" }, claims, "sha384"),
      "a key that nobody has": signed({ ...typical, kid: "../../etc/passwd" }, claims),
      "no key": signed({ alg: "HS256", typ: "JWT" }, claims),
      "a key of 10 kB": signed({ ...typical, kid: "k".repeat(10_000) }, claims),
      jwk: signed({ ...typical, jwk: { kty: "oct", k: "AAAA" } }, claims),
      jku: signed({ ...typical, jku: "http://127.0.0.1:9/keys" }, claims),
      crit: signed({ ...typical, crit: ["exp"] }, claims),
      "no exp": signed(typical, { ...claims, exp: undefined }),
      "past exp": signed(typical, { ...claims, exp: claims.iat - 1 }),
      "textual exp": signed(typical, { ...claims, exp: String(claims.exp) }),
      "negative exp": signed(typical, { ...claims, exp: -1 }),
      "nbf ahead": signed(typical, { ...claims, nbf: claims.exp }),
      "another issuer": signed(typical, { ...claims, iss: "someone" }),
      "another audience": signed(typical, { ...claims, aud: "latchkey:admin" }),
      "no audience": signed(typical, { ...claims, aud: undefined }),
      "another type": signed(typical, { ...claims, type: "refresh" }),
      "another's id": `${header}.${encode({ ...claims, user_id: claims.user_id + 1 })}.${signature}`,
      "a flipped bit": `${header}.${payload}.${signature.slice(0, 5)}${signature[5] === "A" ? "B" : "A"}${signature.slice(6)}`,
      "cut short": tokens.access.slice(0, -1),
      padding: `${tokens.access}=`,
      "two segments": `${header}.${payload}`,
      "four segments": `${tokens.access}.${signature}`,
      "five segments": `${tokens.access}.${signature}.${signature}`,
      "100 kB": "x".repeat(100_000),
    };
    for (const [name, token] of Object.entries(forged)) {
      const answer = await client.get("/api/v1/auth/me", { token });
      expect([name, answer.status]).toEqual([name, 401]);
      expect(answer.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
      expect(answer.body).toEqual({ detail: "Invalid or expired token" });
    }
  });
});
