import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { get, newEmail, post, put } from "./people.ts";

const isPostgresThere = await hasPostgres();

const SECRET_KEY = "the-key-of-this-very-test-Q7vX2mNp4Rz8KcYt6Wb1";
const SETTINGS = { RATE_LIMIT_ENABLED: "false", LOG_LEVEL: "DEBUG", DB_ECHO: "true", SECRET_KEY };

/** Does everything that a client does, right and wrong, and answers each secret it used or was given. */
async function liveALittle(server: ServerProcess): Promise<readonly string[]> {
  const secrets: string[] = [SECRET_KEY];
  const secret = (name: string) => {
    const text = `${name}${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
    secrets.push(text);
    return text;
  };
  const users = "/api/v1/users";
  const email = newEmail();
  const password = secret("Password");
  await post(server, `${users}/register`, { email, password });
  // Refused, because it is taken, because of its password, and because it is no JSON.
  await post(server, `${users}/register`, { email, password: secret("Taken") });
  await post(server, `${users}/register`, { email: newEmail(), password: `${secret("Bad")} !` });
  await raw(server, `${users}/register`, `{"email":"x@example.com","password":"${secret("Broken")}`);
  await post(server, `${users}/login`, { email, password: secret("Wrong") });
  await post(server, `${users}/login`, { email: newEmail(), password: secret("Nobodys") });
  // People do type their password where their name belongs. Small letters, as names are compared.
  const misplaced = { username: secret("misplaced"), password: secret("Wrong") };
  expect((await post(server, "/api/v1/auth/login-json", misplaced)).status).toBe(401);

  for (let count = 0; count < 2; count += 1) {
    const login = await post(server, `${users}/login`, { email, password });
    const cookie = keepCookie(login, secrets);
    const token = await keepToken(login, secrets);
    const created = await post(server, "/api/v1/todos", { title: "t" }, token);
    expect(created.status).toBe(200);
    await put(server, "/api/v1/todos/1", { title: "" }, token);
    await get(server, `${users}/me?access_token=${token}&password=${password}`, token);
    await get(server, `${users}/me`, `${token.slice(0, -4)}AAAA`);
    await get(server, `/${token}`);
    const headers = { cookie: `refresh_token=${cookie}` };
    const refreshed = await fetch(`${server.url}${users}/refresh`, { method: "POST", headers });
    await keepToken(refreshed, secrets);
    await fetch(`${server.url}${users}/refresh`, {
      method: "POST",
      headers: { cookie: `refresh_token=${secret("Forged")}` },
    });
    if (count === 0) await fetch(`${server.url}${users}/logout`, { method: "POST", headers });
  }
  return secrets;
}

function raw(server: ServerProcess, path: string, body: string): Promise<Response> {
  return fetch(`${server.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
}

function keepCookie(answer: Response, secrets: string[]): string {
  const cookie = /^refresh_token=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? "";
  expect(cookie.length).toBeGreaterThan(40);
  secrets.push(cookie);
  return cookie;
}

async function keepToken(answer: Response, secrets: string[]): Promise<string> {
  const { access_token: token }: { access_token?: unknown } = Object(await answer.json());
  if (typeof token !== "string") throw new Error(`no token in an answer with status ${answer.status}`);
  // Its signature alone would do to forge it anew.
  secrets.push(token, token.split(".")[2] ?? "");
  return token;
}

/** As text, and as the bytes that base64 text stands for, which is what a column might hold. */
function spellings(secret: string): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const decoded = Buffer.from(secret, "base64url");
  return [bytes, bytes.toString("hex"), bytes.toString("base64url"), decoded, decoded.toString("hex")].map(
    (each) => Buffer.from(each),
  );
}

function found(haystacks: ReadonlyMap<string, Buffer>, secrets: readonly string[]): readonly string[] {
  return secrets.flatMap((secret) =>
    [...haystacks].flatMap(([name, bytes]) =>
      spellings(secret).some((spelling) => bytes.includes(spelling))
        ? [`${secret.slice(0, 12)}… in ${name}`]
        : [],
    ),
  );
}

describe("what is kept", () => {
  test("S15 the database file, its WAL and the log hold no password, token or secret", async () => {
    const folder = scratchFolder();
    const server = await serve(folder, { ...SETTINGS, DATABASE_URL: "sqlite:///app.db" });
    const secrets = await liveALittle(server);
    const files = new Map(
      readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [name, readFileSync(join(folder, name))]),
    );
    expect([...files.keys()]).toEqual(expect.arrayContaining(["app.db", "app.db-wal"]));
    // Else the search would search nothing.
    expect(files.get("app.db-wal")?.includes("@example.com")).toBe(true);
    expect(server.output()).toContain("INSERT INTO");
    files.set("the log", Buffer.from(server.output()));
    expect(found(files, secrets)).toEqual([]);

    server.kill("SIGTERM");
    await server.exited;
    const closed = new Map([["app.db", readFileSync(join(folder, "app.db"))]]);
    expect(closed.get("app.db")?.includes("@example.com")).toBe(true);
    expect(found(closed, secrets)).toEqual([]);
  }, 30_000);

  describe.if(isPostgresThere)("on PostgreSQL", () => {
    const url = temporaryPostgres();
    test("S15 no row and no line of the log holds a password, token or secret", async () => {
      const server = await serve(scratchFolder(), { ...SETTINGS, DATABASE_URL: url });
      const secrets = await liveALittle(server);
      const rows = await everyRow(url);
      expect(rows.includes("@example.com")).toBe(true);
      const log = Buffer.from(server.output());
      expect(log.includes("INSERT INTO")).toBe(true);
      expect(
        found(
          new Map([
            ["a row", rows],
            ["the log", log],
          ]),
          secrets,
        ),
      ).toEqual([]);
    }, 30_000);
  });
});

/** All rows of all tables as text, binary columns in hexadecimal. */
async function everyRow(url: string): Promise<Buffer> {
  const sql = new Bun.SQL({ url, max: 1 });
  try {
    const tables = await sql<
      readonly { name: string }[]
    >`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`;
    const texts: string[] = [];
    for (const { name } of tables) {
      const rows = await sql.unsafe<readonly { text: string }[]>(
        `SELECT row_to_json(t)::text AS text FROM "${name}" t`,
      );
      texts.push(...rows.map(({ text }) => text));
    }
    return Buffer.from(texts.join("\n"));
  } finally {
    await sql.close();
  }
}
