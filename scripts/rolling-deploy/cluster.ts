/** Three instances behind nginx as it is shipped, on a PostgreSQL database and a Redis of their own. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../test/support/eventually.ts";
import { nginx, type Nginx } from "../../test/support/nginx.ts";
import { freePort } from "../../test/support/ports.ts";
import { redisServer, type RedisServer } from "../../test/support/redis-server.ts";

const POSTGRES = process.env["TEST_POSTGRES_URL"] ?? "postgres://root@127.0.0.1:5432/postgres";
const CONF = join(import.meta.dir, "../../deploy/nginx/compose.conf");
const NAMES = ["one", "two", "three"] as const;
const START_LIMIT_MS = 15_000;
const STOP_LIMIT_MS = 30_000;

/** How many registrations one address has, all instances taken together. */
export const REGISTRATIONS = 20;

/** Guesses and logins are not what is counted here, and come from one address all. */
const SETTINGS = {
  HOST: "127.0.0.1",
  SECRET_KEY: "for-rolling-deploys-alone-Zk3v9Qm-7Yt1RwXc5Hs8",
  TRUST_PROXY: "1",
  RATE_LIMIT_LOGIN: "100000/minute",
  RATE_LIMIT_REFRESH: "100000/minute",
  RATE_LIMIT_REGISTER: `${REGISTRATIONS}/hour`,
  LOG_JSON: "true",
} as const;

export class Instance {
  readonly name: string;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #port: number;
  #child: Bun.Subprocess | null = null;

  constructor(name: string, port: number, folder: string, settings: Readonly<Record<string, string>>) {
    this.name = name;
    this.#port = port;
    this.#folder = folder;
    this.#settings = { ...settings, PORT: String(port) };
  }

  /** Fulfils once it is ready. */
  async start(binary: string): Promise<void> {
    const log = Bun.file(join(this.#folder, `${this.name}-${Date.now()}.log`));
    this.#child = Bun.spawn([binary, "serve"], {
      cwd: this.#folder,
      env: { PATH: process.env["PATH"] ?? "", ...this.#settings },
      stdin: "ignore",
      stdout: log,
      stderr: "inherit",
    });
    await eventually(async () => {
      const { status } = await fetch(`http://127.0.0.1:${this.#port}/health/readiness`);
      if (status !== 200) throw new Error(`instance ${this.name} is not ready: see ${log.name}`);
    }, START_LIMIT_MS);
  }

  /** As whoever deploys does; answers the exit code. */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    const killer = setTimeout(() => this.signal("SIGKILL"), STOP_LIMIT_MS);
    const code = await this.exited();
    clearTimeout(killer);
    return code;
  }

  /** How often it, or one before it, has told of an event. */
  told(event: string): number {
    const logs = readdirSync(this.#folder).filter((file) => file.endsWith(".log"));
    const text = logs.map((file) => readFileSync(join(this.#folder, file), "utf8")).join("");
    return text.split(`"event":"${event}"`).length - 1;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  exited(): Promise<number> {
    return this.#child?.exited ?? Promise.resolve(0);
  }
}

export interface Cluster {
  /** Where clients send their requests. */
  readonly origin: string;
  readonly instances: readonly Instance[];
  /** Runs a command of the program on the database; answers what it printed. Fails with it. */
  command(binary: string, words: readonly string[]): Promise<string>;
  destroy(): Promise<void>;
}

export async function startCluster(folder: string, binary: string): Promise<Cluster> {
  const database = `latchkey_rolling_${process.pid}`;
  await onServer(`CREATE DATABASE ${database}`);
  const redis = await redisServer();
  await redis.start();
  const settings = {
    ...SETTINGS,
    DATABASE_URL: Object.assign(new URL(POSTGRES), { pathname: `/${database}` }).href,
    REDIS_URL: redis.url,
    KEYS_DIR: join(folder, "keys"),
    UPLOAD_DIR: join(folder, "uploads"),
  };
  const instances: Instance[] = [];
  let balancer: Nginx | null = null;
  const destroy = () => tearDown(instances, balancer, redis, database);
  try {
    let conf = readFileSync(CONF, "utf8");
    for (const name of NAMES) {
      const port = await freePort();
      const own = join(folder, name);
      mkdirSync(own);
      const instance = new Instance(name, port, own, settings);
      instances.push(instance);
      // One after the other, since the first makes the keys that all share.
      await instance.start(binary);
      conf = conf.replace(`server ${name}:8000`, `server 127.0.0.1:${port}`);
    }
    const port = await freePort();
    balancer = nginx(() => conf.replace("listen 8080", `listen 127.0.0.1:${port}`));
    await balancer.start(port);
    return {
      origin: `http://127.0.0.1:${port}`,
      instances,
      command: (program, words) => runCommand(program, words, folder, settings),
      destroy,
    };
  } catch (error) {
    await destroy();
    throw error;
  }
}

async function tearDown(
  instances: readonly Instance[],
  balancer: Nginx | null,
  redis: RedisServer,
  database: string,
): Promise<void> {
  for (const instance of instances) instance.signal("SIGKILL");
  await Promise.all(instances.map((instance) => instance.exited()));
  await balancer?.stop();
  await redis.destroy();
  await onServer(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
}

async function runCommand(
  binary: string,
  words: readonly string[],
  cwd: string,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const child = Bun.spawn([binary, ...words], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0)
    throw new Error(`latchkey ${words.join(" ")} ended with ${child.exitCode}: ${err}`);
  return out;
}

async function onServer(sql: string): Promise<void> {
  const server = new Bun.SQL({ url: POSTGRES, max: 1, connectionTimeout: 3 });
  try {
    await server.unsafe(sql);
  } finally {
    await server.close({ timeout: 0 });
  }
}
