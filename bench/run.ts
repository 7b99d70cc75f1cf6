/**
 * Measures the built product against a server that does as little as can be done (`limit/`), in turns, and prints
 * medians and ratios. Machines are noisy: only a ratio from one run says anything.
 *
 *     bun run bench                  five rounds of four seconds each, a million reads
 *     bun run bench --quick          three rounds of one second, in under two minutes
 *     bun run bench --large          10,000 against 1,000,000 rows as well; filling takes minutes
 *     bun run bench --json FILE      writes the figures; without it they go to dist/bench.json
 *     bun run bench --postgres URL   an address where databases may be made
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { largeRows } from "./large.ts";
import {
  logins,
  manyConnections,
  memoryAfterReads,
  readsAmongLogins,
  startUp,
  throughput,
} from "./measure.ts";
import type { Effort } from "./measure.ts";
import { getList, getOne, makePeople, postOne, requestsOf } from "./people.ts";
import { line, slower } from "./report.ts";
import type { Report, Row } from "./report.ts";
import { PRODUCT, SQLITE_URL, startLimit, startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

const ROOT = join(import.meta.dir, "..");
const BASELINE = join(import.meta.dir, "baseline.json");
const PRODUCT_PORT = 8391;
const LIMIT_PORT = 8392;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    json: { type: "string", default: join(ROOT, "dist/bench.json") },
    postgres: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
  },
});
const effort: Effort = options.quick ? { rounds: 3, seconds: 1 } : { rounds: 5, seconds: 4 };
const rows: Row[] = [];
const leftOut: string[] = [];

function tell(...more: readonly Row[]): void {
  for (const row of more) console.log(line(row));
  rows.push(...more);
}

/** Both servers for as long as `work` takes. */
async function withBoth(
  starts: readonly [product: () => Promise<Server>, limit: () => Promise<Server>],
  work: (product: Server, limit: Server) => Promise<void>,
): Promise<void> {
  const [startProduct, startLimit] = starts;
  const product = await startProduct();
  try {
    const limit = await startLimit();
    try {
      await work(product, limit);
    } finally {
      await limit.stop();
    }
  } finally {
    await product.stop();
  }
}

async function onSqlite(folder: string): Promise<void> {
  const seeding = await startProduct(folder, PRODUCT_PORT, SQLITE_URL);
  const people = await makePeople(seeding);
  await seeding.stop();
  tell(...(await startUp(folder, PRODUCT_PORT, options.quick ? 5 : 11)));

  copyFileSync(join(folder, "product.db"), join(folder, "limit.db"));
  const starts = [
    () => startProduct(folder, PRODUCT_PORT, SQLITE_URL),
    () => startLimit(folder, LIMIT_PORT, "server.ts", join(folder, "limit.db")),
  ] as const;
  await withBoth(starts, async (product, limit) => {
    const pair = { product, limit };
    tell(...(await throughput("GET one todo", 0.75, pair, requestsOf(people, getOne), effort)));
    tell(...(await throughput("GET a list of 20", 0.8, pair, requestsOf(people, getList), effort)));
    tell(await manyConnections(product, people, effort));
    tell(await memoryAfterReads(product, people, options.quick ? 0 : 1_000_000));
    tell(...(await logins(pair, people, effort)));
    tell(await readsAmongLogins(pair, people, effort));
    const [ratio] = await throughput("POST a todo", 4, pair, requestsOf(people, postOne), effort);
    if (ratio !== undefined) tell(ratio);
  });
}

async function onPostgres(folder: string): Promise<void> {
  const name = `latchkey_bench_${process.pid}`;
  const address = new URL(options.postgres);
  const server = new Bun.SQL(address.href, { max: 1, connectionTimeout: 2 });
  try {
    await server.unsafe(`CREATE DATABASE ${name}`);
  } catch (error) {
    leftOut.push(`PostgreSQL at ${address.host}: ${error instanceof Error ? error.message : String(error)}`);
    return;
  }
  address.pathname = `/${name}`;
  try {
    const starts = [
      () => startProduct(folder, PRODUCT_PORT, address.href),
      () => startLimit(folder, LIMIT_PORT, "postgres.ts", address.href),
    ] as const;
    await withBoth(starts, async (product, limit) => {
      const people = await makePeople(product);
      const pair = { product, limit };
      for (const [name, request] of [
        ["PostgreSQL: GET one todo", getOne],
        ["PostgreSQL: POST a todo", postOne],
      ] as const)
        tell(...(await throughput(name, 0.8, pair, requestsOf(people, request), effort)));
    });
  } finally {
    await server.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await server.close();
  }
}

function compareWithBaseline(report: Report): void {
  if (!existsSync(BASELINE)) return;
  const baseline: Report = JSON.parse(readFileSync(BASELINE, "utf8"));
  const found = slower(report, baseline);
  console.log(
    found.length === 0
      ? "\nnothing is slower than bench/baseline.json by more than the noise"
      : `\nslower than bench/baseline.json by more than the noise:\n  ${found.join("\n  ")}`,
  );
}

if (!existsSync(PRODUCT)) {
  throw new Error("there is no dist/latchkey to measure: run `bun run build` first");
}
const folder = mkdtempSync(join(tmpdir(), "latchkey-bench-"));
try {
  console.log(`${effort.rounds} rounds of ${effort.seconds} s each in turns, medians (least to most)\n`);
  await onSqlite(folder);
  await onPostgres(folder);
  if (options.large) tell(...(await largeRows(folder, PRODUCT_PORT)));
  else leftOut.push("1,000,000 rows over 10,000: only with --large");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const what of leftOut) console.log(`left out: ${what}`);
const report: Report = { rows, leftOut };
writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
compareWithBaseline(report);
