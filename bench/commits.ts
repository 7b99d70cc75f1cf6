/**
 * What an insert costs on PostgreSQL, by how many of 64 share a commit: through the driver alone, in turns, the server on
 * this machine. The figures of docs/decisions/0022-inserts-share-a-commit.md come from
 *
 *     bun bench/commits.ts postgres://…/an-empty-database
 */
import { median } from "./report.ts";
import { cpuUsOf } from "./servers.ts";

const CLIENTS = 64;
const MS = 2_000;
const ROUNDS = 3;
const INSERT = `INSERT INTO bench_todos (user_id, title, created_at_ms) VALUES ($1, $2, $3) RETURNING id`;

const [url] = process.argv.slice(2);
if (url === undefined) throw new Error("bun bench/commits.ts postgres://…/an-empty-database");
const sql = new Bun.SQL(url, { max: 10 });

interface Cost {
  readonly perSecond: number;
  readonly serverUs: number;
  readonly clientUs: number;
}

type Loop = (isOver: () => boolean, done: (inserts: number) => void) => Promise<void>;

async function serverUs(): Promise<number> {
  const rows: { pid: number }[] =
    await sql`SELECT pid FROM pg_stat_activity WHERE datname = current_database()`;
  const used = await Promise.all(rows.map(({ pid }) => cpuUsOf(pid)));
  return used.reduce((sum, more) => sum + more, 0);
}

async function costOf(loop: Loop): Promise<Cost> {
  const server = await serverUs();
  const client = process.cpuUsage();
  const startedMs = performance.now();
  let inserts = 0;
  await loop(
    () => performance.now() > startedMs + MS,
    (more) => (inserts += more),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(client);
  return {
    perSecond: inserts / seconds,
    serverUs: ((await serverUs()) - server) / inserts,
    clientUs: (user + system) / inserts,
  };
}

const insert = (on: Bun.SQL) => on.unsafe(INSERT, [1, "Todo", Date.now()]);

/** Each of the clients by itself, on whatever connection the driver chooses. */
const alone: Loop = async (isOver, done) => {
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (; !isOver(); done(1)) await insert(sql);
    }),
  );
};

function inGroups(groups: number): Loop {
  const size = Math.floor(CLIENTS / groups);
  return async (isOver, done) => {
    await Promise.all(
      Array.from({ length: groups }, async () => {
        const connection = await sql.reserve();
        for (; !isOver(); done(size)) {
          await connection.unsafe("BEGIN READ WRITE; SET LOCAL lock_timeout = 50");
          await Promise.all(Array.from({ length: size }, () => insert(connection)));
          await connection.unsafe("COMMIT");
        }
        connection.release();
      }),
    );
  };
}

const ways: Readonly<Record<string, Loop>> = {
  "each its own transaction": alone,
  "seven groups of 9": inGroups(7),
  "four groups of 16": inGroups(4),
  "two groups of 32": inGroups(2),
  "one group of 64": inGroups(1),
};

await sql`CREATE TABLE bench_todos (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id BIGINT, title TEXT,
  created_at_ms BIGINT)`;
await sql`CREATE INDEX ON bench_todos (user_id, created_at_ms, id)`;
await sql`CREATE INDEX ON bench_todos (user_id, title, id)`;
try {
  const costs = new Map<string, Cost[]>();
  // The first round only warms them up.
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [way, loop] of Object.entries(ways)) {
      const cost = await costOf(loop);
      if (round > 0) costs.set(way, [...(costs.get(way) ?? []), cost]);
    }
  }
  for (const [way, measured] of costs) {
    const middle = (figure: (cost: Cost) => number) => median(measured.map(figure)).toFixed(0).padStart(6);
    console.log(
      `${way.padEnd(26)} ${middle((cost) => cost.perSecond)}/s, CPU of PostgreSQL ${middle((cost) => cost.serverUs)} µs, ` +
        `of the client ${middle((cost) => cost.clientUs)} µs`,
    );
  }
} finally {
  await sql`DROP TABLE bench_todos`;
  await sql.close();
}
