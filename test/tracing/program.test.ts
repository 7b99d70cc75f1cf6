import { afterAll, beforeAll, expect, test } from "bun:test";
import { exchange, statuses } from "../faults/wire.ts";
import { type Collector, type CollectedSpan, startCollector } from "../support/collector.ts";
import { eventually } from "../support/eventually.ts";
import { forEachEngine, type TestProgram } from "../support/program.ts";
import { hasRedisServer, redisServer } from "../support/redis-server.ts";
import { S3_KEY, startS3 } from "../support/s3-server.ts";
import { PASSWORD, someone } from "../support/someone.ts";
import type { Someone } from "../support/someone.ts";

const CALLER_SPAN = "b7ad6b7169203331";
const newTrace = () => crypto.randomUUID().replaceAll("-", "");
const traceparent = (trace: string, flags = "01") => ({ traceparent: `00-${trace}-${CALLER_SPAN}-${flags}` });
const LOGIN = "/auth/login";

forEachEngine("requests that are traced", (start, engine) => {
  let collector: Collector;
  let program: TestProgram;
  let ada: Someone;

  beforeAll(async () => {
    collector = startCollector();
    program = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_RESOURCE_ATTRIBUTES: "service.name=shadowed,deployment.environment.name=test%20bed",
      OTEL_SERVICE_NAME: "todos",
      RATE_LIMIT_ENABLED: "false",
    });
    ada = await someone(program, "user");
  });

  afterAll(async () => {
    await program.close();
    await collector.stop();
  });

  /** All spans of a trace, once those of its requests have come: each is the last of its own to end. */
  async function spansOf(trace: string, requests = 1): Promise<readonly CollectedSpan[]> {
    const spans = () => collector.spans.filter(({ traceId }) => traceId === trace);
    await eventually(() => expect(spans().filter(({ kind }) => kind === 2)).toHaveLength(requests));
    return spans();
  }

  const named = (spans: readonly CollectedSpan[], name: string) => spans.filter((span) => span.name === name);
  const only = (spans: readonly CollectedSpan[], name: string): CollectedSpan => {
    const [span, ...others] = named(spans, name);
    if (span === undefined || others.length > 0) throw new Error(`${others.length} others called ${name}`);
    return span;
  };

  test("are spans of a server, below the caller's", async () => {
    const trace = newTrace();
    const answer = await ada.client.get("/api/v1/todos/7?access_token=hunter2", {
      token: ada.token,
      headers: { ...traceparent(trace), tracestate: "vendor=1" },
    });
    expect(answer.status).toBe(404);
    const spans = await spansOf(trace);
    const server = only(spans, "GET /api/v1/todos/:todo_id");
    expect(server).toMatchObject({
      parentSpanId: CALLER_SPAN,
      traceState: "vendor=1",
      flags: 0x301,
      kind: 2,
      isError: false,
    });
    expect(Object.fromEntries(server.attributes)).toEqual({
      "http.request.method": "GET",
      "http.route": "/api/v1/todos/:todo_id",
      "http.response.status_code": 404,
      "url.path": "/api/v1/todos/7",
      "url.scheme": "http",
      "client.address": ada.client.address,
      "latchkey.request_id": answer.headers.get("x-request-id"),
    });
    expect(answer.headers.get("traceresponse")).toBe(`00-${trace}-${server.spanId}-01`);
    expect(server.endNs).toBeGreaterThan(server.startNs);
    expect(server.startNs / 1_000_000n).toBe(BigInt(program.clock.nowMs()));
    expect(collector.problems).toEqual([]);
    expect(Object.fromEntries(collector.resource)).toMatchObject({
      "service.name": "todos",
      "service.version": expect.any(String),
      "deployment.environment.name": "test bed",
    });
  });

  test("have their statements below them, with their text and without their values", async () => {
    const trace = newTrace();
    await ada.client.get("/api/v1/todos/123456789", { token: ada.token, headers: traceparent(trace) });
    const spans = await spansOf(trace);
    const server = only(spans, "GET /api/v1/todos/:todo_id");
    const statement = only(spans, "SELECT todos");
    expect(statement).toMatchObject({ parentSpanId: server.spanId, kind: 3, isError: false, flags: 0x101 });
    expect(Object.fromEntries(statement.attributes)).toMatchObject({
      "db.system.name": engine === "sqlite" ? "sqlite" : "postgresql",
      "db.operation.name": "SELECT",
      "db.collection.name": "todos",
    });
    const text = String(statement.attributes.get("db.query.text"));
    expect(text).toContain("$1");
    expect(text).not.toContain("123456789");
    expect(statement.startNs).toBeGreaterThanOrEqual(server.startNs);
    expect(statement.endNs).toBeLessThanOrEqual(server.endNs);
  });

  test("have each its own writes, also where one commit keeps those of many", async () => {
    const traces = Array.from({ length: 20 }, newTrace);
    const answers = await Promise.all(
      traces.map((trace, number) =>
        ada.client.post(
          "/api/v1/todos",
          { title: `todo ${number}` },
          {
            token: ada.token,
            headers: traceparent(trace),
          },
        ),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(traces.map(() => 200));
    for (const trace of traces) {
      const spans = await spansOf(trace);
      const server = only(spans, "POST /api/v1/todos");
      const write = only(spans, "write");
      expect(write.parentSpanId).toBe(server.spanId);
      expect(only(spans, "INSERT todos").parentSpanId).toBe(write.spanId);
    }
  });

  test("tell how long a password waited and how long it took", async () => {
    const trace = newTrace();
    const form = { username: ada.username, password: PASSWORD };
    await program.client().post(LOGIN, undefined, { form, headers: traceparent(trace) });
    const spans = await spansOf(trace);
    const verify = only(spans, "password verify");
    const hashing = only(spans, "password hashing");
    expect(verify.parentSpanId).toBe(only(spans, "POST /auth/login").spanId);
    expect(hashing.parentSpanId).toBe(verify.spanId);
    expect(hashing.startNs).toBeGreaterThanOrEqual(verify.startNs);
  });

  test("S15 S39 tell no secret and no name", async () => {
    const trace = newTrace();
    const headers = {
      ...traceparent(trace),
      cookie: "refresh_token=cookie-secret",
      "user-agent": "agent-secret",
    };
    const password = "password-secret";
    await program.client().post(LOGIN, undefined, { form: { username: ada.username, password }, headers });
    await ada.client.get(`/users/me?token=${ada.token}`, { token: ada.token, headers });
    await ada.client.get(`/nowhere/${ada.token}`, { headers });
    await ada.client.get(`/api/v1/todos/path-secret`, { token: ada.token, headers });
    await ada.client.post("/api/v1/todos", { title: "title-secret" }, { token: ada.token, headers });
    const spans = await spansOf(trace, 5);
    const told = Bun.inspect(
      spans.map(({ attributes, name }) => [name, ...attributes]),
      { depth: 9 },
    );
    expect(told).toContain("/users/me");
    for (const secret of [ada.token, ada.username, PASSWORD, "-secret"]) {
      expect(told).not.toContain(secret);
    }
  });

  test("are named in every line of the log that is about them", async () => {
    const trace = newTrace();
    const form = { username: ada.username, password: "wrong" };
    await program.client().post(LOGIN, undefined, { form, headers: traceparent(trace) });
    const lines: readonly { event: string; traceId?: string }[] = program.log.map((line) => JSON.parse(line));
    const events = lines.filter(({ traceId }) => traceId === trace).map(({ event }) => event);
    expect(events).toEqual(expect.arrayContaining(["login.refused", "request"]));
  });

  test("begin a trace of their own where nobody, or nobody sound, has", async () => {
    for (const headers of [
      {},
      { traceparent: `00-${"0".repeat(32)}-${CALLER_SPAN}-01`, tracestate: "a=1" },
    ]) {
      const answer = await ada.client.get("/health", { headers });
      const [, trace = "", span] = answer.headers.get("traceresponse")?.split("-") ?? [];
      expect(trace).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
      const [server, ...others] = await spansOf(trace);
      expect(others).toEqual([]);
      expect(server).toMatchObject({ spanId: span, flags: 0x101 });
      expect([server?.parentSpanId, server?.traceState]).toEqual([undefined, undefined]);
    }
  });

  test("that name no host there can be are refused, and told like others", async () => {
    const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, RATE_LIMIT_ENABLED: "false" };
    const listening = await start(settings);
    const { origin } = listening.app.listen({ host: "127.0.0.1", port: 0 }).url;
    const asked = ["a:99999", "[::", "1.2.3.999", "a b"].map((host) => ({ host, trace: newTrace() }));
    for (const { host, trace } of asked) {
      const head = [
        "GET /health HTTP/1.1",
        `Host: ${host}`,
        `traceparent: ${traceparent(trace).traceparent}`,
      ];
      const { received } = await exchange(origin, `${head.join("\r\n")}\r\n\r\n`);
      expect([host, statuses(received)]).toEqual([host, [400]]);
    }
    for (const { host, trace } of asked) {
      const [server] = await spansOf(trace);
      expect([host, server?.attributes.get("http.response.status_code")]).toEqual([host, 400]);
    }
    expect(listening.log.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    await listening.app.stop(0);
    await listening.close();
  });

  test("that the database refuses are told by the kind of the error, and not by its words", async () => {
    const trace = newTrace();
    const taken = { email: "again@example.com", username: "again", password: PASSWORD };
    const register = (headers: Record<string, string>) =>
      program.client().post("/api/v1/auth/register", taken, { headers });
    await register({});
    expect((await register(traceparent(trace))).status).toBe(400);
    const spans = await spansOf(trace);
    const types = spans
      .map(({ attributes }) => attributes.get("error.type"))
      .filter((type) => type !== undefined);
    expect(new Set(types)).toEqual(new Set(["UniqueViolation"]));
  });

  test("that fail are errors", async () => {
    const failing = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    await failing.database.close();
    const trace = newTrace();
    const answer = await failing.client().get("/api/v1/users/me", {
      token: ada.token,
      headers: traceparent(trace),
    });
    expect(answer.status).toBe(503);
    const spans = await spansOf(trace);
    const server = only(spans, "GET /api/v1/users/me");
    expect([server.isError, server.attributes.get("error.type")]).toEqual([true, "503"]);
    const told = failing.log.find((line) => line.includes(trace) && line.includes("database is closed"));
    expect(JSON.parse(told ?? "{}")).toMatchObject({ level: "error", traceId: trace });
    const failed = spans.filter(({ kind, isError }) => kind === 3 && isError);
    expect(failed.map(({ attributes }) => attributes.get("error.type"))).toEqual(["unavailable"]);
    await failing.close();
  });

  test("of a caller who does not record are not recorded, and keep the caller's decision", async () => {
    const trace = newTrace();
    const answer = await ada.client.get("/api/v1/todos", {
      token: ada.token,
      headers: traceparent(trace, "00"),
    });
    expect(answer.headers.get("traceresponse")).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-00$`));
    const later = newTrace();
    await ada.client.get("/health", { headers: traceparent(later) });
    await spansOf(later);
    expect(collector.spans.filter(({ traceId }) => traceId === trace)).toEqual([]);
    const line: unknown = JSON.parse(program.log.findLast((each) => each.includes(trace)) ?? "{}");
    expect(line).toMatchObject({ event: "request", traceId: trace });
  });

  test("are the share that a sampler takes, whatever callers want", async () => {
    const none = await start({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0",
    });
    const trace = newTrace();
    await none.client().get("/health", { headers: traceparent(trace) });
    await none.close();
    expect(collector.spans.filter(({ traceId }) => traceId === trace)).toEqual([]);
  });

  test("are counted for Prometheus", async () => {
    const counted = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      METRICS_TOKEN: "a-token-to-count",
    });
    await counted.client().get("/health");
    const read = async () =>
      String((await counted.client().get("/metrics", { token: "a-token-to-count" })).body);
    await eventually(async () => expect(await read()).toMatch(/^latchkey_trace_spans_sent_total [1-9]/m));
    expect(await read()).toMatch(/^latchkey_trace_spans_dropped_total 0$/m);
    await counted.close();
  });

  test("are nothing at all where nobody asked for it", async () => {
    const untraced = await start();
    const trace = newTrace();
    const answer = await untraced.client().get("/health", { headers: traceparent(trace) });
    expect(answer.headers.has("traceresponse")).toBe(false);
    expect(untraced.log.join("\n")).not.toContain(trace);
  });

  test("are told to the server of the bucket, whose address is told to nobody", async () => {
    const s3 = startS3("pictures");
    const { accessKeyId, secretAccessKey } = S3_KEY;
    const inBucket = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      UPLOAD_URL: "s3://pictures",
      S3_ENDPOINT: s3.url,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
    });
    const trace = newTrace();
    const path = `/uploads/${"a".repeat(32)}.png`;
    await inBucket.client().get(path, { headers: { ...traceparent(trace), tracestate: "vendor=1" } });
    const spans = await spansOf(trace);
    const asking = only(spans, "GET");
    expect(asking).toMatchObject({ kind: 3, isError: true, flags: 0x101 });
    expect(Object.fromEntries(asking.attributes)).toEqual({
      "http.request.method": "GET",
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(s3.url).port),
      "http.response.status_code": 404,
      "error.type": "404",
    });
    expect(s3.headers.get("traceparent")).toBe(`00-${trace}-${asking.spanId}-01`);
    expect(s3.headers.get("tracestate")).toBe("vendor=1");
    await Promise.all([inBucket.close(), s3.stop()]);
  });

  test.if(hasRedisServer())("tell what was asked of Redis, and that it gave no answer", async () => {
    const redis = await redisServer();
    await redis.start();
    const limited = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, REDIS_URL: redis.url });
    try {
      const asked = async () => {
        const trace = newTrace();
        await limited.client().post("/api/v1/users/refresh", undefined, { headers: traceparent(trace) });
        return named(await spansOf(trace), "EVAL");
      };
      const [answered] = await asked();
      expect(answered).toMatchObject({ kind: 3, isError: false });
      expect(answered?.attributes.get("db.system.name")).toBe("redis");
      redis.freeze();
      const [unanswered] = await asked();
      expect(unanswered).toMatchObject({ isError: true });
      redis.thaw();
      const back = () => limited.log.find((line) => line.includes("redis.back")) ?? "";
      await eventually(() => expect(back()).not.toBe(""));
      // Found by a timer that a request has set, which was answered long ago.
      expect(back()).not.toContain("traceId");
    } finally {
      await limited.close();
      await redis.destroy();
    }
  });
});
