import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exchange, statuses } from "../faults/wire.ts";
import { hasNginx, type Nginx, nginx } from "../support/nginx.ts";
import { freePort } from "../support/ports.ts";
import { Running, starter, type TestProgram } from "../support/program.ts";

const DEPLOY = join(import.meta.dir, "../../deploy/nginx");
const read = (name: string) => readFileSync(join(DEPLOY, name), "utf8");

if (hasNginx()) {
  test("nginx takes the example for one host", async () => {
    const own = nginx((folder) => {
      const key = join(folder, "key.pem");
      const certificate = join(folder, "certificate.pem");
      const made = Bun.spawnSync([
        ...[
          "openssl",
          "req",
          "-x509",
          "-newkey",
          "rsa:2048",
          "-nodes",
          "-days",
          "1",
          "-subj",
          "/CN=example.com",
        ],
        ...["-keyout", key, "-out", certificate],
      ]);
      expect(made.exitCode).toBe(0);
      return read("latchkey.conf")
        .replace(/ssl_certificate .*;/, `ssl_certificate ${certificate};`)
        .replace(/ssl_certificate_key .*;/, `ssl_certificate_key ${key};`);
    });
    const { exitCode, said } = await own.check();
    await own.stop();
    expect(said).not.toMatch(/warn|emerg/);
    expect(exitCode).toBe(0);
  });

  test("both examples hand the same on", () => {
    const location = (name: string) =>
      /location \/ \{([^}]*)\}/
        .exec(read(name))?.[1]
        ?.split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("#"));
    expect(location("latchkey.conf")).toEqual(location("compose.conf") ?? []);
    expect(location("latchkey.conf")).not.toBeEmpty();
  });

  describe("three instances behind nginx", () => {
    const running = new Running();
    const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));
    afterAll(async () => {
      await Promise.all(programs.map((program) => program.app.stop(0)));
      await balancer.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const start = starter(`sqlite:///${join(folder, "test.db")}`, running);
    const programs: TestProgram[] = [];
    let balancer: Nginx;
    let origin: string;

    beforeAll(async () => {
      const names = ["one", "two", "three"];
      let conf = read("compose.conf");
      for (const name of names) {
        const program = await start({ TRUST_PROXY: "1", RATE_LIMIT_REFRESH: "2/minute" });
        const { url } = program.app.listen({ host: "127.0.0.1", port: 0 });
        programs.push(program);
        conf = conf.replace(`server ${name}:8000`, `server 127.0.0.1:${url.port}`);
      }
      const port = await freePort();
      origin = `http://127.0.0.1:${port}`;
      balancer = nginx(() => conf.replace("listen 8080", `listen 127.0.0.1:${port}`));
      await balancer.start(port);
    });

    const refresh = (headers: Readonly<Record<string, string>> = {}) =>
      fetch(`${origin}/api/v1/users/refresh`, { method: "POST", headers });

    test("each of them gets requests, under an id that both logs name", async () => {
      const ids: string[] = [];
      for (let i = 0; i < 9; i += 1) {
        const answer = await fetch(`${origin}/health`);
        expect(answer.status).toBe(200);
        ids.push(answer.headers.get("x-request-id") ?? "");
      }
      for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
      for (const program of programs) {
        expect(ids.filter((id) => program.log.some((line) => line.includes(id)))).toHaveLength(3);
      }
    });

    test("its own pages may use their cookies, those of other hosts not", async () => {
      expect((await refresh({ origin })).status).toBe(401);
      expect((await refresh({ origin: "http://127.0.0.1:1" })).status).toBe(403);
    });

    test("S28 whatever a client claims to have been forwarded for, it is limited by its own address", async () => {
      const statuses = new Set<number>();
      for (let i = 0; i < 9; i += 1) {
        statuses.add((await refresh({ "x-forwarded-for": `203.0.113.${i}` })).status);
      }
      expect(statuses).toContain(429);
      const lines = programs.flatMap(({ log }) => log);
      expect(lines.some((line) => line.includes("203.0.113."))).toBe(false);
      expect(lines.some((line) => line.includes('"client":"127.0.0.1"'))).toBe(true);
    });

    test("what is for operators stays inside", async () => {
      for (const path of [
        "/metrics",
        "/metrics/",
        "//metrics",
        "/metrics//",
        "/metrics/.",
        "/x/../metrics/",
        "/metrics%2f",
      ]) {
        const { received } = await exchange(origin, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        expect([path, statuses(received)]).toEqual([path, [404]]);
        expect([path, /^x-request-id:/im.test(received)]).toEqual([path, false]);
      }
    });

    test("a body that is too large is refused in the words of the surface", async () => {
      const answer = await fetch(`${origin}/api/v1/users/register`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ email: "a".repeat(2 * 1024 * 1024), password: "" }),
      });
      expect(answer.status).toBe(413);
      expect(await answer.json()).toEqual({ detail: expect.any(String) });
    });

    test("while one is stopped, no request fails", async () => {
      const [first] = programs;
      let isStopping = true;
      const statuses: number[] = [];
      const traffic = Array.from({ length: 4 }, async () => {
        while (isStopping) statuses.push((await fetch(`${origin}/health`)).status);
      });
      await Bun.sleep(50);
      first?.announceStop();
      await first?.app.stop(2_000);
      await Bun.sleep(200);
      isStopping = false;
      await Promise.all(traffic);
      expect(statuses.length).toBeGreaterThan(50);
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
    });
  });
}
