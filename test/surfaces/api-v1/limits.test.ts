import { describe, expect, test } from "bun:test";
import { MINUTE_MS } from "../../../src/core/clock.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import { forEachEngine } from "../../support/program.ts";
import { newEmail, PASSWORD } from "./people.ts";

type Request = (client: TestClient) => Promise<Answer>;

const post =
  (path: string, json?: unknown): Request =>
  (client) =>
    client.post(`/api/v1${path}`, json);
const form =
  (path: string, fields: Record<string, string>): Request =>
  (client) =>
    client.send("POST", `/api/v1${path}`, { form: fields });
const raw =
  (path: string, type: string): Request =>
  (client) =>
    client.send("POST", `/api/v1${path}`, { raw: "{ broken", headers: { "content-type": type } });

const LOGINS: readonly Request[] = [
  post("/users/login", { email: "nobody@example.com", password: PASSWORD }),
  post("/users/login/", {}),
  raw("/users/login", "application/json"),
  form("/auth/token", { username: "nobody", password: PASSWORD }),
  form("/auth/token", { username: "nobody", password: PASSWORD, refresh_token: "nothing" }),
  form("/auth/token", { grant_type: "client_credentials" }),
  form("/auth/token", {}),
  raw("/auth/token", "application/json"),
  raw("/auth/token", "multipart/form-data; boundary=x"),
  form("/auth/login", { username: "somebody", password: PASSWORD }),
  post("/auth/login-json", { username: "anybody", password: PASSWORD }),
];

const REFRESHES: readonly Request[] = [
  post("/users/refresh"),
  post("/auth/refresh", { refresh_token: "nothing" }),
  post("/auth/refresh", {}),
  raw("/auth/refresh", "text/plain"),
  form("/auth/token", { grant_type: "refresh_token", refresh_token: "nothing" }),
  form("/auth/token", { grant_type: "refresh_token" }),
];

const REGISTRATIONS: readonly Request[] = [
  post("/users/register", {}),
  raw("/users/register", "application/json"),
  post("/auth/register", {}),
  raw("/auth/register", "text/plain"),
  (client) =>
    client.post("/api/v1/auth/register/", { email: newEmail(), username: "one", password: PASSWORD }),
];

forEachEngine("api-v1 limits", (start) => {
  describe("one budget for all routes that it names, for valid and broken requests alike", () => {
    for (const [name, budget, requests] of [
      ["register", 5, REGISTRATIONS],
      ["login", 10, LOGINS],
      ["refresh", 20, REFRESHES],
    ] as const) {
      test(name, async () => {
        const instance = await start();
        const client = instance.client();
        for (let spent = 0; spent < budget; spent += 1) {
          const request = requests[spent % requests.length];
          expect((await request?.(client))?.status).not.toBe(429);
        }
        for (const request of requests) {
          const refused = await request(client);
          expect(refused.status).toBe(429);
          expect(refused.body).toEqual({ detail: "Too many requests. Try again later." });
          expect(refused.headers.get("retry-after")).toBe("60");
        }
        const others = [REGISTRATIONS, LOGINS, REFRESHES].filter((other) => other !== requests);
        for (const [request] of others) expect((await request?.(client))?.status).not.toBe(429);
        instance.clock.forwardMs(MINUTE_MS);
        expect((await requests[0]?.(client))?.status).not.toBe(429);
      });
    }
  });

  test("a large form at the token endpoint is refused unread, and counts", async () => {
    const instance = await start({ RATE_LIMIT_LOGIN: "2/minute" });
    const client = instance.client();
    const large = { username: "x".repeat(1024 * 1024 + 1) };
    const statuses: number[] = [];
    for (let n = 0; n < 3; n += 1) statuses.push((await form("/auth/token", large)(client)).status);
    expect(statuses).toEqual([413, 413, 429]);
  });
});
