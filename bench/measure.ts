/** How one figure is got: product and bare server in turns, so that whatever else the machine does meets both. */
import { join } from "node:path";
import type { LoadResult } from "./load.ts";
import { getOne, logIn, PASSWORD, requestsOf } from "./people.ts";
import type { Person } from "./people.ts";
import { median, row } from "./report.ts";
import type { Row } from "./report.ts";
import { SQLITE_URL, startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}

export interface Pair {
  readonly product: Server;
  readonly limit: Server;
}

interface Measured extends LoadResult {
  readonly perSecond: number;
  readonly cpuUsEach: number;
}

export const CONNECTIONS = 64;

export async function load(
  server: Server,
  requests: readonly string[],
  options: { readonly seconds: number; readonly connections?: number; readonly perSecond?: number },
): Promise<Measured> {
  const { seconds, connections = CONNECTIONS, perSecond } = options;
  const given = [server.port, connections, seconds, ...(perSecond === undefined ? [] : [perSecond])];
  const cpuUsBefore = await server.cpuUs();
  const loader = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), ...given.map(String)], {
    stdin: new Blob([JSON.stringify(requests)]),
    stdout: "pipe",
    stderr: "inherit",
  });
  const result: LoadResult = JSON.parse(await new Response(loader.stdout).text());
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.requests} requests failed`);
  return {
    ...result,
    perSecond: result.requests / result.seconds,
    cpuUsEach: ((await server.cpuUs()) - cpuUsBefore) / result.requests,
  };
}

/** Rounds of both, in turns. */
async function inTurns<T>(
  { product, limit }: Pair,
  rounds: number,
  measure: (server: Server) => Promise<T>,
): Promise<readonly { readonly product: T; readonly limit: T }[]> {
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    measured.push({ product: await measure(product), limit: await measure(limit) });
  }
  return measured;
}

/** Requests a second and CPU time a request; the latter hardly depends on what else the machine has to do. */
export async function throughput(
  name: string,
  wanted: number,
  pair: Pair,
  requests: readonly string[],
  { rounds, seconds }: Effort,
): Promise<readonly Row[]> {
  // Until the hot paths of both are compiled, which takes the larger program longer.
  await load(pair.product, requests, { seconds: 2 });
  const inOneRound = (server: Server) => load(server, requests, { seconds });
  await inTurns(pair, 1, inOneRound);
  const measured = await inTurns(pair, rounds, inOneRound);
  const middle = (figure: (both: (typeof measured)[number]) => number, digits: number) =>
    median(measured.map(figure)).toFixed(digits);
  return [
    row(
      name,
      measured.map(({ product, limit }) => product.perSecond / limit.perSecond),
      {
        wanted,
        better: "more",
        detail:
          `${middle(({ product }) => product.perSecond, 0)}/s of ${middle(({ limit }) => limit.perSecond, 0)}/s, ` +
          `p50 ${middle(({ product }) => product.p50Ms, 2)} ms, p99 ${middle(({ product }) => product.p99Ms, 2)} ms`,
      },
    ),
    row(
      `${name}, by CPU time`,
      measured.map(({ product, limit }) => limit.cpuUsEach / product.cpuUsEach),
      {
        wanted,
        better: "more",
        detail:
          `${middle(({ product }) => product.cpuUsEach, 1)} µs a request of ` +
          `${middle(({ limit }) => limit.cpuUsEach, 1)} µs`,
      },
    ),
  ];
}

/**
 * Against as many hashes as the cores could do, if one took as long among others as it does alone; and against the
 * bare server, which has to share the cores with whatever else runs as the product has.
 */
export async function logins(
  pair: Pair,
  people: readonly Person[],
  { rounds, seconds }: Effort,
): Promise<readonly Row[]> {
  const requests = requestsOf(people, logIn);
  const hash = await Bun.password.hash(PASSWORD, { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 });
  const measured = await inTurns(pair, rounds, async (server) => {
    const hashMs = await timeOf(8, () => Bun.password.verify(PASSWORD, hash));
    const { perSecond } = await load(server, requests, { seconds: seconds * 2, connections: 4 });
    return { perSecond, hashMs, most: (navigator.hardwareConcurrency * 1_000) / hashMs };
  });
  const middle = (figure: (both: (typeof measured)[number]) => number) =>
    median(measured.map(figure)).toFixed(1);
  const products = middle(({ product }) => product.perSecond);
  const limits = middle(({ limit }) => limit.perSecond);
  return [
    row(
      "logins a second, of cores ÷ one hash",
      measured.map(({ product }) => product.perSecond / product.most),
      {
        wanted: 0.95,
        better: "more",
        detail: `${products}/s; one hash alone ${middle(({ product }) => product.hashMs)} ms`,
      },
    ),
    row(
      "logins a second, of the bare server's",
      measured.map(({ product, limit }) => product.perSecond / limit.perSecond),
      { wanted: 0.95, better: "more", detail: `${products}/s of ${limits}/s` },
    ),
  ];
}

async function timeOf(times: number, work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  for (let turn = 0; turn < times; turn += 1) await work();
  return (performance.now() - startedAtMs) / times;
}

/** Reads at an even pace while four clients do nothing but log in. */
export async function readsAmongLogins(
  pair: Pair,
  people: readonly Person[],
  { rounds, seconds }: Effort,
): Promise<Row> {
  const reads = requestsOf(people, getOne);
  const hashing = requestsOf(people, logIn);
  const measured = await inTurns(pair, rounds, async (server) => {
    const logins = load(server, hashing, { seconds: seconds * 2 + 1, connections: 4 });
    await Bun.sleep(500);
    const read = await load(server, reads, { seconds: seconds * 2, connections: 4, perSecond: 100 });
    await logins;
    return read.p99Ms;
  });
  return row(
    "p99 of 100 reads/s beside 4 logins",
    measured.map(({ product, limit }) => product / limit),
    {
      wanted: 2,
      better: "less",
      detail:
        `${median(measured.map(({ product }) => product)).toFixed(1)} ms, ` +
        `the bare server ${median(measured.map(({ limit }) => limit)).toFixed(1)} ms`,
    },
  );
}

export async function manyConnections(
  product: Server,
  people: readonly Person[],
  { rounds, seconds }: Effort,
): Promise<Row> {
  const requests = requestsOf(people, getOne);
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    const few = await load(product, requests, { seconds });
    const many = await load(product, requests, { seconds, connections: 1_000 });
    measured.push({ few, many });
  }
  return row(
    "1,000 connections against 64",
    measured.map(({ few, many }) => many.perSecond / few.perSecond),
    {
      wanted: 0.9,
      better: "more",
      detail:
        `p50 ${median(measured.map(({ many }) => many.p50Ms)).toFixed(1)} ms ` +
        `against ${median(measured.map(({ few }) => few.p50Ms)).toFixed(1)} ms`,
    },
  );
}

/** With a database that is there already; the folder's own is used, so nothing else may run on it. */
export async function startUp(folder: string, port: number, starts: number): Promise<readonly Row[]> {
  const startsMs: number[] = [];
  const idleMiB: number[] = [];
  for (let turn = 0; turn < starts; turn += 1) {
    const server = await startProduct(folder, port, SQLITE_URL);
    startsMs.push(server.startedInMs);
    await Bun.sleep(300);
    idleMiB.push(await server.residentMiB());
    await server.stop();
  }
  return [
    row("start to first 200 on /health", startsMs, {
      wanted: 100,
      better: "less",
      unit: " ms",
      detail: `${starts} starts`,
    }),
    row("memory, idle", idleMiB, { wanted: 70, better: "less", unit: " MiB", detail: "resident" }),
  ];
}

/** What is resident once so many reads are done, the last of them just now. */
export async function memoryAfterReads(
  product: Server,
  people: readonly Person[],
  reads: number,
): Promise<Row> {
  const requests = requestsOf(people, getOne);
  let done = 0;
  while (done < reads) done += (await load(product, requests, { seconds: 2 })).requests;
  return row("memory, after many reads", [await product.residentMiB()], {
    wanted: 110,
    better: "less",
    unit: " MiB",
    detail: `after ${done.toLocaleString("en")} reads more than in the rows above`,
  });
}
