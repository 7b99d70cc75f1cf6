import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";

const KILLS = 2;
const CLIENTS = 8;
const TODOS_EACH = 20;
const ANSWERED_BEFORE_THE_KILL = 60;
const TEST_LIMIT_MS = 30_000;

const body = (value: unknown) => ({ method: "POST", body: JSON.stringify(value) });
const ACCOUNT = { email: "ada@example.com", password: "password123" };

async function send(
  url: string,
  request: RequestInit,
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await fetch(url, {
    ...request,
    headers: { "content-type": "application/json", ...headers },
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  return text;
}

/** Creates a todo under the key `name`; answers null where the connection broke before the answer was there. */
async function create(server: ServerProcess, token: string, name: string): Promise<string | null> {
  const headers = { authorization: `Bearer ${token}`, "idempotency-key": name };
  return send(`${server.url}/api/v1/todos`, body({ title: name }), headers).catch((error: unknown) => {
    if (error instanceof Error && "code" in error) return null;
    throw error;
  });
}

function suite(databaseUrl: (folder: string) => string): void {
  const folder = scratchFolder();

  test(
    "S31 requests sent again after a kill -9 are carried out once each, and keep their answers",
    async () => {
      const settings = {
        DATABASE_URL: databaseUrl(folder),
        SECRET_KEY: "one secret for every start of it: 7Yt1RwXc",
      };
      let server = await serve(folder, settings);
      await send(`${server.url}/api/v1/users/register`, body(ACCOUNT));
      const login = await send(`${server.url}/api/v1/users/login`, body(ACCOUNT));
      const token = String(JSON.parse(login).access_token);

      const first = new Map<string, string>();
      const names: string[] = [];
      for (let kill = 0; kill < KILLS; kill += 1) {
        const doomed = server;
        let answered = 0;
        const client = async (each: number): Promise<void> => {
          for (let todo = 0; todo < TODOS_EACH; todo += 1) {
            const name = `${kill}-${each}-${todo}`;
            names.push(name);
            const answer = await create(doomed, token, name);
            if (answer === null) return;
            first.set(name, answer);
            answered += 1;
            if (answered === ANSWERED_BEFORE_THE_KILL) doomed.kill("SIGKILL");
          }
        };
        await Promise.all(Array.from({ length: CLIENTS }, (_, each) => client(each)));
        await doomed.exited;
        server = await serve(folder, settings);
      }
      expect(first.size).toBeLessThan(names.length);

      for (const name of names) {
        const answer = await create(server, token, name);
        expect(answer, name).toBe(first.get(name) ?? answer);
        first.set(name, answer ?? "");
      }
      const listed = await send(`${server.url}/api/v1/todos`, {}, { authorization: `Bearer ${token}` });
      const titles: readonly string[] = JSON.parse(listed).map(({ title }: { title: string }) => title);
      expect(titles.toSorted()).toEqual(names.toSorted());
      server.kill("SIGTERM");
    },
    TEST_LIMIT_MS,
  );
}

describe("Idempotency-Key through crashes on SQLite", () => {
  suite((folder) => `sqlite:///${join(folder, "app.db")}`);
});

if (await hasPostgres()) {
  describe("Idempotency-Key through crashes on PostgreSQL", () => {
    const url = temporaryPostgres();
    suite(() => url);
  });
}
