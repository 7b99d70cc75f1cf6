/**
 * What one instance on PostgreSQL does of each kind of request, and what three do that share the database.
 *
 *     bun run build && bun bench/instances.ts [postgres://…/an-empty-database] [ROUNDS]
 *
 * One and three are loaded in turns, by as many connections in all, each instance by a loader of its own. All of it
 * shares this machine: where the cores are the limit, three do no more than one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONNECTIONS, load } from "./measure.ts";
import { getList, getOne, logIn, makePeople, postOne, requestsOf } from "./people.ts";
import { median } from "./report.ts";
import { startProduct } from "./servers.ts";
import type { Server } from "./servers.ts";

const [URL = "postgres://postgres@127.0.0.1:5432/latchkey_instances", rounds = "5"] = process.argv.slice(2);
const SECONDS = 3;
const PORTS = [8491, 8492, 8493];
const KINDS = [
  ["GET one todo", getOne, CONNECTIONS],
  ["GET a list of 20", getList, CONNECTIONS],
  ["POST a todo", postOne, CONNECTIONS],
  ["login", logIn, 6],
] as const;

interface Total {
  readonly perSecond: number;
  readonly cpuUsEach: number;
}

async function loadAll(
  servers: readonly Server[],
  requests: readonly string[],
  connections: number,
): Promise<Total> {
  const each = Math.ceil(connections / servers.length);
  const all = await Promise.all(
    servers.map((server) => load(server, requests, { seconds: SECONDS, connections: each })),
  );
  const perSecond = all.reduce((sum, one) => sum + one.perSecond, 0);
  return {
    perSecond,
    cpuUsEach: all.reduce((sum, one) => sum + one.cpuUsEach * one.perSecond, 0) / perSecond,
  };
}

const folder = mkdtempSync(join(tmpdir(), "latchkey-instances-"));
const servers: Server[] = [];
try {
  for (const port of PORTS) servers.push(await startProduct(folder, port, URL));
  const [first] = servers;
  if (first === undefined) throw new Error("no instance was started");
  const people = await makePeople(first);
  console.log(`${rounds} rounds of ${SECONDS} s each in turns, medians\n`);
  for (const [name, request, connections] of KINDS) {
    const requests = requestsOf(people, request);
    const pairs: { readonly one: Total; readonly three: Total }[] = [];
    await loadAll(servers, requests, connections);
    for (let round = 0; round < Number(rounds); round += 1) {
      const one = await loadAll([first], requests, connections);
      pairs.push({ one, three: await loadAll(servers, requests, connections) });
    }
    const middle = (figure: (pair: (typeof pairs)[number]) => number) => median(pairs.map(figure));
    console.log(
      `${name.padEnd(18)} one ${middle(({ one }) => one.perSecond)
        .toFixed(0)
        .padStart(6)}/s at ` +
        `${middle(({ one }) => one.cpuUsEach)
          .toFixed(0)
          .padStart(5)} µs of CPU each, three ` +
        `${middle(({ three }) => three.perSecond)
          .toFixed(0)
          .padStart(6)}/s, ` +
        `${middle(({ one, three }) => three.perSecond / one.perSecond).toFixed(2)} times`,
    );
  }
} finally {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
