import type { Noun } from "../core/fault.ts";
import type { FaultSchemas, Phrases } from "./dialect.ts";
import { t } from "./schema.ts";

/**
 * The plainest way to say that something failed: `{"detail": "…"}`, as FastAPI does by itself. It is what answers
 * outside the surfaces, and what a surface starts from that speaks the same way.
 */
export const detailPhrases: Phrases = {
  malformed: ({ reason }) => detail(400, reason),
  invalid: ({ problems }) => ({
    status: 422,
    body: {
      detail: "Validation error",
      errors: problems.map(({ where, name, message }) => ({
        field: name === "" ? where : `${where}.${name}`,
        message,
      })),
    },
  }),
  unsupported_media_type: ({ expected }) =>
    detail(415, `Unsupported media type: send ${expected.join(" or ")}`),
  too_large: ({ limitBytes }) => detail(413, `Request body is larger than ${limitBytes} bytes`),
  unknown_route: () => detail(404, "Not Found"),
  method_not_allowed: () => detail(405, "Method Not Allowed"),

  unauthenticated: () => detail(401, "Missing or invalid Authorization header"),
  invalid_token: () => detail(401, "Invalid or expired token"),
  login_failed: () => detail(401, "Incorrect email or password"),
  refresh_failed: ({ why }) => detail(401, REFRESH_FAILED[why]),
  deactivated: () => detail(403, "Account is deactivated"),
  locked: () => detail(423, "Account is locked after too many failed logins. Try again later."),
  wrong_current_password: () => detail(403, "Current password is incorrect"),
  forbidden: ({ why }) => {
    switch (why.rule) {
      case "role_required":
        return detail(
          403,
          `Access denied. Required role: [${why.roles.map((role) => `'${role}'`).join(", ")}]`,
        );
      case "scope_required":
        return detail(403, `This token lacks the scope '${why.scope}'`);
      case "not_yours":
        return detail(403, "Access denied");
      case "foreign_origin":
        return detail(403, "Origin not allowed");
    }
  },

  not_found: ({ noun, id }) =>
    detail(404, noun === "user" ? `User with id ${id} not found` : `${title(noun)} not found`),
  conflict: ({ noun, field, value }) =>
    detail(409, `${title(noun)} with ${field} ${value ?? "given"} already exists`),
  precondition_failed: ({ noun }) =>
    detail(412, `${title(noun)} has changed since it was read: read it again`),
  operation_failed: ({ failure }) =>
    failure.kind === "not_found" ? detailPhrases.not_found(failure) : detailPhrases.forbidden(failure),

  rate_limited: () => detail(429, "Too many requests. Try again later."),
  overloaded: () => detail(503, "The server is busy. Try again in a moment."),
  unavailable: () => detail(503, "Service temporarily unavailable"),
  internal: () => detail(500, "Internal Server Error"),
};

export const FieldErrors = t.Array(
  t.Object({
    field: t.String({ description: "The part of the request and the field's name" }),
    message: t.String(),
  }),
);

export const detailSchemas: FaultSchemas = {
  failure: t.Object({ detail: t.String() }, { $id: "ErrorBody" }),
  invalid: t.Object(
    {
      detail: t.String(),
      errors: FieldErrors,
    },
    { $id: "ValidationErrorBody" },
  ),
};

const REFRESH_FAILED = {
  missing: "Refresh token not found",
  invalid: "Invalid refresh token",
  expired: "Refresh token expired",
} as const;

export function detail(status: number, text: string) {
  return { status, body: { detail: text } };
}

function title(noun: Noun): string {
  return noun.charAt(0).toUpperCase() + noun.slice(1);
}
