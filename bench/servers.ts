/** Starts the product and the bare servers as processes of their own, and reads from /proc what they cost. */
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
const SECRET = "only-for-measuring-Zk3v9Qm-7Yt1RwXc5Hs8Lb2N";
export const SETUP_TOKEN = "only-for-measuring-setup-Yt1RwXc5Hs8Lb2N";
/** Seen from the folder of each server. */
export const SQLITE_URL = "sqlite:///./product.db";
export const PRODUCT = join(ROOT, "dist/latchkey");

/** What `/proc/PID/stat` counts times in, on every Linux there is. */
const TICK_US = 10_000;

export interface Server {
  readonly port: number;
  /** From the start of the process to its first 200 on /health. */
  readonly startedInMs: number;
  residentMiB(): Promise<number>;
  /** What all its threads have used so far, in the kernel too. */
  cpuUs(): Promise<number>;
  stop(): Promise<void>;
}

/** `databaseUrl` as the product takes it; a path of SQLite is seen from `folder`. */
export function startProduct(
  folder: string,
  port: number,
  databaseUrl: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  return start([PRODUCT, "serve"], folder, port, {
    HOST: "127.0.0.1",
    DATABASE_URL: databaseUrl,
    SECRET_KEY: SECRET,
    ADMIN_SETUP_TOKEN: SETUP_TOKEN,
    RATE_LIMIT_ENABLED: "false",
    LOG_LEVEL: "INFO",
    LOG_JSON: "true",
    ...settings,
  });
}

/** What a server does within a minute of its start, and each hour. */
export function keepHouse(folder: string, databaseUrl: string): void {
  const { exitCode, stderr } = Bun.spawnSync([PRODUCT, "maintenance", "run"], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", DATABASE_URL: databaseUrl, SECRET_KEY: SECRET },
  });
  if (exitCode !== 0) throw new Error(`maintenance failed: ${stderr.toString()}`);
}

/** `database` is a file for `server.ts` and an address for `postgres.ts`. */
export function startLimit(
  folder: string,
  port: number,
  script: "server.ts" | "postgres.ts",
  database: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const command = [process.execPath, join(ROOT, "bench/limit", script)];
  return start(command, folder, port, { DATABASE: database, SECRET, ...settings });
}

async function start(
  command: readonly string[],
  folder: string,
  port: number,
  env: Record<string, string>,
): Promise<Server> {
  const log = join(folder, `${port}.log`);
  const startedAtMs = performance.now();
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", PORT: String(port), ...env },
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: "inherit",
  });
  while (!(await answersHealth(port))) {
    if (performance.now() - startedAtMs > 20_000) {
      child.kill("SIGKILL");
      throw new Error(`${command.join(" ")} does not answer: see ${log}`);
    }
    await Bun.sleep(1);
  }
  const startedInMs = performance.now() - startedAtMs;
  const proc = (file: string) => Bun.file(`/proc/${child.pid}/${file}`).text();
  return {
    port,
    startedInMs,
    async residentMiB() {
      return Math.round(Number(/VmRSS:\s+(\d+)/.exec(await proc("status"))?.[1] ?? 0) / 1024);
    },
    cpuUs: () => cpuUsOf(child.pid),
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}

/** What all threads of a process have used so far, in the kernel too. */
export async function cpuUsOf(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`).text();
  // The fields after the name, which may hold anything: the 12th and the 13th are user and system time.
  const [, fields = ""] = /^.*\) (.*)$/s.exec(stat) ?? [];
  const [user = 0, system = 0] = fields.split(" ").slice(11, 13).map(Number);
  return (user + system) * TICK_US;
}

/** Whatever answers at all is up: the bare servers know no /health. */
function answersHealth(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health`).then(
    () => true,
    () => false,
  );
}
