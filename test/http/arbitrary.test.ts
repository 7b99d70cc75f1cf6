import { expect, test } from "bun:test";
import type { Route } from "../../src/http/route.ts";
import { contractOf } from "../support/contract.ts";
import { amount } from "../support/amount.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { fc, seed } from "../support/seed.ts";
import { signUp } from "../surfaces/api-v1/people.ts";
import type { Person } from "../surfaces/api-v1/people.ts";
import { oddityFor } from "./arbitrary.ts";
import type { Oddity } from "./arbitrary.ts";

const RUNS = amount("RUNS", { short: 25, long: 1_000 });

forEachEngine("whatever is sent", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false", MAX_LOGIN_ATTEMPTS: "100" });
  const people = new Map<Oddity["who"], Person>();

  /** Some requests end the very account they are sent for: then another takes its place. */
  async function tokenOf(who: Oddity["who"]): Promise<string | null> {
    if (who === "nobody") return null;
    const known = people.get(who);
    if (known !== undefined) {
      const me = await known.client.get("/api/v1/users/me", { token: known.token });
      if (me.status === 200) return known.token;
    }
    const person = await signUp(program(), { role: who === "admin" ? "admin" : "user" });
    people.set(who, person);
    return person.token;
  }

  test(
    "S26 S23 no route answers with a 5xx, nor with anything but what it documents",
    async () => {
      for (const [index, route] of program().app.routes.entries()) {
        const property = fc.asyncProperty(oddityFor(route), async (oddity) => {
          const token = await tokenOf(oddity.who);
          await holds(program(), route, oddity, token);
        });
        // Each route with a chance of its own.
        await fc.assert(property, { numRuns: RUNS, seed: seed + index });
      }
      expect(program().log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    },
    60_000 + RUNS * 5_000,
  );
});

async function holds(
  { app }: TestProgram,
  route: Route,
  oddity: Oddity,
  token: string | null,
): Promise<void> {
  const headers = new Headers(oddity.headers.map(([name, value]): [string, string] => [name, value]));
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const { path, body } = oddity;
  const request = new Request(`http://localhost${path}`, {
    method: route.method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const response = await app.handle(request, "198.51.100.7");
  const text = await response.text();
  if (response.status >= 500) throw new Error(`${route.method} ${path} answers ${response.status}: ${text}`);
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  const given = {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(text) : text || undefined,
  };
  const problem = contractOf(app).problemWith(route.method, new URL(request.url).pathname, given);
  if (problem !== null) throw new Error(`${route.method} ${path}: ${problem}`);
}
