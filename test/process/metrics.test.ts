import { expect, test } from "bun:test";
import { freePort } from "../support/ports.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";

test("METRICS_PORT is told at the start, serves, and is given back at the stop", async () => {
  const folder = scratchFolder();
  const port = await freePort();
  const settings = { METRICS_PORT: String(port) };
  const server = await serve(folder, settings);
  await server.printed(`http://127.0.0.1:${port}/metrics`);
  await fetch(`${server.url}/health`);
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(text).toContain('latchkey_http_requests_total{method="GET",route="/health",status="200"} 1');
  expect((await fetch(`${server.url}/metrics`)).status).toBe(404);

  const second = await latchkey(["serve"], {
    cwd: scratchFolder(),
    settings: { PORT: "0", HOST: "127.0.0.1", ...settings },
  });
  expect(second.exitCode).toBe(69);
  expect(second.stderr).toContain("see HOST, PORT and METRICS_PORT");

  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  const third = await serve(folder, settings);
  third.kill("SIGTERM");
  expect(await third.exited).toBe(0);
});
