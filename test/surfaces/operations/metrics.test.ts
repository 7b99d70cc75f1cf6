import { expect, test } from "bun:test";
import { HOUR_MS } from "../../../src/core/clock.ts";
import { field, textField } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import { findPromtool } from "../../support/needed.ts";
import { newEmail, PASSWORD, signUp, signUpByName } from "../api-v1/people.ts";

const TOKEN = "a-token-for-whoever-gathers-metrics-x7Qp2";
const LOGIN = "/api/v1/users/login";
const promtool = findPromtool();

async function metricsOf(program: TestProgram): Promise<string> {
  const answer = await program.client().get("/metrics", { token: TOKEN });
  expect(answer.status).toBe(200);
  return String(answer.body);
}

/** The value of a series as it stands in the text; 0 where there is none. */
function valueOf(text: string, series: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

forEachEngine("metrics", (start, engine) => {
  const program = shared(start, {
    METRICS_TOKEN: TOKEN,
    MAX_LOGIN_ATTEMPTS: "2",
    RATE_LIMIT_LOGIN: "4/minute",
  });

  /** By how much each series grew while `work` ran. */
  async function growth(series: readonly string[], work: () => Promise<unknown>): Promise<readonly number[]> {
    const before = await metricsOf(program());
    await work();
    const after = await metricsOf(program());
    return series.map((each) => valueOf(after, each) - valueOf(before, each));
  }

  test("are what Prometheus reads, of the type that it asks for", async () => {
    await signUp(program());
    const { headers, body } = await program().client().get("/metrics", { token: TOKEN });
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    if (promtool === null) return;
    const checking = Bun.spawn([promtool, "check", "metrics"], {
      stdin: new Blob([String(body)]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await checking.stdout.text()) + (await checking.stderr.text());
    expect({ said, code: await checking.exited }).toEqual({ said: "", code: 0 });
  });

  test.each([
    ["no token", undefined],
    ["a wrong token", `${TOKEN.slice(0, -1)}3`],
    ["the beginning of the token", TOKEN.slice(0, 10)],
  ])("there is nothing for %s", async (_, token) => {
    const unknown = await program().client().get("/nothing-is-here", { token });
    const refused = await program().client().get("/metrics", { token });
    expect(refused.status).toBe(404);
    expect(refused.body).toEqual(unknown.body);
    expect([...refused.headers.keys()]).toEqual([...unknown.headers.keys()]);
  });

  test("there is nothing where no setting asks for it, nor beside a port of its own", async () => {
    for (const settings of [{}, { METRICS_PORT: "0", METRICS_TOKEN: TOKEN }]) {
      const other = await start(settings);
      expect((await other.client().get("/metrics", { token: TOKEN })).status).toBe(404);
    }
  });

  test("a port of its own asks for no token, and serves nothing else", async () => {
    const other = await start({ METRICS_PORT: "0" });
    const { metricsApp } = other;
    if (metricsApp === null) throw new Error("there is no app for METRICS_PORT");
    await other.client().get("/health");
    const { url } = metricsApp.listen({ host: "127.0.0.1", port: 0 });
    const answer = await fetch(`${url.origin}/metrics`);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(
      'latchkey_http_requests_total{method="GET",route="/health",status="200"} 1',
    );
    for (const path of ["/", "/health", "/api/v1/users/me"]) {
      const elsewhere = await fetch(url.origin + path);
      expect(elsewhere.status).toBe(404);
      expect(await elsewhere.json()).toEqual({ detail: "Not Found" });
    }
    await metricsApp.stop(0);
  });

  test("requests are counted by template, whatever the path and the method said", async () => {
    const { client, token } = await signUp(program());
    const one = 'method="GET",route="/api/v1/todos/:todo_id"';
    const grown = await growth(
      [
        `latchkey_http_requests_total{${one},status="200"}`,
        `latchkey_http_requests_total{${one},status="404"}`,
        `latchkey_http_request_duration_seconds_count{${one}}`,
        `latchkey_http_request_duration_seconds_bucket{${one},le="+Inf"}`,
        'latchkey_http_requests_total{method="other",route="/health",status="405"}',
      ],
      async () => {
        const { id } = Object((await client.post("/api/v1/todos", { title: "Milk" }, { token })).body);
        await client.get(`/api/v1/todos/${id}`, { token });
        for (const unknown of [987_654_321, 987_654_322])
          await client.get(`/api/v1/todos/${unknown}`, { token });
        for (const method of ["PROPFIND", "MKCOL"])
          await program().app.handle(new Request("http://localhost/health", { method }), "198.51.100.1");
      },
    );
    expect(grown).toEqual([1, 2, 3, 3, 2]);
    expect(await metricsOf(program())).not.toContain("98765432");
  });

  test("logins are counted by outcome, and lockouts and spent budgets too", async () => {
    const email = newEmail();
    const client = program().client();
    await client.post("/api/v1/users/register", { email, password: PASSWORD });
    const outcome = (of: string) => `latchkey_logins_total{realm="user",outcome="${of}"}`;
    const grown = await growth(
      [
        outcome("succeeded"),
        outcome("login_failed"),
        outcome("locked"),
        'latchkey_lockouts_total{realm="user"}',
        `latchkey_rate_limited_total{route="${LOGIN}"}`,
        "latchkey_password_hash_duration_seconds_count",
      ],
      async () => {
        for (const password of [PASSWORD, "wrong-password", "wrong-password", PASSWORD, PASSWORD, PASSWORD]) {
          await client.post(LOGIN, { email, password });
        }
      },
    );
    expect(grown).toEqual([1, 2, 1, 1, 2, 3]);
  });

  test("refreshes are counted, and a token that comes twice", async () => {
    const { client, tokens } = await signUpByName(program());
    const refresh = (refresh_token: string) => client.post("/api/v1/auth/refresh", { refresh_token });
    const grown = await growth(
      ["latchkey_session_refreshes_total", "latchkey_refresh_reuse_total"],
      async () => {
        const next = textField(await refresh(tokens.refresh), "refresh_token");
        await refresh(next);
        await refresh(tokens.refresh);
      },
    );
    expect(grown).toEqual([2, 1]);
  });

  test("the database's statements and writes are timed, and its connections counted", async () => {
    const { client, token } = await signUp(program());
    const [statements, writes] = await growth(
      [
        "latchkey_database_statement_duration_seconds_count",
        "latchkey_database_write_duration_seconds_count",
      ],
      () => client.post("/api/v1/todos", { title: "Milk" }, { token }),
    );
    expect(statements).toBeGreaterThan(0);
    expect(writes).toBe(1);
    const text = await metricsOf(program());
    const { max, idle } = {
      max: engine === "sqlite" ? 1 : 10,
      idle: 'latchkey_database_connections{state="idle"}',
    };
    expect(valueOf(text, "latchkey_database_connections_max")).toBe(max);
    expect(valueOf(text, idle)).toBeGreaterThan(0);
    expect(text).toContain(`database="${engine}"} 1`);
  });

  test("open sessions are counted, once a minute at most", async () => {
    const other = await start({ METRICS_TOKEN: TOKEN });
    const open = async () => valueOf(await metricsOf(other), "latchkey_sessions_open");
    const before = await open();
    const { client, token } = await signUp(other);
    expect(await open()).toBe(before);
    other.clock.forwardMs(60_000);
    expect(await open()).toBe(before + 1);
    expect((await client.post("/api/v1/users/logout", undefined, { token })).status).toBe(200);
    other.clock.forwardMs(60_000);
    expect(await open()).toBe(before);
  });

  test("what housekeeping removed, errors, and the process itself", async () => {
    await program().core.housekeeping.run();
    const text = await metricsOf(program());
    expect(text).toContain('latchkey_housekeeping_removed_total{task="sessions"} 0');
    expect(valueOf(text, "latchkey_housekeeping_last_run_timestamp_seconds")).toBe(
      program().clock.nowMs() / 1_000,
    );
    expect(valueOf(text, "process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    expect(valueOf(text, "process_cpu_seconds_total")).toBeGreaterThan(0);
  });

  test("housekeeping of which a task fails has not been done", async () => {
    const instance = await start({ METRICS_TOKEN: TOKEN });
    const lastRun = async () =>
      valueOf(await metricsOf(instance), "latchkey_housekeeping_last_run_timestamp_seconds");
    const rename = (from: string, to: string) =>
      instance.database.write((connection) => connection.run(`ALTER TABLE ${from} RENAME TO ${to}`));
    await instance.core.housekeeping.run();
    const done = await lastRun();
    instance.clock.forwardMs(HOUR_MS);
    await rename("login_attempts", "login_attempts_gone");
    await instance.core.housekeeping.run();
    await rename("login_attempts_gone", "login_attempts");
    expect(await lastRun()).toBe(done);
  });

  test("no name, address or token of anybody stands in them", async () => {
    const { email, token, client } = await signUp(program());
    await client.get("/api/v1/users/me", { token });
    const text = await metricsOf(program());
    for (const secret of [email, token, TOKEN, client.address, PASSWORD]) expect(text).not.toContain(secret);
    expect(field(await client.get("/health"), "status")).toBe("ok");
  });
});
