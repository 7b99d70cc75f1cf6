import type { CallOptions, ClientOptions, CreateOptions } from "./api.ts";
import { LatchkeyError, refusal } from "./error.ts";

const TIMEOUT_MS = 30_000;
const RETRIES = 2;
const FIRST_PAUSE_MS = 200;
const NO_CONTENT = 204;
/** A timer that is set for longer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Whoever is told to wait for longer is told so, rather than kept waiting. */
const LONGEST_PAUSE_MS = 5_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** One request, as a surface describes it. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  /** Lets the browser send and keep cookies. */
  readonly withCookies?: boolean;
  /** Tells an answer by what it says, where its status alone would make a refusal of it. */
  readonly isAnswer?: (body: unknown) => boolean;
}

type Body =
  | { readonly json: object }
  | { readonly form: Readonly<Record<string, string>> }
  | { readonly parts: FormData };

/** `body` is what the document says of the route: types.ts is held to it, and the server too. */
export interface Answer<T> {
  readonly body: T;
  readonly headers: Headers;
}

export class Http {
  readonly #baseUrl: string;
  readonly #fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly #timeoutMs: number;
  readonly #retries: number;

  constructor({ baseUrl, fetch, timeoutMs = TIMEOUT_MS, retries = RETRIES }: ClientOptions) {
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
  }

  /** Runs `work` under one signal: aborted by the caller's own, or once the time is up. */
  async within<T>(options: CallOptions | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: given, timeoutMs = this.#timeoutMs } = options ?? {};
    const controller = new AbortController();
    const late = () =>
      controller.abort(new LatchkeyError(`no answer within ${timeoutMs} ms`, { kind: "timeout" }));
    const unfollow = given ? follow(given, controller) : undefined;
    const timer = timeoutMs > LONGEST_TIMER_MS ? undefined : setTimeout(late, timeoutMs);
    try {
      // Also where it waits for what knows no signal: its turn, the store, a fetch of the caller's own.
      return await unlessAborted(work(controller.signal), controller.signal);
    } finally {
      clearTimeout(timer);
      unfollow?.();
    }
  }

  /** Sends the call; again where nobody was there, and a second time does no harm. */
  async send<T>(call: Call, accessToken: string | null, signal: AbortSignal): Promise<Answer<T>> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#sendOnce(call, accessToken, signal);
      } catch (error) {
        if (attempt >= this.#retries || !isRepeatable(call)) throw error;
        const pauseMs = pauseBeforeRepeat(error, attempt);
        if (pauseMs === null) throw error;
        await unlessAborted(new Promise((resolve) => setTimeout(resolve, pauseMs)), signal);
      }
    }
  }

  async #sendOnce<T>(call: Call, accessToken: string | null, signal: AbortSignal): Promise<Answer<T>> {
    try {
      const response = await this.#fetch(this.#url(call), {
        method: call.method,
        headers: headersOf(call, accessToken),
        credentials: call.withCookies === true ? "include" : "omit",
        // The server sends nobody elsewhere, and a password is not for whoever does.
        redirect: "error",
        signal,
        ...(call.body === undefined ? {} : { body: bodyOf(call.body) }),
      });
      return await read(response, call);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof LatchkeyError) throw error;
      throw new LatchkeyError("the server cannot be reached", { kind: "network" }, error);
    }
  }

  #url({ path, query = {} }: Call): string {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) given.set(name, String(value));
    }
    const search = given.toString();
    return `${this.#baseUrl}${path}${search === "" ? "" : `?${search}`}`;
  }
}

/** A call that makes something has a name, under which the server makes it once, however often it is sent. */
export function named(options: CreateOptions | undefined): Record<string, string> {
  return { "Idempotency-Key": options?.idempotencyKey ?? randomName() };
}

interface Followers {
  readonly controllers: Set<AbortController>;
  readonly leave: () => void;
}

const followers = new WeakMap<AbortSignal, Followers>();

/** Aborts the controller with the signal, until told otherwise. All calls share one listener: Node takes eleven for a leak. */
function follow(signal: AbortSignal, controller: AbortController): () => void {
  if (signal.aborted) controller.abort(signal.reason);
  const { controllers, leave } = followers.get(signal) ?? firstFollowers(signal);
  controllers.add(controller);
  return () => {
    controllers.delete(controller);
    if (controllers.size === 0) leave();
  };
}

function firstFollowers(signal: AbortSignal): Followers {
  const controllers = new Set<AbortController>();
  const abort = () => {
    for (const controller of controllers) controller.abort(signal.reason);
  };
  signal.addEventListener("abort", abort);
  const leave = () => {
    followers.delete(signal);
    signal.removeEventListener("abort", abort);
  };
  const first = { controllers, leave };
  followers.set(signal, first);
  return first;
}

/** What the promise comes to, or the signal's reason, whichever is first. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function isRepeatable({ method, headers }: Call): boolean {
  return method === "GET" || headers?.["Idempotency-Key"] !== undefined;
}

/** Null where waiting would not help. */
function pauseBeforeRepeat(error: unknown, attempt: number): number | null {
  if (!(error instanceof LatchkeyError)) return null;
  if (error.kind !== "network" && error.kind !== "unavailable") return null;
  const askedMs = (error.retryAfterSeconds ?? 0) * 1_000;
  const ownMs = FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random() / 2);
  const pauseMs = Math.max(askedMs, ownMs);
  return pauseMs > LONGEST_PAUSE_MS ? null : pauseMs;
}

function headersOf({ headers, body }: Call, accessToken: string | null): Record<string, string> {
  return {
    Accept: "application/json",
    ...(body !== undefined && "json" in body ? { "Content-Type": "application/json" } : {}),
    ...(accessToken === null ? {} : { Authorization: `Bearer ${accessToken}` }),
    ...headers,
  };
}

function bodyOf(body: Body): string | URLSearchParams | FormData {
  if ("json" in body) return JSON.stringify(body.json);
  return "form" in body ? new URLSearchParams(body.form) : body.parts;
}

async function read<T>(response: Response, { isAnswer }: Call): Promise<Answer<T>> {
  const { ok, status } = response;
  const body = jsonIn(response, await response.text());
  if (!ok && isAnswer?.(body) !== true) throw refusal(response, body);
  if (status !== NO_CONTENT && body === undefined) {
    throw new LatchkeyError("the answer is not JSON: is this the right baseUrl?", {
      kind: "unexpected",
      status,
    });
  }
  return { body, headers: response.headers };
}

/** Nothing where it is none, whatever it says it is. */
function jsonIn({ headers }: Response, text: string) {
  if (headers.get("content-type")?.toLowerCase().startsWith("application/json") !== true) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Not `crypto.randomUUID`, which a browser has on pages by HTTPS alone. */
function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
