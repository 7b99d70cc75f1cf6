/**
 * Measures the built product against a server that does as little as can be done (`limit/server.ts`), in turns, and
 * prints medians and ratios. Machines are noisy: only a ratio from one run says anything.
 *
 *     bun run bench             five rounds of four seconds each
 *     bun run bench --quick     three rounds of two seconds
 *     bun run bench --json FILE writes the figures as well
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { LoadResult } from "./load.ts";

const ROOT = join(import.meta.dir, "..");
const SECRET = "only-for-measuring-Zk3v9Qm-7Yt1RwXc5Hs8Lb2N";
const USERS = 50;
const TODOS_EACH = 40;
const CONNECTIONS = 64;

interface Person {
  readonly token: string;
  readonly todoIds: readonly number[];
}

interface Work {
  readonly name: string;
  /** The ratio that is wanted at least: requests a second, product over limit. */
  readonly atLeast: number;
  request(person: Person, turn: number): string;
}

const WORKS: readonly Work[] = [
  {
    name: "GET one todo",
    atLeast: 0.75,
    request: ({ token, todoIds }, turn) =>
      http("GET", `/api/v1/todos/${todoIds[turn % todoIds.length]}`, token),
  },
  {
    name: "GET a list of 20",
    atLeast: 0.8,
    request: ({ token }) => http("GET", "/api/v1/todos?limit=20", token),
  },
  {
    name: "POST a todo",
    atLeast: 4,
    request: ({ token }, turn) =>
      http("POST", "/api/v1/todos", token, JSON.stringify({ title: `Todo ${turn}` })),
  },
];

function http(method: string, path: string, token: string, body?: string): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
  return body === undefined
    ? `${head}\r\n`
    : `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

interface Server {
  readonly port: number;
  residentMiB(): Promise<number>;
  stop(): Promise<void>;
}

async function start(
  command: readonly string[],
  port: number,
  env: Record<string, string>,
  log: string,
): Promise<Server> {
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: "inherit",
  });
  const giveUpAtMs = performance.now() + 10_000;
  while (
    !(await fetch(`http://127.0.0.1:${port}/health`).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > giveUpAtMs) throw new Error(`${command.join(" ")} does not answer: see ${log}`);
    await Bun.sleep(20);
  }
  return {
    port,
    async residentMiB() {
      const status = await Bun.file(`/proc/${child.pid}/status`).text();
      return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    },
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

function startProduct(port: number): Promise<Server> {
  const settings = {
    PORT: String(port),
    HOST: "127.0.0.1",
    DATABASE_URL: "sqlite:///./product.db",
    SECRET_KEY: SECRET,
  };
  return start(
    [join(ROOT, "dist/latchkey"), "serve"],
    port,
    { ...settings, RATE_LIMIT_ENABLED: "false", LOG_LEVEL: "INFO", LOG_JSON: "true" },
    join(folder, "product.log"),
  );
}

function startLimit(port: number): Promise<Server> {
  const env = { PORT: String(port), DATABASE: join(folder, "limit.db"), SECRET };
  return start([process.execPath, join(ROOT, "bench/limit/server.ts")], port, env, join(folder, "limit.log"));
}

async function send(port: number, path: string, body: unknown, token?: string): Promise<unknown> {
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

async function makePeople(port: number): Promise<readonly Person[]> {
  return Promise.all(
    Array.from({ length: USERS }, async (_, number) => {
      const person = { email: `person${number}@example.com`, password: "password123" };
      await send(port, "/api/v1/users/register", person);
      const { access_token: token }: { access_token: string } = Object(
        await send(port, "/api/v1/users/login", person),
      );
      const todos = await Promise.all(
        Array.from({ length: TODOS_EACH }, (_, turn) =>
          send(port, "/api/v1/todos", { title: `Todo ${turn}`, description: "Milk, eggs, bread" }, token),
        ),
      );
      return { token, todoIds: todos.map((todo) => Number(Object(todo).id)) };
    }),
  );
}

async function measure({ port }: Server, requests: readonly string[], seconds: number): Promise<LoadResult> {
  const loader = Bun.spawn(
    [process.execPath, join(ROOT, "bench/load.ts"), String(port), String(CONNECTIONS), String(seconds)],
    { stdin: new Blob([JSON.stringify(requests)]), stdout: "pipe", stderr: "inherit" },
  );
  const result: LoadResult = JSON.parse(await new Response(loader.stdout).text());
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.requests} requests failed`);
  return result;
}

const perSecond = ({ requests, seconds }: LoadResult) => requests / seconds;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

async function compare(work: Work, people: readonly Person[], product: Server, limit: Server) {
  const requests = people.flatMap((person) =>
    Array.from({ length: 20 }, (_, turn) => work.request(person, turn)),
  );
  const rounds: { product: LoadResult; limit: LoadResult }[] = [];
  // One round to warm both up, which is not counted.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const both = {
      product: await measure(product, requests, SECONDS),
      limit: await measure(limit, requests, SECONDS),
    };
    if (round > 0) rounds.push(both);
  }
  const ratios = rounds.map((both) => perSecond(both.product) / perSecond(both.limit));
  return {
    name: work.name,
    atLeast: work.atLeast,
    product: Math.round(median(rounds.map((both) => perSecond(both.product)))),
    limit: Math.round(median(rounds.map((both) => perSecond(both.limit)))),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)] as const,
    p50Ms: median(rounds.map((both) => both.product.p50Ms)),
    p99Ms: median(rounds.map((both) => both.product.p99Ms)),
  };
}

const { values } = parseArgs({ options: { quick: { type: "boolean" }, json: { type: "string" } } });
const ROUNDS = values.quick === true ? 3 : 5;
const SECONDS = values.quick === true ? 2 : 4;
const folder = mkdtempSync(join(tmpdir(), "latchkey-bench-"));

if (!existsSync(join(ROOT, "dist/latchkey"))) {
  throw new Error("there is no dist/latchkey to measure: run `bun run build` first");
}
const running: Server[] = [];
try {
  const seeding = await startProduct(8391);
  const people = await makePeople(seeding.port);
  await seeding.stop();
  copyFileSync(join(folder, "product.db"), join(folder, "limit.db"));

  const product = await startProduct(8391);
  const limit = await startLimit(8392);
  running.push(product, limit);
  const idleMiB = await product.residentMiB();
  const results = [];
  console.log(`${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s each in turns, medians\n`);
  console.log("work                  product/s    limit/s   ratio  (spread)       wanted    p50 ms   p99 ms");
  for (const work of WORKS) {
    const result = await compare(work, people, product, limit);
    results.push(result);
    const [low, high] = result.spread.map((ratio) => ratio.toFixed(2));
    console.log(
      `${result.name.padEnd(20)} ${String(result.product).padStart(10)} ${String(result.limit).padStart(10)}` +
        `  ${result.ratio.toFixed(2).padStart(6)}  (${low} to ${high})  ≥ ${result.atLeast.toFixed(2)}` +
        `  ${result.p50Ms.toFixed(2).padStart(8)} ${result.p99Ms.toFixed(2).padStart(8)}`,
    );
  }
  const loadedMiB = await product.residentMiB();
  console.log(`\nmemory of the product: ${idleMiB} MiB idle, ${loadedMiB} MiB afterwards`);
  if (values.json !== undefined) {
    writeFileSync(
      values.json,
      `${JSON.stringify({ results, memoryMiB: { idle: idleMiB, loaded: loadedMiB } }, null, 2)}\n`,
    );
  }
} finally {
  for (const server of running) await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
