import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { isThere } from "./needed.ts";

const PROGRAM = "/usr/sbin/nginx";

export interface Nginx {
  /** What nginx says of its settings: its exit code, and its words. */
  check(): Promise<{ readonly exitCode: number; readonly said: string }>;
  /** Fulfils once it takes connections on `port`. */
  start(port: number): Promise<void>;
  stop(): Promise<void>;
}

/** In CI its absence fails the run; elsewhere what is skipped is said, once. */
export function hasNginx(): boolean {
  return isThere(
    findProgram() !== null && Bun.which("openssl") !== null,
    "SKIPPED: all tests on nginx, since it or openssl is not installed (Debian: nginx, openssl)",
  );
}

/** An nginx of the test's own, with a file as it stands in `conf.d`, and everything it writes in a folder of its own. */
export function nginx(conf: (folder: string) => string): Nginx {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  writeFileSync(join(folder, "site.conf"), conf(folder));
  // Its workers would become somebody who may not write to the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  writeFileSync(
    join(folder, "nginx.conf"),
    `${user}
     pid ${join(folder, "pid")};
     error_log stderr;
     worker_processes 1;
     events {}
     http { access_log off; ${temporary.join(" ")} include ${join(folder, "site.conf")}; }`,
  );
  const command = [findProgram() ?? PROGRAM, "-p", folder, "-c", join(folder, "nginx.conf")];
  let child: Bun.Subprocess | null = null;
  return {
    async check() {
      const checking = Bun.spawn([...command, "-t"], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
      const said = await new Response(checking.stderr).text();
      return { exitCode: await checking.exited, said };
    },
    async start(port) {
      child = Bun.spawn([...command, "-g", "daemon off;"], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      });
      await eventually(async () => {
        const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
        socket.end();
      });
    },
    async stop() {
      child?.kill("SIGTERM");
      await child?.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findProgram(): string | null {
  return Bun.which("nginx") ?? (existsSync(PROGRAM) ? PROGRAM : null);
}
