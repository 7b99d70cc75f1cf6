/**
 * What tracing costs a request, in CPU time of the server: without it, with a sampler that takes nothing, and with
 * every request told to a collector. The figures of docs/tracing.md come from `bun run build && bun bench/tracing.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "./measure.ts";
import { getOne, makePeople, requestsOf } from "./people.ts";
import { median } from "./report.ts";
import { startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

const FIRST_PORT = 18_431;
const ROUNDS = 5;
const SECONDS = 3;
const DATABASE = "sqlite:///bench.db";

const folder = mkdtempSync(join(tmpdir(), "latchkey-tracing-"));
/** Takes whatever comes, and looks at nothing. */
const collector = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json({}) });
const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.origin };
const ways: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no tracing": {},
  "sampler takes nothing": { ...endpoint, OTEL_TRACES_SAMPLER: "always_off" },
  "one in a hundred": { ...endpoint, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.01" },
  "every request": endpoint,
};
const servers: { readonly way: string; readonly server: Server; readonly cpuUs: number[] }[] = [];

try {
  for (const [way, settings] of Object.entries(ways)) {
    const server = await startProduct(folder, FIRST_PORT + servers.length, DATABASE, settings);
    servers.push({ way, server, cpuUs: [] });
  }
  const [first] = servers;
  if (first === undefined) throw new Error("nothing is measured");
  const requests = requestsOf(await makePeople(first.server), getOne);
  // The first round only warms them up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const { server, cpuUs } of servers) {
      const { cpuUsEach } = await load(server, requests, { seconds: SECONDS });
      if (round > 0) cpuUs.push(cpuUsEach);
    }
  }
  const baseUs = median(first.cpuUs);
  for (const { way, cpuUs } of servers) {
    const us = median(cpuUs);
    console.log(`${way.padEnd(24)} ${us.toFixed(1).padStart(6)} µs a request, ${(us / baseUs).toFixed(2)} ×`);
  }
} finally {
  await Promise.all(servers.map(({ server }) => server.stop()));
  await collector.stop(true);
  rmSync(folder, { recursive: true, force: true });
}
