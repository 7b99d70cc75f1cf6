import { describe, expect, test } from "bun:test";
import { SCOPES } from "../../src/core/caller.ts";
import type { Scope } from "../../src/core/caller.ts";
import type { LimitName } from "../../src/http/exchange.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { Answer, TestClient } from "../support/client.ts";
import { personalToken, someone } from "../support/someone.ts";

/** What anyone may ask. */
const OPEN = [
  "GET /",
  "GET /.well-known/jwks.json",
  "GET /.well-known/oauth-authorization-server",
  "GET /assets/:file",
  "GET /docs",
  "GET /docs/assets/:file",
  "GET /guides/:guide",
  "GET /health",
  "GET /health/liveness",
  "GET /health/readiness",
  "GET /health/startup",
  "GET /openapi.json",
  "GET /redoc",
  "GET /uploads/:file",
  "GET /v1/health",
  "POST /api/v1/auth/login",
  "POST /api/v1/auth/login-json",
  "POST /api/v1/auth/refresh",
  "POST /api/v1/auth/register",
  "POST /api/v1/auth/revoke",
  "POST /api/v1/auth/token",
  "POST /api/v1/users/login",
  "POST /api/v1/users/logout",
  "POST /api/v1/users/register",
  "POST /auth/login",
  "POST /auth/register",
  "POST /admin/auth/login",
  "POST /v1/auth/login",
  "POST /v1/auth/register",
  "POST /v1/users",
] as const;

/** What a session's cookie opens. */
const BY_COOKIE = ["POST /api/v1/users/refresh"];

/** What a user's token opens, by the scope that it must have. */
const USERS: Partial<Record<Scope, readonly string[]>> = {
  "account:read": [
    "GET /api/v1/auth/me",
    "GET /api/v1/users/:user_id",
    "GET /api/v1/users/me",
    "GET /api/v1/users/me/sessions",
    "GET /users/me",
    "GET /users/me/tokens",
    "GET /v1/auth/me",
    "GET /v1/users",
    "GET /v1/users/:user_id",
  ],
  "account:write": [
    "DELETE /api/v1/users/me/sessions",
    "DELETE /api/v1/users/me/sessions/:session_id",
    "DELETE /users/me/tokens/:token_id",
    "DELETE /v1/users/:user_id",
    "PATCH /v1/users/:user_id",
    "POST /api/v1/users/me/password",
    "POST /users/me/tokens",
    "PUT /users/me",
    // The last, since it takes the token along.
    "DELETE /users/me",
  ],
  "todos:read": [
    "GET /api/v1/items",
    "GET /api/v1/items/:item_id",
    "GET /api/v1/todos",
    "GET /api/v1/todos/:todo_id",
    "GET /v1/todos",
    "GET /v1/todos/:todo_id",
  ],
  "todos:write": [
    "DELETE /api/v1/items/:item_id",
    "DELETE /api/v1/todos/:todo_id",
    "DELETE /v1/todos/:todo_id",
    "PATCH /api/v1/items/:item_id",
    "PATCH /v1/todos/:todo_id",
    "POST /api/v1/items",
    "POST /api/v1/todos",
    "POST /v1/todos",
    "POST /v1/todos/bulk",
    "PUT /api/v1/todos/:todo_id",
  ],
};

/** What an administrator's token opens, likewise. */
const ADMINS: Partial<Record<Scope, readonly string[]>> = {
  "account:read": ["GET /admin/me", "GET /admin/me/tokens"],
  "account:write": ["DELETE /admin/me/tokens/:token_id", "POST /admin/me/tokens", "PUT /admin/me"],
  admin: [
    "DELETE /admin/users/:user_id",
    "GET /admin/audit",
    "GET /admin/users",
    "GET /admin/users/:user_id",
    "PATCH /admin/users/:user_id/activate",
    "PATCH /admin/users/:user_id/block",
    "PATCH /admin/users/:user_id/restore",
    "PATCH /admin/users/:user_id/unlock",
    "POST /admin/auth/register",
    "PUT /admin/users/:user_id",
  ],
};

