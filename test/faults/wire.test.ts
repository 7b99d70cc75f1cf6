import { describe, expect, test } from "bun:test";
import { scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";
import { signUp, UNLIMITED } from "./people.ts";
import { exchange, openWire, statuses } from "./wire.ts";

const LOGIN = "/api/v1/users/login";
const HEALTH = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
/** The last one on its connection. */
const NOWHERE = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/** A login's request with these headers, and `body` as it is. */
function login(headers: readonly string[], body: string): string {
  const lines = [`POST ${LOGIN} HTTP/1.1`, "Host: x", "Content-Type: application/json", ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

const CHUNKED = "Transfer-Encoding: chunked";

interface Told {
  readonly name: string;
  readonly received: string;
  readonly isOpen: boolean;
  /** The status codes that came back, in order. */
  readonly got: string;
}

/** Those that were answered otherwise, all at once, so that a failure shows each of them. */
function unlike(told: readonly Told[], isRight: (one: Told) => boolean): readonly string[] {
  return told
    .filter((one) => !isRight(one))
    .map(({ name, got, isOpen }) => `${name}: ${got}, connection ${isOpen ? "open" : "closed"}`);
}

describe("on the wire", () => {
  /** Each sent on a connection of its own; answers what came back, by its name. */
  async function answers(
    server: ServerProcess,
    requests: Readonly<Record<string, string | Uint8Array>>,
  ): Promise<readonly Told[]> {
    const asked = Object.entries(requests).map(async ([name, bytes]) => {
      const { received, isOpen } = await exchange(server.url, bytes);
      return { name, received, isOpen, got: statuses(received).join(" ") };
    });
    return Promise.all(asked);
  }

  async function isAsBefore(server: ServerProcess): Promise<void> {
    expect((await fetch(`${server.url}/health/readiness`)).status).toBe(200);
  }

  test("S24 no host, however strange, shifts the path or gets around a guard", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const hosts = [
      "a",
      "a b",
      "a/b",
      "a/health?",
      "a/health#",
      "a@b",
      "a\\b",
      "[::1",
      "a:x",
      "",
      "\u00e4",
      "a\r\nHost: b",
    ];
    const paths = Array.from({ length: 16 }, (_, length) => `/${"x".repeat(length)}/api/v1/users/me`);
    const asked = hosts.flatMap((host) =>
      paths.map((path) => [`${host} ${path}`, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`] as const),
    );
    const told = await answers(server, Object.fromEntries(asked));
    expect(unlike(told, ({ got }) => got === "400" || got === "404")).toEqual([]);

    // A load balancer's plainest question.
    const plain = await answers(server, {
      right: "GET /health HTTP/1.0\r\n\r\n",
      shifted: "GET /xxxxxx/health HTTP/1.0\r\n\r\n",
      body: login(["Content-Length: 2"], "{}").replace("HTTP/1.1\r\nHost: x", "HTTP/1.0"),
    });
    expect(plain.map(({ got }) => got)).toEqual(["200", "404", "422"]);
  }, 20_000);

  test("S24 S26 a request has one host, and a valid one", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const refused = await answers(server, {
      none: "GET /health HTTP/1.1\r\n\r\n",
      two: "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "with a space": "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n",
      "with a path": "GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "with a user": "GET /health HTTP/1.1\r\nHost: a@b\r\n\r\n",
      ...Object.fromEntries(
        ["a:99999", "a:b:c", "[::", "a%zz", "1.2.3.999", "xn--", ":80"].map((host) => [
          `no address: ${host}`,
          // A route that makes addresses of its own from it.
          `GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
        ]),
      ),
    });
    expect(unlike(refused, ({ got }) => got === "400")).toEqual([]);
    const taken = await answers(server, {
      name: "GET /health HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
      port: "GET /health HTTP/1.1\r\nHost: my_host-1:8080\r\n\r\n",
      address: "GET /health HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
      "the whole address": "GET http://evil.example/health HTTP/1.1\r\nHost: a\r\n\r\n",
    });
    expect(unlike(taken, ({ got }) => got === "200")).toEqual([]);
  });

  test("S28 a request that names no host is its client's all the same", async () => {
    const server = await serve(scratchFolder(), { ...UNLIMITED, LOG_LEVEL: "INFO" });
    const { received } = await exchange(server.url, "GET /health HTTP/1.0\r\nX-Request-Id: no-host\r\n\r\n");
    expect(statuses(received)).toEqual([200]);
    await server.printed("request=no-host");
    expect(server.output()).toMatch(/request=no-host .*client=127\.0\.0\.1/);
  });

  test("S25 what two readers could read in two ways is refused, and its connection closed", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const smuggled = `0\r\n\r\n${NOWHERE}`;
    const chunk = "2\r\n{}\r\n0\r\n\r\n";
    const refused = await answers(server, {
      "length and chunks": login(["Content-Length: 5", CHUNKED], smuggled),
      "chunks and length": login([CHUNKED, "Content-Length: 5"], smuggled),
      "two lengths": login(["Content-Length: 2", "Content-Length: 3"], "{}G"),
      "a list of lengths": login(["Content-Length: 2, 2"], "{}"),
      "a negative length": login(["Content-Length: -1"], "{}"),
      "a length with a sign": login(["Content-Length: +2"], "{}"),
      "a hexadecimal length": login(["Content-Length: 0x2"], "{}"),
      "an empty length": login(["Content-Length: "], "{}"),
      "a length beyond all numbers": login(["Content-Length: 99999999999999999999"], "{}"),
      "another coding": login(["Transfer-Encoding: gzip"], "{}"),
      "another coding before": login(["Transfer-Encoding: gzip, chunked"], chunk),
      "another coding after": login(["Transfer-Encoding: chunked, identity"], chunk),
      "a coding with a letter more": login(["Transfer-Encoding: xchunked"], chunk),
      "a coding behind a control character": login(["Transfer-Encoding: \u000bchunked"], chunk),
      "two codings": login([CHUNKED, "Transfer-Encoding: identity"], chunk),
      "a space before the colon": login(["Transfer-Encoding : chunked"], chunk),
      "a folded header": login(["X: y\r\n z", "Content-Length: 2"], "{}"),
      "bare line feeds": `POST ${LOGIN} HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}`,
      "a bare line feed between headers": login(["X: y\nContent-Length: 2"], "{}"),
      "a NUL in a header": login(["X: a\0b", "Content-Length: 2"], "{}"),
      "a chunk of no size": login([CHUNKED], "zz\r\n{}\r\n0\r\n\r\n"),
      "a chunk of negative size": login([CHUNKED], "-2\r\n{}\r\n0\r\n\r\n"),
      "a chunk beyond all numbers": login([CHUNKED], "fffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
      "a chunk without its end": login([CHUNKED], "2\r\n{}XX0\r\n\r\n"),
      "chunks with bare line feeds": login([CHUNKED], "2\n{}\n0\n\n"),
      "chunks in HTTP/1.0": login([CHUNKED], chunk).replace("HTTP/1.1", "HTTP/1.0"),
    });
    expect(unlike(refused, ({ got, isOpen }) => (got === "400" || got === "505") && !isOpen)).toEqual([]);
    await isAsBefore(server);
  });

  test("S25 a body that nobody read is not taken for the next request", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const length = `Content-Length: ${HEALTH.length}`;
    const asked = await answers(server, {
      "at a guard": `POST /api/v1/todos HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n${HEALTH}${NOWHERE}`,
      "of a GET": `GET /api/v1/users/me HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n${HEALTH}${NOWHERE}`,
      "of a wrong type": `POST ${LOGIN} HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n${HEALTH}${NOWHERE}`,
      "in chunks": `POST /api/v1/todos HTTP/1.1\r\nHost: x\r\n${CHUNKED}\r\n\r\n${HEALTH.length.toString(16)}\r\n${HEALTH}\r\n0\r\n\r\n${NOWHERE}`,
    });
    expect(unlike(asked, ({ got }) => got === "401 404" || got === "415 404")).toEqual([]);
  });

  test("S25 too large a body is refused before it is there, and the connection goes on in step", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const bytes = "x".repeat(1024 * 1024 + 1);
    const tooLarge = '{"detail":"Request body is larger than 1048576 bytes"}';

    const byLength = await openWire(server.url);
    byLength.send(login([`Content-Length: ${bytes.length}`], ""));
    await byLength.heard(tooLarge);
    byLength.send(bytes + HEALTH);
    await byLength.heard('{"status":"ok"}');
    expect(statuses(byLength.received())).toEqual([413, 200]);

    const byChunks = await openWire(server.url);
    byChunks.send(login([CHUNKED], `${bytes.length.toString(16)}\r\n${bytes}\r\n`));
    await byChunks.heard(tooLarge);
    byChunks.send(`0\r\n\r\n${HEALTH}`);
    await byChunks.heard('{"status":"ok"}');
    expect(statuses(byChunks.received())).toEqual([413, 200]);

    const endless = await exchange(server.url, login(["Content-Length: 999999999999"], ""));
    expect(statuses(endless.received)).toEqual([413]);
    for (const wire of [byLength, byChunks]) wire.end();
  });

  test("reads that do not wait for each other's answers are answered one after the other", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    for (let connection = 0; connection < 5; connection += 1) {
      const { received } = await exchange(server.url, HEALTH.repeat(6) + NOWHERE);
      expect(statuses(received)).toEqual([200, 200, 200, 200, 200, 200, 404]);
    }
  });

  test("S26 nothing in a request line or a header is a 500, and nothing ends the program", async () => {
    const server = await serve(scratchFolder(), UNLIMITED);
    const { token } = await signUp(server);
    const get = (target: string | Uint8Array, more = "") =>
      Buffer.concat([
        Buffer.from("GET "),
        Buffer.from(target),
        Buffer.from(` HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`),
      ]);
    const asked = await answers(server, {
      "a byte that is no UTF-8": get("/api/v1/todos/%FF"),
      "raw bytes that are no UTF-8": get(new Uint8Array([47, 97, 0xff, 0xfe])),
      "raw bytes in an id": get(Buffer.concat([Buffer.from("/api/v1/todos/"), Buffer.from([0xc3, 0x28])])),
      "half an escape": get("/api/v1/todos/%"),
      "an escaped NUL": get("/api/v1/todos/%00"),
      "a query that is no UTF-8": get("/api/v1/todos?limit=%FF&completed=%C3%28"),
      "half an escape in a query": get("/api/v1/todos?limit=%&%=%"),
      "a lone surrogate": get("/api/v1/todos?completed=%ED%A0%80"),
      "an asterisk": get("*"),
      "two slashes": get("//api/v1/todos"),
      "another host's address": get("http://evil.example/api/v1/todos/x"),
      "a host alone": "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
      "an unknown method": "BREW /health HTTP/1.1\r\nHost: x\r\n\r\n",
      "a method in small letters": "get /nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
      "a trace": "TRACE /health HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n",
      "a header of 100 kB": get("/nowhere", `X: ${"y".repeat(100_000)}\r\n`),
      "an address of 100 kB": get(`/nowhere?${"y".repeat(100_000)}`),
      "five thousand headers": get(
        "/nowhere",
        Array.from({ length: 5_000 }, (_, n) => `X${n}: y\r\n`).join(""),
      ),
      "bytes in a header": Buffer.concat([
        Buffer.from("GET /nowhere HTTP/1.1\r\nHost: x\r\nX: "),
        Buffer.from([0xff, 0x80]),
        Buffer.from("\r\n\r\n"),
      ]),
      "cookies that mean nothing": get("/nowhere", "Cookie: =; ;;; a; refresh_token=%; __proto__=1\r\n"),
      "HTTP/2 without asking": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "the beginning of TLS": new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 13, 10, 13, 10]),
      "HTTP/0.9": "GET /health\r\n\r\n",
    });
    // 505 is what the server says where a line names no version that it knows; a few things it answers not at all.
    expect(unlike(asked, ({ got }) => /^(?:4\d\d|505)?(?: 4\d\d)*$/.test(got))).toEqual([]);
    expect(unlike(asked, ({ received }) => !received.includes("Cookie: secret"))).toEqual([]);
    await isAsBefore(server);
    expect(server.output()).not.toContain("ERROR");
  });
});
