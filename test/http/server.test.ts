import { expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { monotonicClock } from "../../src/core/clock.ts";
import type { LogFields } from "../../src/core/log.ts";
import { createServer } from "../../src/http/server.ts";
import { exchange, statuses } from "../faults/wire.ts";
import { eventually } from "../support/eventually.ts";
import { listening } from "../support/listening.ts";
import { scratchFolder } from "../support/process.ts";
import { starter } from "../support/program.ts";
import { signUp } from "../surfaces/api-v1/people.ts";

const start = starter(`sqlite:///${join(scratchFolder(), "app.db")}`);
const serving = listening(start);

test("S36 what throws around an answer is told to the operator, and to the client as any mistake of ours is", async () => {
  const { core, app } = await start();
  const told: unknown[] = [];
  const tell = (event: string, fields?: LogFields, cause?: unknown) =>
    void told.push([event, fields?.["request"], cause]);
  const mistake = new Error("thrown around the answer");
  const server = createServer({
    surfaces: app.surfaces,
    fallback: app.fallback,
    services: {
      authentication: core.authentication,
      idempotency: core.idempotency,
      limits: null,
      cors: { origins: [] },
      clock: monotonicClock,
      ownOrigin: null,
      basePath: "",
    },
    policy: { requestTimeoutMs: 1_000, trustedProxies: 0, strictTransport: false },
    log: { debug: tell, info: tell, warning: tell, error: tell },
    follow: () => Promise.reject(mistake),
  });
  const { url } = server.listen({ host: "127.0.0.1", port: 0 });
  try {
    const answer = await fetch(new URL("/health", url));
    expect(answer.status).toBe(500);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await answer.text()).not.toContain(mistake.message);
    const id = answer.headers.get("x-request-id");
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(told).toEqual([["request.internal", id, mistake]]);
  } finally {
    await server.stop(0);
  }
});

test("HEAD answers as GET does, with the length of a body that does not come", async () => {
  const { program, origin } = serving();
  const { client, token } = await signUp(program);
  const { id } = Object((await client.post("/api/v1/todos", { title: "Milk" }, { token })).body);
  for (const path of ["/api/v1/todos", `/api/v1/todos/${id}`]) {
    const asked = (method: string, connection: string) =>
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
      `Connection: ${connection}\r\n\r\n`;
    const { received } = await exchange(origin, asked("HEAD", "keep-alive") + asked("GET", "close"));
    expect(statuses(received)).toEqual([200, 200]);
    const [head = "", get = "", body = "", ...more] = received.split("\r\n\r\n");
    expect(more).toEqual([]);
    expect(body).toContain("Milk");
    const length = `content-length: ${body.length}`;
    for (const answer of [head, get]) expect(answer.toLowerCase()).toContain(length);
  }
});

test("S39 whoever resets the connection behind a request has nothing done for them, as from nowhere", async () => {
  const { program, origin } = serving();
  const { email } = await signUp(program);
  const body = JSON.stringify({ email, password: "wrongpassword" });
  const request =
    "POST /api/v1/users/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
    `Content-Length: ${body.length}\r\n\r\n${body}`;
  const before = program.log.length;
  for (let time = 0; time < 20; time += 1) await sendAndReset(new URL(origin), request);
  await eventually(() => expect(eventsSince(before)).toContainEqual(["request.abandoned", undefined]));
  const judged = eventsSince(before).filter(([event]) => event === "login.refused" || event === "request");
  for (const told of judged) expect(told).toEqual([expect.any(String), "127.0.0.1"]);

  function eventsSince(line: number): readonly (readonly [event: string, client: string | undefined])[] {
    return program.log.slice(line).map((text) => {
      const { event, client } = JSON.parse(text);
      return [event, client];
    });
  }
});

/** Closes with `RST`, at which the system forgets whom the connection was with. */
function sendAndReset({ hostname, port }: URL, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(request, () => {
        socket.resetAndDestroy();
        resolve();
      });
    });
    socket.on("error", reject);
  });
}
