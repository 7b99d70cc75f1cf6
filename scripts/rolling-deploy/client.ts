/** Requests as a client sends them, timed and counted. */
import type { Answers, Kind } from "./answers.ts";

/** Longer than any proxy waits. */
const LIMIT_MS = 120_000;

export interface Asked {
  readonly method?: string;
  /** Sent as JSON, but for a form. */
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  /** 0 where the connection broke. */
  readonly status: number;
  readonly body: unknown;
}

/** Already counted among the answers. */
export class RequestFailed extends Error {}

export class Client {
  readonly #origin: string;
  readonly answers: Answers;

  constructor(origin: string, answers: Answers) {
    this.#origin = origin;
    this.answers = answers;
  }

  /** Counted where it is answered as one of `wanted`; what becomes of anything else is for the caller to say. */
  async send(kind: Kind, wanted: readonly number[], path: string, asked: Asked = {}): Promise<Answer> {
    const { method = "GET", body, token, headers = {} } = asked;
    const isForm = body instanceof URLSearchParams;
    const startedMs = performance.now();
    try {
      const response = await fetch(`${this.#origin}${path}`, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const text = await response.text();
      const { status } = response;
      if (!wanted.includes(status)) return { status, body: text };
      this.answers.answered(kind, performance.now() - startedMs);
      return { status, body: text === "" ? undefined : JSON.parse(text) };
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
      return { status: 0, body: String(error) };
    }
  }

  /** Fails with `RequestFailed` where it is answered otherwise. */
  async expect(kind: Kind, wanted: number, path: string, asked?: Asked): Promise<unknown> {
    const { status, body } = await this.send(kind, [wanted], path, asked);
    if (status === wanted) return body;
    const why = status === 0 ? String(body) : String(status);
    this.answers.failed(kind, why);
    throw new RequestFailed(`${path}: ${why}`);
  }
}
