/**
 * How much memory a request allocates in the product and in the bare server, with the garbage collector off, so that
 * what is resident only grows. Unlike a time it hardly depends on the machine, and it is what the collector, the page
 * faults and the caches cost in the end. The figures of docs/performance.md come from
 *
 *     bun run build && bun bench/allocated.ts                  on SQLite
 *     bun run build && bun bench/allocated.ts postgres://…/d   in an empty database
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "./measure.ts";
import { getList, getOne, makePeople, postOne, requestsOf } from "./people.ts";
import type { Person } from "./people.ts";
import { SQLITE_URL, startLimit, startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

const [postgresUrl] = process.argv.slice(2);
const PRODUCT_PORT = 18_471;
const LIMIT_PORT = 18_472;
const uncollected = { BUN_JSC_useGC: "0" };
const works = {
  "GET one todo": getOne,
  // The bare server has no list on PostgreSQL.
  ...(postgresUrl === undefined ? { "GET a list of 20": getList } : {}),
  "POST a todo": postOne,
};

async function allocatedKiB(server: Server, requests: readonly string[]): Promise<number> {
  // Until all is compiled, and as many pages are there as are ever in use at once.
  await load(server, requests, { seconds: 1 });
  const beforeMiB = await server.residentMiB();
  const { requests: count } = await load(server, requests, { seconds: 1 });
  return (((await server.residentMiB()) - beforeMiB) * 1_024) / count;
}

async function tell(product: Server, limit: Server, people: readonly Person[]): Promise<void> {
  for (const [name, request] of Object.entries(works)) {
    const requests = requestsOf(people, request);
    const ours = await allocatedKiB(product, requests);
    const least = await allocatedKiB(limit, requests);
    console.log(`${name.padEnd(18)} ${ours.toFixed(1).padStart(6)} KiB, the bare server ${least.toFixed(1)}`);
  }
}

const folder = mkdtempSync(join(tmpdir(), "latchkey-allocated-"));
const product = await startProduct(folder, PRODUCT_PORT, postgresUrl ?? SQLITE_URL, uncollected);
try {
  const people = await makePeople(product);
  const limit =
    postgresUrl === undefined
      ? await startLimit(folder, LIMIT_PORT, "server.ts", join(folder, "product.db"), uncollected)
      : await startLimit(folder, LIMIT_PORT, "postgres.ts", postgresUrl, uncollected);
  try {
    await tell(product, limit, people);
  } finally {
    await limit.stop();
  }
} finally {
  await product.stop();
  rmSync(folder, { recursive: true, force: true });
}
