import type { FieldProblem, ForbiddenReason, Noun } from "../../core/fault.ts";
import { dialect } from "../../http/dialect.ts";
import { t } from "../../http/schema.ts";

interface Detail {
  readonly field: string;
  readonly message: string;
}

function failure(status: number, message: string, details?: readonly Detail[]) {
  const type = status >= 500 ? "server_error" : "client_error";
  const error = { status_code: status, message, type };
  return { status, body: { error: details === undefined ? error : { ...error, details } } };
}

const Failure = t.Object(
  {
    error: t.Object({
      status_code: t.Integer({ example: 422 }),
      message: t.String(),
      type: t.Union([t.Literal("client_error"), t.Literal("server_error")]),
      details: t.Optional(t.Array(t.Object({ field: t.String(), message: t.String() }))),
    }),
  },
  { $id: "ErrorBody" },
);

/** `{"error": {"status_code", "message", "type", "details"?}}`, as seed 004 fails. */
export const v1Dialect = dialect(
  {
    malformed: ({ reason }) => failure(400, reason),
    invalid: ({ problems }) => failure(422, "Validation error", problems.map(detail)),
    unsupported_media_type: ({ expected }) =>
      failure(415, `Unsupported media type: send ${expected.join(" or ")}`),
    too_large: ({ limitBytes }) => failure(413, `Request body is larger than ${limitBytes} bytes`),
    unknown_route: () => failure(404, "Not found"),
    method_not_allowed: () => failure(405, "Method not allowed"),

    unauthenticated: () => failure(401, "Invalid authentication token"),
    invalid_token: () => failure(401, "Invalid authentication token"),
    login_failed: () => failure(401, "Incorrect username or password"),
    refresh_failed: () => failure(401, "Invalid refresh token"),
    deactivated: () => failure(403, "User account is inactive"),
    locked: () => failure(423, "Account is locked after too many failed logins. Try again later."),
    wrong_current_password: () => failure(403, "Current password is incorrect"),
    forbidden: ({ why }) => failure(403, refused(why)),

    not_found: ({ noun }) => failure(404, missing(noun)),
    conflict: ({ noun, field }) => failure(409, `${title(noun)} with this ${field} already exists`),
    precondition_failed: ({ noun }) =>
      failure(412, `${title(noun)} has changed since it was read: read it again`),
    operation_failed: ({ index, failure: why }) => {
      const message = why.kind === "not_found" ? missing(why.noun) : refused(why.why);
      const status = why.kind === "not_found" ? 404 : 403;
      return failure(status, `Operation ${index}: ${message}`, [{ field: `operations[${index}]`, message }]);
    },

    rate_limited: () => failure(429, "Too many requests. Try again later."),
    overloaded: () => failure(503, "The server is busy. Try again in a moment."),
    unavailable: () => failure(503, "Service temporarily unavailable"),
    internal: () => failure(500, "Internal server error"),
  },
  { failure: Failure, invalid: Failure },
);

function detail({ where, name, message }: FieldProblem): Detail {
  return { field: name === "" ? where : name, message };
}

function refused(why: ForbiddenReason): string {
  switch (why.rule) {
    case "not_yours":
      return `Not authorized to access this ${why.noun}`;
    case "role_required":
      return `Not authorized: this takes the role ${why.roles.join(" or ")}`;
    case "scope_required":
      return `This token lacks the scope '${why.scope}'`;
    case "foreign_origin":
      return "Origin not allowed";
  }
}

function missing(noun: Noun): string {
  return `${title(noun)} not found`;
}

function title(noun: Noun): string {
  return noun.charAt(0).toUpperCase() + noun.slice(1);
}
