import type { ForbiddenReason, Noun } from "../../core/fault.ts";
import { dialect, say } from "../../http/dialect.ts";
import type { Phrases } from "../../http/dialect.ts";
import { t } from "../../http/schema.ts";

type Code =
  | "BAD_REQUEST"
  | "VALIDATION_ERROR"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "NOT_FOUND"
  | "METHOD_NOT_ALLOWED"
  | "CONFLICT"
  | "PAYLOAD_TOO_LARGE"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "ACCOUNT_LOCKED"
  | "RATE_LIMITED"
  | "INTERNAL_ERROR"
  | "SERVICE_UNAVAILABLE";

const STATUS: Readonly<Record<Code, number>> = {
  BAD_REQUEST: 400,
  VALIDATION_ERROR: 422,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  ACCOUNT_LOCKED: 423,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
};

function failure(code: Code, message: string, details?: readonly object[]) {
  const error = details === undefined ? { code, message } : { code, message, details };
  return { status: STATUS[code], body: { success: false, message, error } };
}

const Failure = t.Object(
  {
    success: t.Literal(false),
    message: t.String(),
    error: t.Object({
      code: t.String({ example: "VALIDATION_ERROR" }),
      message: t.String(),
      details: t.Optional(t.Array(t.Object({ field: t.String(), message: t.String() }))),
    }),
  },
  { $id: "ErrorBody" },
);

/** `{"success": false, "message", "error": {"code", "message", "details"?}}`, as seed 001 fails. */
const phrases: Phrases = {
  malformed: ({ reason }) => failure("BAD_REQUEST", reason),
  invalid: ({ problems }) =>
    failure(
      "VALIDATION_ERROR",
      "Validation error",
      problems.map(({ where, name, message }) => ({ field: name === "" ? where : name, message })),
    ),
  unsupported_media_type: ({ expected }) =>
    failure("UNSUPPORTED_MEDIA_TYPE", `Unsupported media type: send ${expected.join(" or ")}`),
  too_large: ({ limitBytes }) =>
    failure("PAYLOAD_TOO_LARGE", `What was sent is larger than ${limitBytes} bytes`),
  unknown_route: () => failure("NOT_FOUND", "Not found"),
  method_not_allowed: () => failure("METHOD_NOT_ALLOWED", "Method not allowed"),

  unauthenticated: () => failure("UNAUTHORIZED", "Missing or invalid Authorization header"),
  invalid_token: () => failure("UNAUTHORIZED", "Invalid or expired token"),
  login_failed: () => failure("UNAUTHORIZED", "Incorrect username or password"),
  refresh_failed: () => failure("UNAUTHORIZED", "Invalid or expired token"),
  deactivated: () => failure("FORBIDDEN", "Account is deactivated"),
  locked: () => failure("ACCOUNT_LOCKED", "Account is locked after too many failed logins. Try again later."),
  wrong_current_password: () => failure("FORBIDDEN", "Current password is incorrect"),
  forbidden: ({ why }) => failure("FORBIDDEN", whyForbidden(why)),

  not_found: ({ noun }) => failure("NOT_FOUND", `${title(noun)} not found`),
  conflict: ({ noun, field }) => failure("CONFLICT", `${title(noun)} with this ${field} already exists`),
  precondition_failed: ({ noun }) => failure("CONFLICT", `${title(noun)} has changed since it was read`),
  operation_failed: (operation) => say(phrases, operation.failure),

  rate_limited: () => failure("RATE_LIMITED", "Too many requests. Try again later."),
  overloaded: () => failure("SERVICE_UNAVAILABLE", "The server is busy. Try again in a moment."),
  unavailable: () => failure("SERVICE_UNAVAILABLE", "Service temporarily unavailable"),
  internal: () => failure("INTERNAL_ERROR", "Internal server error"),
};

export const rootDialect = dialect(phrases, { failure: Failure, invalid: Failure });

function whyForbidden(why: ForbiddenReason): string {
  switch (why.rule) {
    case "not_yours":
      return "Access denied";
    case "role_required":
      return `Required role: ${why.roles.join(" or ")}`;
    case "scope_required":
      return `This token lacks the scope ${why.scope}`;
    case "foreign_origin":
      return "Origin not allowed";
  }
}

function title(noun: Noun): string {
  return noun.charAt(0).toUpperCase() + noun.slice(1);
}
