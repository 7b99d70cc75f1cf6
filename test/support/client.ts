import { expect } from "bun:test";
import type { HttpServer } from "../../src/http/server.ts";
import { contractOf } from "./contract.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON, else the text; undefined where there is none. */
  readonly body: unknown;
}

export interface Options {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent urlencoded. */
  readonly form?: Readonly<Record<string, string>>;
  /** Sent as it is. */
  readonly raw?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | FormData;
}

/**
 * Talks to the program as a client on the network would, and keeps its cookies as a browser does. Every answer is
 * held against the program's own OpenAPI document.
 */
export class TestClient {
  readonly #app: HttpServer;
  readonly address: string;
  readonly cookies = new Map<string, string>();

  constructor(app: HttpServer, address: string) {
    this.#app = app;
    this.address = address;
  }

  async send(method: string, path: string, options: Options = {}): Promise<Answer> {
    const headers = new Headers(options.headers);
    if (options.token !== undefined) headers.set("authorization", `Bearer ${options.token}`);
    if (options.json !== undefined && !headers.has("content-type"))
      headers.set("content-type", "application/json");
    if (this.cookies.size > 0 && !headers.has("cookie")) {
      headers.set("cookie", [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    }
    const body =
      options.raw ??
      (options.form === undefined ? undefined : new URLSearchParams(options.form)) ??
      (options.json === undefined ? undefined : JSON.stringify(options.json));
    const request = new Request(`http://localhost${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const response = await this.#app.handle(request, this.address);
    this.#keepCookies(response.headers);
    const answer = { status: response.status, headers: response.headers, body: await bodyOf(response) };
    const problem = contractOf(this.#app).problemWith(method, path, answer);
    if (problem !== null) throw new Error(`${method} ${path} breaks the documented contract: ${problem}`);
    return answer;
  }

  get(path: string, options?: Options): Promise<Answer> {
    return this.send("GET", path, options);
  }

  post(path: string, json?: unknown, options: Options = {}): Promise<Answer> {
    return this.send("POST", path, json === undefined ? options : { ...options, json });
  }

  put(path: string, json: unknown, options: Options = {}): Promise<Answer> {
    return this.send("PUT", path, { ...options, json });
  }

  patch(path: string, json: unknown, options: Options = {}): Promise<Answer> {
    return this.send("PATCH", path, { ...options, json });
  }

  delete(path: string, options?: Options): Promise<Answer> {
    return this.send("DELETE", path, options);
  }

  #keepCookies(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const cookie = Bun.Cookie.parse(line);
      if (cookie.maxAge === 0) this.cookies.delete(cookie.name);
      else this.cookies.set(cookie.name, cookie.value);
    }
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === "") return undefined;
  return response.headers.get("content-type")?.startsWith("application/json") === true
    ? JSON.parse(text)
    : text;
}

/** A field of a JSON object that a test goes on with. */
export function field(answer: Answer, name: string): unknown {
  expect(answer.body).toBeObject();
  return Reflect.get(Object(answer.body), name);
}

export function textField(answer: Answer, name: string): string {
  const value = field(answer, name);
  if (typeof value !== "string") throw new Error(`${name} is no text in ${Bun.inspect(answer.body)}`);
  return value;
}

export function numberField(answer: Answer, name: string): number {
  const value = field(answer, name);
  if (typeof value !== "number") throw new Error(`${name} is no number in ${Bun.inspect(answer.body)}`);
  return value;
}
