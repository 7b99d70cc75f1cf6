import type { ErrorKind, FieldError, LatchkeyErrorFacts } from "./api.ts";

/** The one way in which a call fails, other than by its own signal. */
export class LatchkeyError extends Error {
  override readonly name = "LatchkeyError";
  readonly kind: ErrorKind;
  /** 0 where no answer came. */
  readonly status: number;
  /** What the server itself calls it, where its surface does: `CONFLICT`, `invalid_grant`. */
  readonly code: string | null;
  readonly fields: readonly FieldError[];
  readonly retryAfterSeconds: number | null;
  /** Names the request in the server's log. */
  readonly requestId: string | null;

  constructor(message: string, facts: LatchkeyErrorFacts, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = facts.kind;
    this.status = facts.status ?? 0;
    this.code = facts.code ?? null;
    this.fields = facts.fields ?? [];
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
    this.requestId = facts.requestId ?? null;
  }

  static isOf(error: unknown, kind: ErrorKind): boolean {
    return error instanceof LatchkeyError && error.kind === kind;
  }
}

/** What a refusal says, in whichever of the dialects it comes; a proxy's page says nothing but its status. */
export function refusal(response: Response, body: unknown): LatchkeyError {
  const { status } = response;
  const said = fromDetail(body) ??
    fromEnvelope(body) ?? { message: `HTTP ${status}`, code: null, fields: [] };
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new LatchkeyError(said.message, {
    kind: kindOf(status, said.message),
    status,
    code: said.code,
    fields: said.fields,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : null,
    requestId: response.headers.get("x-request-id"),
  });
}

interface Said {
  readonly message: string;
  readonly code: string | null;
  readonly fields: readonly FieldError[];
}

/** `{"detail": "…", "errors"?: [{"field": "body.email", "message"}], "error"?: "invalid_grant"}` */
function fromDetail(body: unknown): Said | null {
  const message = text(body, "detail");
  if (message === null) return null;
  const fields = fieldErrors(property(body, "errors")).map(({ field, message }) => ({
    field: field.replace(/^(?:body|form|query|path|header)\./, ""),
    message,
  }));
  return { message, code: text(body, "error"), fields };
}

/** `{"error": {"message", "details"?, "code"?}}`, with or without `success` beside it */
function fromEnvelope(body: unknown): Said | null {
  const error = property(body, "error");
  const message = text(error, "message");
  if (message === null) return null;
  return { message, code: text(error, "code"), fields: fieldErrors(property(error, "details")) };
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  412: "changed",
  413: "too_large",
  422: "invalid",
  423: "locked",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
};

function kindOf(status: number, message: string): ErrorKind {
  // /api/v1 answers a taken name with 400, as the backends did that it speaks for.
  if (status === 400 && message.endsWith(" already exists")) return "conflict";
  return KINDS[status] ?? (status >= 500 ? "server_error" : status >= 400 ? "bad_request" : "unexpected");
}

function fieldErrors(list: unknown): readonly FieldError[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: unknown) => {
    const field = text(each, "field");
    const message = text(each, "message");
    return field === null || message === null ? [] : [{ field, message }];
  });
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function text(value: unknown, name: string): string | null {
  const found = property(value, name);
  return typeof found === "string" ? found : null;
}
