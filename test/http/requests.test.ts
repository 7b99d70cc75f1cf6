import { describe, expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import type { Actor } from "../../src/core/actor.ts";
import { Fault } from "../../src/core/fault.ts";
import { forEachEngine, shared, TEST_SECRET } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { personalToken, someone } from "../support/someone.ts";
import { PASSWORD, newEmail, signUp } from "../surfaces/api-v1/people.ts";

const LOGIN = "/api/v1/users/login";
const REGISTER = "/api/v1/users/register";

forEachEngine("requests", (start, engine) => {
  const program = shared(start, { CORS_ORIGINS: "https://app.example", RATE_LIMIT_ENABLED: "false" });

  describe("routing", () => {
    test("a path answers with and without a slash at its end, without a redirect", async () => {
      const { client, token } = await signUp(program());
      for (const path of [
        "/api/v1/todos",
        "/api/v1/todos/",
        "/api/v1/users/me/",
        "/health/",
        "/health/readiness/",
      ]) {
        expect((await client.get(path, { token })).status).toBe(200);
      }
      expect((await client.post("/api/v1/users/logout/")).status).toBe(200);
    });

    test("a wrong method answers 405 with Allow, without a token, and a fixed path wins over a parameter", async () => {
      const client = program().client();
      for (const [method, path, allow] of [
        ["GET", REGISTER, "POST"],
        ["DELETE", LOGIN, "POST"],
        ["PATCH", "/api/v1/todos/1", "GET, HEAD, PUT, DELETE"],
        ["DELETE", "/api/v1/todos/", "POST, GET, HEAD"],
        ["POST", "/health", "GET, HEAD"],
        ["OPTIONS", REGISTER, "POST"],
      ] as const) {
        const answer = await client.send(method, path);
        expect(answer.status).toBe(405);
        expect(answer.headers.get("allow")).toBe(allow);
        expect(answer.body).toEqual({ detail: "Method Not Allowed" });
      }
    });

    test("an unknown path answers 404", async () => {
      const client = program().client();
      for (const path of [
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/users/1/2/3",
        "/health/nothing",
        "/API/V1/todos",
      ]) {
        const answer = await client.get(path);
        expect(answer.status).toBe(404);
        expect(answer.body).toEqual({ detail: "Not Found" });
      }
    });

    test("HEAD answers where GET does", async () => {
      const { client, token } = await signUp(program());
      expect((await client.send("HEAD", "/api/v1/todos", { token })).status).toBe(200);
      expect((await client.send("HEAD", LOGIN)).status).toBe(405);
    });

    test("S24 no spelling of the host or the path gets round a guard", async () => {
      const client = program().client();
      for (const path of [
        "/api/v1/users/%6de",
        "/api//v1/users/me",
        "/api/v1/%75sers/me",
        "/xx/api/v1/users/me",
      ]) {
        expect([401, 404]).toContain((await client.get(path)).status);
      }
    });
  });

  test("S24 a host that is none is refused however often it comes", async () => {
    const client = program().client();
    const headers = { host: "a:99999" };
    for (let time = 0; time < 2; time += 1)
      expect((await client.post(LOGIN, {}, { headers })).body).toEqual({
        detail: "The Host header is not valid",
      });
  });

  describe("bodies", () => {
    const send = (raw: string | Uint8Array<ArrayBuffer>, contentType?: string) =>
      program()
        .client()
        .send("POST", LOGIN, {
          raw,
          headers: contentType === undefined ? { "content-type": "" } : { "content-type": contentType },
        });

    test("S25 malformed ones answer 400", async () => {
      for (const raw of ["", "{", "{'a':1}", '{"a":1}x', "undefined", "NaN"]) {
        const answer = await send(raw, "application/json");
        expect(answer.status).toBe(400);
        expect(answer.body).toEqual({ detail: "The body is not valid JSON" });
      }
      expect((await send(new Uint8Array([123, 34, 255, 34, 125]), "application/json")).status).toBe(400);
      expect((await send(new Uint8Array([239, 187, 191, 123, 125]), "application/json")).status).toBe(422);
    });

    test("S1 S26 a form of bytes that are no text answers 400, and what is meant as it stands is taken", async () => {
      const client = program().client();
      const login = (body: string | Uint8Array<ArrayBuffer>, type: string) =>
        client.send("POST", "/auth/login", { raw: body, headers: { "content-type": type } });
      const urlencoded = "application/x-www-form-urlencoded";
      const multipart = (value: string) =>
        Buffer.from(
          `--b\r\nContent-Disposition: form-data; name="username"\r\n\r\nx\r\n` +
            `--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n${value}\r\n--b--\r\n`,
          "latin1",
        );
      for (const password of ["%EF%E0%F0", "a%FFb", "%C3", "%c3%28", "%C3%%A9"])
        expect((await login(`username=x&password=${password}`, urlencoded)).status).toBe(400);
      expect((await login(multipart("\xef\xe0\xf0"), "multipart/form-data; boundary=b")).status).toBe(400);
      for (const password of ["100%", "%zz", "%C3%A9", "\u00e9"])
        expect((await login(`username=x&password=${password}`, urlencoded)).status).toBe(401);
      expect((await login(multipart("\xc3\xa9"), "multipart/form-data; boundary=b")).status).toBe(401);
    });

    test("S25 S28 a form of more fields than any has is refused before it is taken apart", async () => {
      const client = program().client();
      const login = (raw: string, type: string) =>
        client.send("POST", "/auth/login", { raw, headers: { "content-type": type } });
      const [urlencoded, multipart] = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
      ];
      const parts = (count: number) =>
        ["username", "password", ...Array.from({ length: count - 2 }, () => "more")]
          .map((name) => `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nfew\r\n`)
          .join("") + "--b--\r\n";
      expect((await login(`username=few&password=x${"&a".repeat(98)}`, urlencoded)).status).toBe(401);
      expect((await login(parts(100), multipart)).status).toBe(401);
      for (const [raw, type] of [
        [`username=x&password=x${"&a".repeat(500_000)}`, urlencoded],
        [parts(102), multipart],
      ] as const) {
        const refused = await login(raw, type);
        expect(refused.status).toBe(400);
        expect(refused.body).toMatchObject({ message: "The form has more than 100 fields" });
      }
    });

    test("S26 a query of bytes that are no text answers 422, and names the field", async () => {
      const { client, token } = await signUp(program());
      for (const query of ["q=%FF", "page=1&q=a%C3", "q=%C3%%A9", "sort=title&%FF=1"]) {
        const answer = await client.get(`/v1/todos?${query}`, { token });
        expect(answer.status).toBe(422);
        expect(answer.body).toMatchObject({
          error: { details: [{ message: "Input should be valid UTF-8", field: expect.any(String) }] },
        });
      }
      for (const query of ["q=100%", "q=%zz", "q=%C3%A9", "q=%EF%BF%BD", "q=a+b"])
        expect((await client.get(`/v1/todos?${query}`, { token })).status).toBe(200);
    });

    test("S25 what is not UTF-8, or is compressed, is told as that", async () => {
      const raw = JSON.stringify({ email: "a@example.com", password: PASSWORD });
      const sendAs = async (type: string, encoding?: string) => {
        const headers = {
          "content-type": type,
          ...(encoding === undefined ? {} : { "content-encoding": encoding }),
        };
        const { status, body } = await program().client().send("POST", LOGIN, { raw, headers });
        return [status, body];
      };
      expect(await sendAs("application/json; charset=iso-8859-1")).toEqual([
        415,
        { detail: "Unsupported media type: send application/json in UTF-8" },
      ]);
      expect(await sendAs("application/json", "gzip")).toEqual([
        415,
        { detail: "Unsupported media type: send application/json, not encoded" },
      ]);
      const [status] = await sendAs("application/json; charset=us-ascii", "identity");
      expect(status).toBe(401);
    });

    test("S25 a JSON route takes JSON only", async () => {
      const raw = JSON.stringify({ email: "a@example.com", password: PASSWORD });
      for (const type of [
        undefined,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json; charset=utf-80",
      ]) {
        expect((await send(raw, type)).status).toBe(415);
      }
      for (const type of ["application/json", "Application/JSON; charset=UTF-8"])
        expect((await send(raw, type)).status).toBe(401);
    });

    test("S25 one over a mebibyte answers 413, by its length and by its chunks", async () => {
      const client = program().client();
      const large = `{"email":"${"x".repeat(1024 * 1024)}"}`;
      const headers = { "content-type": "application/json" };
      const byLength = { ...headers, "content-length": String(large.length) };
      const chunks = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let sent = 0; sent < large.length; sent += 65_536) {
            controller.enqueue(new TextEncoder().encode(large.slice(sent, sent + 65_536)));
          }
          controller.close();
        },
      });
      expect((await client.send("POST", LOGIN, { raw: large, headers: byLength })).status).toBe(413);
      expect((await client.send("POST", LOGIN, { raw: chunks, headers })).status).toBe(413);
    });

    test("S26 nothing in a body is a 500", async () => {
      const client = program().client();
      const headers = { "content-type": "application/json" };
      const deep = "[".repeat(50_000) + "]".repeat(50_000);
      for (const raw of [
        deep,
        `{"email":${deep},"password":"x"}`,
        "[]",
        "null",
        '"text"',
        "12",
        '{"email":"a\\u0000@example.com","password":"a\\u0000b"}',
        '{"email":"\\ud800@example.com","password":"\\udfff"}',
        '{"email":null,"password":[]}',
        '{"email":{"$gt":""},"password":{"$ne":null}}',
        `{"email":"${"a".repeat(100_000)}@example.com","password":"${"b".repeat(100_000)}"}`,
      ]) {
        for (const path of [LOGIN, REGISTER]) {
          const { status } = await client.send("POST", path, { raw, headers });
          expect(status).toBeGreaterThanOrEqual(400);
          expect(status).toBeLessThan(500);
        }
      }
    });

    test("S17 a token in the query string is nothing; `bearer` in any case is", async () => {
      const { client, token } = await signUp(program());
      expect((await client.get(`/api/v1/users/me?access_token=${token}&token=${token}`)).status).toBe(401);
      for (const scheme of ["bearer", "BEARER", "BeArEr"]) {
        expect(
          (await client.get("/api/v1/users/me", { headers: { authorization: `${scheme} ${token}` } })).status,
        ).toBe(200);
      }
    });
  });

  describe("headers", () => {
    test("every answer has a request id, the caller's where it is a sound one", async () => {
      const client = program().client();
      const idOf = async (given?: string) => {
        const headers = given === undefined ? {} : { "x-request-id": given };
        return (await client.get("/nowhere", { headers })).headers.get("x-request-id");
      };
      expect(await idOf("my-request.1_A")).toBe("my-request.1_A");
      for (const bad of [undefined, "with space", "x".repeat(129), "späße", ""]) {
        expect(await idOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
      }
    });

    test("every answer says how browsers must treat it", async () => {
      for (const path of ["/health", "/nowhere", "/api/v1/users/me", "/api/v1/nowhere"]) {
        const { headers } = await program().client().get(path);
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("x-frame-options")).toBe("DENY");
        expect(headers.get("referrer-policy")).toBe("no-referrer");
        expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
        expect(headers.get("cache-control")).toBe("no-store");
        expect(headers.get("strict-transport-security")).toBeNull();
      }
    });

    test("browsers are told to come back by HTTPS alone in production, and nowhere else", async () => {
      const production = await start({ ENVIRONMENT: "production", SECRET_KEY: TEST_SECRET });
      const sent = async (instance: TestProgram) =>
        (await instance.client().get("/health")).headers.get("strict-transport-security");
      expect(await sent(production)).toBe("max-age=31536000; includeSubDomains");
      expect(await sent(program())).toBeNull();
    });

    test("S28 whom a client claims to be forwarded for counts behind a trusted proxy alone", async () => {
      for (const [trusted, last] of [
        ["0", 429],
        ["1", 401],
      ] as const) {
        const instance = await start({ TRUST_PROXY: trusted, RATE_LIMIT_REFRESH: "1/hour" });
        const client = instance.client();
        const refresh = async (address: string) => {
          const headers = { "x-forwarded-for": address };
          return (await client.post("/api/v1/users/refresh", undefined, { headers })).status;
        };
        expect(await refresh("203.0.113.1")).toBe(401);
        expect([trusted, await refresh("203.0.113.2")]).toEqual([trusted, last]);
      }
    });

    test("S20 only a listed origin may read answers", async () => {
      const client = program().client();
      const allowed = async (origin: string) => {
        const { headers } = await client.get("/health", { headers: { origin } });
        expect(headers.get("vary")).toBe("Origin");
        return headers.get("access-control-allow-origin");
      };
      expect(await allowed("https://app.example")).toBe("https://app.example");
      for (const origin of [
        "null",
        "http://app.example",
        "https://app.example:8443",
        "https://evil-app.example",
        "https://app.example.evil.test",
      ]) {
        expect(await allowed(origin)).toBeNull();
      }
    });

    test("S21 nothing but OPTIONS is a preflight, whatever it asks for", async () => {
      const headers = { origin: "https://app.example", "access-control-request-method": "POST" };
      const client = program().client();
      expect((await client.get("/api/v1/users/me", { headers })).status).toBe(401);
      expect((await client.get("/health", { headers })).status).toBe(200);
    });

    test("a preflight is answered without a token", async () => {
      const answer = await program()
        .client()
        .send("OPTIONS", "/api/v1/todos/", {
          headers: {
            origin: "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
          },
        });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
      expect(answer.headers.get("access-control-allow-methods")).toBe("GET, HEAD, POST, PUT, PATCH, DELETE");
      expect(answer.headers.get("access-control-allow-headers")).toBe("authorization,content-type");
      expect(answer.headers.get("access-control-expose-headers")).toBe(
        "X-Request-ID, Retry-After, ETag, Link, Location, Idempotency-Replayed",
      );
    });
  });

  describe("log", () => {
    test("S15 S39 tells each request in one line by its route, and never a secret", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, token, email, id } = await signUp(instance);
      const cookie = client.cookies.get("refresh_token") ?? "";
      await client.get("/api/v1/todos/7?secret=hunter2", { token });
      await client.post(LOGIN, { email, password: "wrong-password-77" });
      const lines = instance.log.map((line) => JSON.parse(line));
      expect(lines).toContainEqual({
        time: "2026-01-04T10:00:00.000Z",
        level: "info",
        event: "request",
        request: expect.any(String),
        method: "GET",
        route: "/api/v1/todos/:todo_id",
        status: 404,
        ms: expect.any(Number),
        client: client.address,
        account: id,
      });
      const events = lines.map(({ event }) => event);
      expect(events).toEqual(
        expect.arrayContaining(["account.registered", "login.succeeded", "login.refused"]),
      );
      const text = instance.log.join("\n");
      for (const secret of [PASSWORD, "wrong-password-77", token, cookie, "hunter2", "$argon2"]) {
        expect(text).not.toContain(secret);
      }
    });

    test("S39 tells who logged in, failed, was locked and was refused, and from where", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { client, token, email, id } = await signUp(instance);
      const login = (password: string) => client.post(LOGIN, { email, password });
      const change = { current_password: "wrong-password-77", new_password: "newPassword1" };
      const before = instance.log.length;
      await login(PASSWORD);
      await client.post("/api/v1/users/me/password", change, { token });
      for (let guess = 2; guess <= 5; guess += 1) await login("wrong-password-77");
      await login(PASSWORD);
      const told = instance.log
        .slice(before)
        .map((line) => JSON.parse(line))
        .filter(({ event }) => /^(?:login|password)\./.test(event));
      expect(told.map(({ level, event, why }) => [level, event, why])).toEqual([
        ["info", "login.succeeded", undefined],
        ["warning", "password.confirmation_failed", undefined],
        ...Array.from({ length: 3 }, () => ["warning", "login.refused", "login_failed"]),
        ["warning", "login.locked", undefined],
        ["warning", "login.refused", "login_failed"],
        ["warning", "login.refused", "locked"],
      ]);
      for (const line of told) {
        expect(line).toMatchObject({ realm: "user", account: id, client: client.address });
        expect(line.request).toMatch(/^[0-9a-f-]{36}$/);
      }
    });

    test("S39 tells why a token was refused, and who has spent a budget", async () => {
      const instance = await start({ RATE_LIMIT_LOGIN: "1/minute" });
      const { client, token } = await signUp(instance);
      const before = instance.log.length;
      await client.get("/api/v1/users/me", { token: `${token.slice(0, -4)}AAAA` });
      await client.post(LOGIN, {});
      const told = instance.log.slice(before).map((line) => JSON.parse(line));
      const from = { request: expect.any(String), client: client.address };
      const refused = { level: "info", event: "token.refused", why: "bad_signature", ...from };
      const limited = { level: "warning", event: "request.rate_limited", route: LOGIN, ...from };
      for (const line of [refused, limited]) expect(told).toContainEqual(expect.objectContaining(line));
    });

    test("S39 tells what was done with an account, its sessions and its tokens, and by whom", async () => {
      const instance = await start({ RATE_LIMIT_ENABLED: "false" });
      const { core } = instance;
      const owner = await someone(instance, "user");
      const { account, client } = owner;
      const boss = await someone(instance, "admin");
      const by: Actor = { ...OPERATOR, account: { realm: "admin", id: boss.account.id } };
      const password = { password: "another-password", entitlement: "administrator" } as const;
      const before = instance.log.length;
      const { id } = await personalToken(owner);
      await client.post(LOGIN, { email: account.email, password: PASSWORD });
      await client.post("/api/v1/users/refresh");
      await client.post("/api/v1/users/logout");
      await client.delete(`/users/me/tokens/${id}`, owner);
      await client.delete("/api/v1/users/me/sessions", owner);
      await core.accounts.update(account, { role: "admin" }, null, by);
      await core.accounts.update(account, { isActive: false }, null, by);
      await core.accounts.update(account, { isActive: true }, password, by);
      await core.logins.unlock(account, by);
      const deleted = await core.accounts.delete(account, by);
      await core.accounts.restore(deleted, by);
      await core.accounts.delete(account, by);
      await core.accounts.purge(account, by);
      const told = instance.log
        .slice(before)
        .map((line) => JSON.parse(line))
        .filter(({ event, account }) => event !== "request" && account === owner.account.id);
      const byCookie = ["login.succeeded", "session.refreshed", "session.ended"];
      const byToken = ["token.created", "token.revoked", "session.others_ended"];
      expect(told.map(({ event }) => event)).toEqual([
        "token.created",
        ...byCookie,
        "token.revoked",
        "session.others_ended",
        "account.role_set",
        "account.blocked",
        "password.changed",
        "account.activated",
        "account.unlocked",
        "account.deleted",
        "account.restored",
        "account.deleted",
        "account.purged",
      ]);
      for (const line of told.filter(({ event }) => !byCookie.includes(event))) {
        const actor = byToken.includes(line.event) ? `user:${account.id}` : `admin:${boss.account.id}`;
        expect(line.by).toBe(actor);
      }
    });
  });

  test("S39 what nobody expected answers 500 with a request id and nothing of the inside, and is logged", async () => {
    const instance = await start({ RATE_LIMIT_ENABLED: "false" });
    const { client, token } = await signUp(instance);
    const inside = "SELECT hunter2 FROM /srv/inside.ts";
    Object.assign(instance.core.todos, { list: () => Promise.reject(new Error(inside)) });
    const answer = await client.get("/api/v1/todos", { token });
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({ detail: "Internal Server Error" });
    const id = answer.headers.get("x-request-id");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const [told] = instance.log.map((line) => JSON.parse(line)).filter(({ level }) => level === "error");
    expect(told).toMatchObject({ event: "request.internal", request: id });
    expect(JSON.stringify(told)).toContain(inside);
  });

  test("S32 S39 a database that is gone answers 503 with a request id and nothing of the inside; liveness goes on", async () => {
    const instance = await start({ RATE_LIMIT_ENABLED: "false" });
    const { client, token, email } = await signUp(instance);
    await instance.database.close();
    for (const answer of [
      await client.get("/api/v1/users/me", { token }),
      await client.post("/api/v1/todos", { title: "t" }, { token }),
      await client.post(LOGIN, { email, password: PASSWORD }),
      await client.post(REGISTER, { email: newEmail(), password: PASSWORD }),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.body).toEqual({ detail: "Service temporarily unavailable" });
      expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer.headers.get("retry-after")).toBe("1");
    }
    expect((await client.get("/health/liveness")).status).toBe(200);
    const readiness = await client.get("/health/readiness");
    expect(readiness.status).toBe(503);
    expect(readiness.body).toEqual({ status: "unavailable", checks: { database: "unavailable" } });
    expect(instance.log.some((line) => line.includes("request.unavailable"))).toBe(true);
  });

  test("S32 what could not be written is not answered as done", async () => {
    const instance = await start({ RATE_LIMIT_ENABLED: "false" });
    const { client, token, id } = await signUp(instance);
    const admin = await someone(instance, "admin");
    const fail = () => Promise.reject(Fault.of({ kind: "unavailable" }));
    Object.assign(instance.core.store, { write: fail, writeOne: fail });
    const revoke = "/api/v1/auth/revoke";
    for (const [done, answer] of [
      ["a logout", await client.post("/api/v1/users/logout")],
      ["a refresh token revoked", await client.post(revoke, { refresh_token: "some" })],
      ["the same by a form", await client.send("POST", revoke, { form: { token: "some" } })],
      ["an access token revoked", await client.send("POST", revoke, { form: { token } })],
      ["all others' end", await client.delete("/api/v1/users/me/sessions", { token })],
      ["a deletion", await client.delete("/users/me", { token })],
      ["a todo", await client.post("/api/v1/todos", { title: "t" }, { token })],
      ["an unlocking", await admin.client.send("PATCH", `/admin/users/${id}/unlock`, admin)],
      ["a block", await admin.client.send("PATCH", `/admin/users/${id}/block`, admin)],
    ] as const) {
      expect([done, answer.status]).toEqual([done, 503]);
    }
    expect(client.cookies.get("refresh_token")).toBeString();
  });

  test("S8 who is told to come back is told when, in every dialect", async () => {
    const instance = await start({ RATE_LIMIT_ENABLED: "false" });
    const login = () => Promise.reject(Fault.of({ kind: "overloaded", retryAfterSeconds: 7 }));
    Object.assign(instance.core.logins, { login });
    const client = instance.client();
    for (const answer of [
      await client.post(LOGIN, { email: newEmail(), password: PASSWORD }),
      await client.post("/v1/auth/login", { username: "somebody", password: PASSWORD }),
      await client.send("POST", "/auth/login", { form: { username: "somebody", password: PASSWORD } }),
    ]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("7");
    }
  });

  test(`health tells that the server is up on ${engine}`, async () => {
    const client = program().client();
    expect((await client.get("/health")).body).toEqual({ status: "ok" });
    expect((await client.get("/health/liveness")).status).toBe(200);
    expect((await client.get("/health/startup")).status).toBe(200);
    expect((await client.get("/health/readiness")).body).toEqual({
      status: "ready",
      checks: { database: "ok" },
    });
  });
});
