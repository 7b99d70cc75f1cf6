import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { isThere } from "./needed.ts";

/** A Redis of the test's own, to be killed, frozen and started again without harm to anybody else's. */
export interface RedisServer {
  readonly url: string;
  /** Fulfils once it answers. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Connections stay open, new ones are taken, and nothing answers. */
  freeze(): void;
  thaw(): void;
  destroy(): Promise<void>;
}

/** In CI its absence fails the run; elsewhere what is skipped is said, once. */
export function hasRedisServer(): boolean {
  return isThere(
    Bun.which("redis-server") !== null,
    "SKIPPED: all tests on Redis, since redis-server is not installed (Debian: redis-server)",
  );
}

/** Not yet started. */
export async function redisServer(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: Bun.Subprocess | null = null;

  const server: RedisServer = {
    url,
    async start() {
      const options = { port, bind: "127.0.0.1", save: "", appendonly: "no", dir: folder };
      const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
      child = Bun.spawn(["redis-server", ...words], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
      const giveUpAtMs = performance.now() + 10_000;
      while (!(await answers(url))) {
        if (performance.now() > giveUpAtMs) throw new Error("redis-server was started, but does not answer");
        await Bun.sleep(10);
      }
    },
    async kill() {
      child?.kill("SIGKILL");
      await child?.exited;
      child = null;
    },
    freeze() {
      child?.kill("SIGSTOP");
    },
    thaw() {
      child?.kill("SIGCONT");
    },
    async destroy() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return server;
}

async function answers(url: string): Promise<boolean> {
  const client = new Bun.RedisClient(url, { autoReconnect: false });
  try {
    return (await client.ping()) === "PONG";
  } catch {
    // It is asked again until it does, or until the one who asks gives up.
    return false;
  } finally {
    client.close();
  }
}
