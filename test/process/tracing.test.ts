import { expect, test } from "bun:test";
import { join } from "node:path";
import { startCollector } from "../support/collector.ts";
import { eventually } from "../support/eventually.ts";
import { scratchFolder, serve } from "../support/process.ts";

const TODOS = "/api/v1/todos";

test("a collector is fed by the real program, with the last spans at its end", async () => {
  const collector = startCollector();
  const server = await serve(scratchFolder(), {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20of-the-collector",
  });
  const asked = await Promise.all(Array.from({ length: 50 }, () => fetch(`${server.url}${TODOS}`)));
  const traces = asked.map(({ headers }) => headers.get("traceresponse")?.slice(3, 35) ?? "");
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(collector.problems).toEqual([]);
  const told = collector.spans.filter(({ name }) => name === `GET ${TODOS}`).map(({ traceId }) => traceId);
  expect(told.toSorted()).toEqual(traces.toSorted());
  expect(collector.resource.get("service.name")).toBe("latchkey");
  expect(collector.headers.get("authorization")).toBe("Bearer of-the-collector");
  expect(server.output()).not.toContain("of-the-collector");
  await collector.stop();
});

test("a collector that hangs delays no request, and the end for no longer than it may", async () => {
  const collector = startCollector();
  collector.instead = "hang";
  const server = await serve(scratchFolder(), { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  for (let count = 0; count < 20; count += 1) expect((await fetch(`${server.url}/health`)).status).toBe(200);
  await eventually(() => expect(collector.asked).toBeGreaterThan(0));
  const startedMs = performance.now();
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(performance.now() - startedMs).toBeLessThan(500);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
  expect(performance.now() - startedMs).toBeWithin(2_500, 8_000);
  expect(server.output()).toContain("tracing.lost");
  await collector.stop();
}, 20_000);

/** What a program has loaded by the time it is put together, as paths below src. */
async function loaded(settings: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const src = join(import.meta.dir, "../../src");
  const script = `
    const { loadConfigFromProcess } = await import("${src}/config.ts");
    const { assemble } = await import("${src}/program.ts");
    const { monotonicClock, systemClock } = await import("${src}/core/clock.ts");
    const { silentLog } = await import("${src}/core/log.ts");
    const { config } = loadConfigFromProcess();
    const clocks = { clock: systemClock, steadyClock: monotonicClock };
    const program = await assemble(config, { ...clocks, log: silentLog, secret: "x".repeat(32) });
    await program.close();
    console.log(JSON.stringify(Object.keys(require.cache).filter((file) => file.startsWith("${src}"))));
    process.exit(0);`;
  const child = Bun.spawn([process.execPath, "--no-env-file", "-e", script], {
    cwd: scratchFolder(),
    env: { PATH: process.env["PATH"] ?? "", ...settings },
    stdout: "pipe",
  });
  const files: readonly string[] = JSON.parse(await child.stdout.text());
  return files.map((file) => file.slice(src.length + 1));
}

test("nothing of tracing is loaded where nobody asked for it", async () => {
  const without = await loaded({});
  expect(without).toContain("program.ts");
  expect(without.filter((file) => file.startsWith("tracing/"))).toEqual([]);
  const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
  expect(await loaded(collector)).toContain("tracing/tracer.ts");
});
