import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";

import { makeHealthcheckCommand } from "../../src/cli/healthcheck.ts";

const DEADLINE_MS = 200;
const servers: Bun.Server<undefined>[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

function serve(answer: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  servers.push(server);
  return server.url.origin;
}

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const exitCode = await makeHealthcheckCommand(DEADLINE_MS).run(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    isInteractive: false,
  });
  return { exitCode, out, err };
}

test("a server that is ready: exit code 0", async () => {
  const asked: string[] = [];
  const url = serve((request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return Response.json({ status: "ready" });
  });
  expect(await run("--url", url)).toEqual({
    exitCode: 0,
    out: [`${url}/health/readiness answers 200 {"status":"ready"}`],
    err: [],
  });
  expect(asked).toEqual(["GET /health/readiness"]);
});

test.each([503, 404, 500, 302, 204])("one that answers %d: exit code 1", async (status) => {
  const ready = serve(() => new Response("ready"));
  const url = serve(() => new Response(null, { status, headers: { location: ready } }));
  const { exitCode, out, err } = await run("--url", url);
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: [] });
  expect(err).toEqual([`${url}/health/readiness answers ${status}`]);
});

test("what stands before the host of an address is asked with, and not shown", async () => {
  const url = serve(
    (request) => new Response(null, { status: request.headers.has("authorization") ? 200 : 401 }),
  );
  const answered = await run("--url", url.replace("//", "//operator:hidden@"));
  expect(answered).toEqual({ exitCode: 0, out: [`${url}/health/readiness answers 200`], err: [] });
  const refused = await run("--url", "http://operator:hidden@127.0.0.1:1");
  expect(refused.err.join()).toMatch(/^http:\/\/127\.0\.0\.1:1\/health\/readiness does not answer/);
});

test("one that says more than a line is told in one", async () => {
  const url = serve(() => new Response(`a\r\nb\u001b[2J${"c".repeat(10_000)}`, { status: 503 }));
  const { err } = await run("--url", url);
  expect(err).toHaveLength(1);
  expect(err[0]).toMatch(/answers 503 a b \[2Jc+$/);
  expect(err[0]?.length).toBeLessThan(300);
});

test("one that nobody runs: exit code 1", async () => {
  const url = serve(() => new Response());
  for (const server of servers.splice(0)) await server.stop(true);
  const { exitCode, err } = await run("--url", url);
  expect(exitCode).toBe(1);
  expect(err[0]).toStartWith(`${url}/health/readiness does not answer`);
});

test("one whose answer is cut off: exit code 1", async () => {
  const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write(half);
        socket.end();
      },
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  const { exitCode, out, err } = await run("--url", url);
  server.stop(true);
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: [] });
  expect(err).toEqual([expect.stringContaining(`${url}/health/readiness does not answer`)]);
});

test.each([
  ["never answers", () => new Promise<Response>(() => {})],
  ["never ends its answer", () => new Response(new ReadableStream({ pull: (to) => to.enqueue("x") }))],
])("one that %s is waited for no longer than the deadline", async (_, answer) => {
  const url = serve(answer);
  const startedAtMs = performance.now();
  const { exitCode, err } = await run("--url", url);
  expect(performance.now() - startedAtMs).toBeLessThan(10 * DEADLINE_MS);
  expect({ exitCode, err }).toEqual({
    exitCode: 1,
    err: [`${url}/health/readiness does not answer within ${DEADLINE_MS} ms`],
  });
});

test.each([[["--url", "ftp://a"]], [["--url", "word"]], [["--url"]], [["word"]]])(
  "%j is not understood: exit code 64",
  async (args) => {
    const { exitCode, err } = await run(...args);
    expect(exitCode).toBe(64);
    expect(err[1]).toStartWith("usage: latchkey healthcheck");
  },
);

/** A process of its own, since what is tested is what a process is given. */
const PROBE = `
import { healthcheckCommand } from ${JSON.stringify(join(import.meta.dir, "../../src/cli/healthcheck.ts"))};
const terminal = { out: console.log, err: console.error, isInteractive: false };
process.exit(await healthcheckCommand.run([], terminal));
`;

async function inProcess(env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, "-e", PROBE], { env, cwd: "/", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { exitCode: await child.exited, out, err };
}

test("without --url it asks where the settings say, whatever proxy there is", async () => {
  const PORT = new URL(serve(() => new Response("ready"))).port;
  const elsewhere = serve(() => new Response("a proxy", { status: 502 }));
  const proxies = { HTTP_PROXY: elsewhere, http_proxy: elsewhere };
  for (const HOST of ["0.0.0.0", "::", "127.0.0.1"]) {
    const { exitCode, out } = await inProcess({ HOST, PORT, ...proxies });
    expect({ exitCode, out }).toEqual({
      exitCode: 0,
      out: `http://127.0.0.1:${PORT}/health/readiness answers 200 ready\n`,
    });
  }
});

test("without --url an address of version 6 is asked as such, be it there or not", async () => {
  const { out, err } = await inProcess({ HOST: "::1", PORT: "1" });
  expect(out + err).toStartWith("http://[::1]:1/health/readiness does not answer");
});

test("without --url a mistake in the settings is told: exit code 78, and PORT=0 is refused: 64", async () => {
  expect(await inProcess({ PORT: "x" })).toMatchObject({
    exitCode: 78,
    err: expect.stringMatching(/^PORT: /),
  });
  expect((await inProcess({ PORT: "0" })).exitCode).toBe(64);
});
