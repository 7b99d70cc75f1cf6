/** What a route answers, before it becomes a response: plain data, so that it is easy to make and to test. */
export interface Reply {
  readonly status: number;
  /** Sent as JSON; absent for an answer without a body. */
  readonly body?: unknown;
  /** Sent as it is, with a content type among the headers. */
  readonly content?: string | Uint8Array | Blob;
  /** A `location` among them is a path of this server's. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A `Set-Cookie` each. */
  readonly cookies?: readonly string[];
}

export function ok(body: unknown, headers?: Readonly<Record<string, string>>): Reply {
  return headers === undefined ? { status: 200, body } : { status: 200, body, headers };
}

export function created(body: unknown, headers?: Readonly<Record<string, string>>): Reply {
  return headers === undefined ? { status: 201, body } : { status: 201, body, headers };
}

export function noContent(): Reply {
  return { status: 204 };
}
