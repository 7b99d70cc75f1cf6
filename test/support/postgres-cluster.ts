import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";

/** A PostgreSQL server of the test's own, to be stopped, frozen and restarted without harm to anybody else's. */
export interface PostgresCluster {
  readonly url: string;
  restart(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Connections stay open and nothing answers; with `connections` alone, new ones do. */
  freeze(what: "everything" | "connections"): void;
  thaw(): void;
  /** Ends following another, and takes writes. */
  promote(): Promise<void>;
  destroy(): Promise<void>;
}

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  fsync: "off",
  deadlock_timeout: "50ms",
  max_connections: "40",
};

/** Null where the server's programs are not installed. */
export function findPostgresPrograms(): string | null {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).toSorted((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(root, version, "bin")), ...pathFolders()];
  return folders.find((folder) => existsSync(join(folder, "initdb"))) ?? null;
}

export async function startPostgresCluster(programs: string): Promise<PostgresCluster> {
  const folder = await ownFolder();
  const data = join(folder, "data");
  await asPostgres([
    join(programs, "initdb"),
    "-D",
    data,
    "-A",
    "trust",
    "-U",
    "postgres",
    "-N",
    "-E",
    "UTF8",
  ]);
  return started(programs, folder);
}

/** One that follows `primary`, and takes no writes until it is promoted. */
export async function startPostgresStandby(
  programs: string,
  primary: PostgresCluster,
): Promise<PostgresCluster> {
  const folder = await ownFolder();
  const copy = join(programs, "pg_basebackup");
  await asPostgres([copy, "-D", join(folder, "data"), "-d", primary.url, "-R", "-c", "fast", "-N"]);
  return started(programs, folder);
}

async function ownFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-cluster-"));
  // The server refuses to run as root.
  if (process.getuid?.() === 0) await finished(["chown", "postgres", folder]);
  return folder;
}

/** What lies in `folder`, on a port of its own. */
async function started(programs: string, folder: string): Promise<PostgresCluster> {
  const data = join(folder, "data");
  const port = await freePort();
  const options = Object.entries({ ...SETTINGS, port, unix_socket_directories: folder }).map(
    ([k, v]) => `-c ${k}=${v}`,
  );
  const control = (...words: readonly string[]) =>
    asPostgres([join(programs, "pg_ctl"), "-D", data, "-w", "-l", join(folder, "log"), ...words]);
  const start = () => control("-o", options.join(" "), "start");
  await start();

  let frozen: readonly number[] = [];
  const cluster: PostgresCluster = {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start,
    stop: () => control("-m", "fast", "stop"),
    restart: () => control("-m", "fast", "-o", options.join(" "), "restart"),
    freeze(what) {
      const postmaster = Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]);
      // It starts the others, so their list is complete only once it stands still.
      signal(postmaster, "SIGSTOP");
      frozen = [...childrenOf(postmaster), postmaster];
      for (const pid of frozen) signal(pid, "SIGSTOP");
      if (what === "connections") signal(postmaster, "SIGCONT");
    },
    thaw() {
      for (const pid of frozen) signal(pid, "SIGCONT");
      frozen = [];
    },
    promote: () => control("promote"),
    async destroy() {
      cluster.thaw();
      if (existsSync(join(data, "postmaster.pid"))) await control("-m", "immediate", "stop");
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return cluster;
}

function childrenOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(" ").map(Number);
}

/** A server process whose client has just left may end at any moment. */
function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function asPostgres(command: readonly string[]): Promise<void> {
  const quoted = command.map((word) => `'${word}'`).join(" ");
  await finished(process.getuid?.() === 0 ? ["su", "postgres", "-s", "/bin/sh", "-c", quoted] : [...command]);
}

async function finished(command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], { cwd: "/", stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const code = await child.exited;
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`);
}

function pathFolders(): readonly string[] {
  return (process.env["PATH"] ?? "").split(":").filter((folder) => folder !== "");
}
