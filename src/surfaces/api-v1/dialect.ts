import type { FieldProblem } from "../../core/fault.ts";
import { detail, detailPhrases, detailSchemas, FieldErrors } from "../../http/detail-dialect.ts";
import { dialect } from "../../http/dialect.ts";
import type { Phrases } from "../../http/dialect.ts";
import type { Reply } from "../../http/reply.ts";
import { t } from "../../http/schema.ts";

const phrases: Phrases = {
  ...detailPhrases,
  // These backends answer a taken e-mail address or username with 400, and others' todos as if there were none.
  conflict: (fault) => ({ ...detailPhrases.conflict(fault), status: 400 }),
  forbidden: (fault) =>
    fault.why.rule === "not_yours" && fault.why.noun !== "user"
      ? detailPhrases.not_found({ kind: "not_found", noun: fault.why.noun, id: fault.why.id })
      : detailPhrases.forbidden(fault),
};

/** `{"detail": "…"}`, with what seeds 000, 002 and 003 say in their own way. */
export const apiV1Dialect = dialect(phrases, detailSchemas);

const authPhrases: Phrases = {
  ...phrases,
  login_failed: () => detail(401, "Incorrect username or password"),
};

/** Where one logs in by a username, as seeds 002 and 003 do. */
export const authDialect = dialect(authPhrases, detailSchemas);

const tokenFailure = t.Object(
  {
    detail: t.String(),
    errors: t.Optional(FieldErrors),
    error: t.Optional(t.String({ description: "For OAuth2 clients: RFC 6749, section 5.2" })),
    error_description: t.Optional(t.String()),
  },
  { $id: "TokenErrorBody" },
);

/** The token endpoint: beside `detail` stands what OAuth2 clients look for (RFC 6749, section 5.2). */
export const tokenDialect = dialect(
  {
    ...authPhrases,
    login_failed: (fault) =>
      oauth("invalid_grant", authPhrases.login_failed(fault), "Incorrect username or password"),
    refresh_failed: (fault) =>
      oauth("invalid_grant", authPhrases.refresh_failed(fault), "The refresh token is not valid"),
    invalid: (fault) =>
      fault.problems.some(({ name }) => name === "grant_type")
        ? oauth(
            "unsupported_grant_type",
            detail(400, "Unsupported grant type"),
            "Use password or refresh_token",
          )
        : oauth("invalid_request", authPhrases.invalid(fault), wrongFields(fault.problems)),
  },
  { failure: tokenFailure, invalid: tokenFailure },
);

function oauth(error: string, { status, body }: Pick<Reply, "status" | "body">, description: string) {
  const said = typeof body === "object" ? body : null;
  return { status, body: { ...said, error, error_description: description } };
}

function wrongFields(problems: readonly FieldProblem[]): string {
  return `Missing or wrong: ${problems.map(({ name }) => name).join(", ")}`;
}