/** Which budget each of those routes spends that let somebody in or make an account; no other spends any. */
const LIMITED: Readonly<Record<LimitName, readonly string[]>> = {
  register: [
    "POST /api/v1/users/register",
    "POST /api/v1/auth/register",
    "POST /v1/auth/register",
    "POST /v1/users",
    "POST /auth/register",
    "POST /admin/auth/register",
  ],
  login: [
    "POST /api/v1/users/login",
    "POST /api/v1/auth/token",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login-json",
    "POST /v1/auth/login",
  ],
  refresh: ["POST /api/v1/users/refresh", "POST /api/v1/auth/refresh"],
  root_login: ["POST /auth/login"],
  admin_login: ["POST /admin/auth/login"],
};

/** How a stranger is refused where it is not by 401. */
const REFUSED_OTHERWISE: Readonly<Record<string, number>> = { "POST /admin/auth/register": 403 };

/** What a token needs beside its route's own scope: whoever changes a user from the back office may give rights. */
function wantedToo(scope: string, route: string): readonly string[] {
  return scope === "admin" && !route.startsWith("GET ") ? ["account:write"] : [];
}

const scoped = [
  ...Object.entries(USERS).map(([scope, routes]) => ({ realm: "user", scope, routes }) as const),
  ...Object.entries(ADMINS).map(([scope, routes]) => ({ realm: "admin", scope, routes }) as const),
];
const guarded = scoped.flatMap(({ routes }) => routes);

async function ask(client: TestClient, route: string, token?: string) {
  const [method = "", path = ""] = route.split(" ");
  const filledIn = path.replaceAll(/:\w+/g, "987654321");
  return client.send(method, filledIn, token === undefined ? {} : { token });
}

/** Each surface quotes in its own way. */
function messageOf({ body }: Answer): string {
  return (JSON.stringify(body) ?? "").replaceAll("'", "");
}

forEachEngine("access", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("S21 every route is in one of the lists of who may ask for it", () => {
    const routes = program().app.routes.map(({ method, path }) => `${method} ${path}`);
    expect([...OPEN, ...BY_COOKIE, ...guarded].toSorted()).toEqual(routes.toSorted());
  });

  test("S21 without credentials every route is closed but the open ones", async () => {
    for (const route of OPEN) {
      const { status } = await ask(program().client(), route);
      expect([route, [401, 403].includes(status)]).toEqual([route, false]);
    }
    for (const route of [...BY_COOKIE, ...guarded]) {
      const { status } = await ask(program().client(), route);
      expect([route, status]).toEqual([route, REFUSED_OTHERWISE[route] ?? 401]);
    }
  });

  describe("S11 a personal token opens what its scope is for, and nothing else", () => {
    for (const { realm, scope, routes } of scoped) {
      test(`${scope} of the realm ${realm}`, async () => {
        const owner = await someone(program(), realm);
        const others = await personalToken(owner, { scopes: SCOPES.filter((each) => each !== scope) });
        const none = await personalToken(owner, { scopes: [] });
        for (const route of routes) {
          for (const lacking of [others, none]) {
            const refused = await ask(owner.client, route, lacking.text);
            expect([route, refused.status]).toEqual([route, 403]);
            expect(messageOf(refused)).toContain(`lacks the scope ${scope}`);
          }
          const wanted = wantedToo(scope, route);
          for (const missing of wanted) {
            const short = await personalToken(owner, { scopes: [scope] });
            const refused = await ask(owner.client, route, short.text);
            expect([route, refused.status]).toEqual([route, 403]);
            expect(messageOf(refused)).toContain(`lacks the scope ${missing}`);
          }
          const fitting = await personalToken(owner, { scopes: [scope, ...wanted] });
          const answer = await ask(owner.client, route, fitting.text);
          expect([route, answer.status]).not.toEqual([route, 401]);
          expect(messageOf(answer)).not.toContain("lacks the scope");
        }
      });
    }
  });
});

forEachEngine("limits", (start) => {
  const ONCE = {
    RATE_LIMIT_REGISTER: "1/hour",
    RATE_LIMIT_LOGIN: "1/hour",
    RATE_LIMIT_REFRESH: "1/hour",
    RATE_LIMIT_ATTEMPTS: "1",
  };
  const program = shared(start, ONCE);

  test("each route that lets somebody in or makes an account spends its budget, and no other", async () => {
    for (const [budget, spenders] of Object.entries(LIMITED)) {
      const [first = ""] = spenders;
      for (const route of Object.values(LIMITED).flat()) {
        const client = program().client();
        expect((await ask(client, first)).status).not.toBe(429);
        const isSpent = (await ask(client, route)).status === 429;
        expect([budget, route, isSpent]).toEqual([budget, route, spenders.includes(route)]);
      }
    }
  });
});
