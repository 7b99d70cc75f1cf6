import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { isThere } from "./needed.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

export interface PgBouncer {
  /** The same database as the one it was made for. */
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** In CI its absence fails the run; elsewhere what is skipped is said, once. */
export function hasPgBouncer(): boolean {
  return isThere(
    findProgram() !== null,
    "SKIPPED: all tests on PgBouncer, since it is not installed (Debian: pgbouncer)",
  );
}

/** In transaction mode, with so many connections to the server that its clients have to share them. */
export function pgBouncer(databaseUrl: string, port: number, serverConnections: number): PgBouncer {
  const { hostname, port: serverPort, pathname, username, password } = new URL(databaseUrl);
  const server = {
    host: hostname,
    port: serverPort === "" ? "5432" : serverPort,
    user: decodeURIComponent(username),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
  };
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: "transaction",
    default_pool_size: serverConnections,
    max_client_conn: 100,
  };
  const folder = mkdtempSync(join(tmpdir(), "latchkey-pgbouncer-"));
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(
    file,
    `[databases]\n* = ${words(server).join(" ")}\n[pgbouncer]\n${words(settings).join("\n")}\n`,
  );

  const url = new URL(`postgres://anybody@127.0.0.1:${port}`);
  url.pathname = pathname;
  let child: Bun.Subprocess | null = null;
  return {
    url: url.href,
    async start() {
      // It refuses to run as root, and reads its settings before it becomes somebody else.
      const asSomebody = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
      child = Bun.spawn([findProgram() ?? PROGRAM, "-q", ...asSomebody, file], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      });
      await eventually(() => answers(url.href), 10_000);
    },
    async stop() {
      child?.kill("SIGKILL");
      await child?.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findProgram(): string | null {
  return Bun.which("pgbouncer") ?? (existsSync(PROGRAM) ? PROGRAM : null);
}

function words(settings: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(settings).map(([name, value]) => `${name}=${value}`);
}

async function answers(url: string): Promise<void> {
  const client = new Bun.SQL({ url, max: 1, prepare: false, connectionTimeout: 3 });
  try {
    await client.unsafe("SELECT 1");
  } finally {
    await client.close({ timeout: 0 });
  }
}
