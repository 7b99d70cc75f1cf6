/** The same questions to a database of 10,000 todos and users and to one of 1,000,000: p50, one request at a time. */
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { numbers } from "../test/support/numbers.ts";
import { load } from "./measure.ts";
import { getList, getOne, http, makePeople, PASSWORD, requestsOf, send } from "./people.ts";
import type { Person } from "./people.ts";
import { row } from "./report.ts";
import type { Row } from "./report.ts";
import { keepHouse, SETUP_TOKEN, SQLITE_URL, startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

const FEW = 10_000;
const MANY = 1_000_000;
/** Many short ones: what else the machine does comes and goes within seconds. */
const ROUNDS = 15;
const SECONDS = 0.4;
/** One account has so many todos: the rest belong to accounts that have 200 each. */
const SHARE_OF_ONE = 0.5;
const PAGES = 50;

interface Case {
  readonly name: string;
  readonly requests: readonly string[];
}

interface Filled {
  readonly server: Server;
  readonly cases: readonly Case[];
}

export async function largeRows(folder: string, port: number): Promise<readonly Row[]> {
  const filled: Filled[] = [];
  try {
    for (const [index, count] of [FEW, MANY].entries())
      filled.push(await fill(join(folder, `rows-${count}`), port + 10 + index, count));
    const [few, many] = filled;
    if (few === undefined || many === undefined) throw new Error("there are two sizes to compare");
    const rows: Row[] = [];
    for (const [index, { name }] of few.cases.entries()) rows.push(await compare(name, index, few, many));
    return rows;
  } finally {
    for (const { server } of filled) await server.stop();
  }
}

async function compare(name: string, index: number, few: Filled, many: Filled): Promise<Row> {
  const p50 = async ({ server, cases }: Filled) => {
    const requests = cases[index]?.requests ?? [];
    return (await load(server, requests, { seconds: SECONDS, connections: 1 })).p50Ms;
  };
  const measured = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const both = { few: await p50(few), many: await p50(many) };
    if (round > 0) measured.push(both);
  }
  const [last] = measured.slice(-1);
  return row(
    `1,000,000 over 10,000: ${name}`,
    measured.map(({ few, many }) => many / few),
    {
      wanted: 1.15,
      better: "less",
      detail: `p50 ${last?.many.toFixed(3)} ms over ${last?.few.toFixed(3)} ms in the last round`,
    },
  );
}

async function fill(folder: string, port: number, count: number): Promise<Filled> {
  mkdirSync(folder);
  const start = () => startProduct(folder, port, SQLITE_URL);
  const seeding = await start();
  const people = await makePeople(seeding);
  const admin = await makeAdmin(seeding);
  await seeding.stop();
  const [busiest, ...others] = people;
  if (busiest === undefined) throw new Error("there is nobody to measure with");
  addRows(join(folder, "product.db"), count, busiest.email);
  keepHouse(folder, SQLITE_URL);
  const server = await start();
  return { server, cases: await casesOf(server, busiest, others, admin) };
}

async function makeAdmin(server: Server): Promise<string> {
  const admin = { username: "measurer", name: "Measurer", email: "admin@example.com", password: PASSWORD };
  await send(server, "/admin/auth/register", admin, { "x-setup-token": SETUP_TOKEN });
  const response = await fetch(`http://127.0.0.1:${server.port}/admin/auth/login`, {
    method: "POST",
    body: new URLSearchParams({ username: admin.username, password: PASSWORD }),
  });
  return String(Object(await response.json()).access_token);
}

/** People are made several at once, so that the first of them need not have the first id. */
function addRows(file: string, count: number, busiest: string): void {
  const database = new Database(file);
  database.run(`${numbers(count)} INSERT INTO users
    (email, username, username_key, name, name_key, password_hash, created_at_ms)
    SELECT 'user' || i || '@example.org', 'User' || i, 'user' || i, 'Ada Sample ' || (i % 1000),
      'ada sample ' || (i % 1000), 'none', 1700000000000 + i FROM numbers`);
  database.run(`${numbers(count)} INSERT INTO todos
    (user_id, title, title_key, description, description_key, priority, created_at_ms)
    SELECT CASE WHEN i <= ${count * SHARE_OF_ONE} THEN (SELECT id FROM users WHERE email = '${busiest}') ELSE 100 + i / 200 END,
      'Todo ' || i, 'TODO ' || i, 'Milk, eggs, bread', 'MILK, EGGS, BREAD', 'medium', 1700000000000 + i FROM numbers`);
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

async function casesOf(
  server: Server,
  busiest: Person,
  others: readonly Person[],
  admin: string,
): Promise<readonly Case[]> {
  return [
    { name: "GET one todo", requests: requestsOf(others, getOne) },
    { name: "a list of 20", requests: requestsOf([busiest, ...others], getList) },
    { name: "cursor pages, at all depths", requests: await cursorPages(server, busiest) },
    {
      name: "search in one's todos",
      requests: others.map(({ token }) => http("GET", "/v1/todos?q=todo+7&page_size=20", token)),
    },
    { name: "admin list, first page", requests: [http("GET", "/admin/users?page=1&page_size=20", admin)] },
    {
      name: "admin list, search for one",
      requests: [http("GET", "/admin/users?search=user9876%40&page_size=20", admin)],
    },
  ];
}

/** Requests for pages evenly apart, from the first to nearly the last. */
async function cursorPages(server: Server, { token }: Person): Promise<readonly string[]> {
  const cursors: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const path: string = `/v1/todos?page_size=100${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    const next: unknown = Object(await response.json()).next_cursor;
    cursor = typeof next === "string" ? next : null;
    if (cursor !== null) cursors.push(cursor);
  }
  const step = Math.max(1, Math.floor(cursors.length / PAGES));
  return cursors
    .filter((_, index) => index % step === 0)
    .map((cursor) => http("GET", `/v1/todos?page_size=20&cursor=${encodeURIComponent(cursor)}`, token));
}
