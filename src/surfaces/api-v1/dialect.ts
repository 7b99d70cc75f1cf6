import { detailPhrases, detailSchemas } from "../../http/detail-dialect.ts";
import { dialect } from "../../http/dialect.ts";

/** `{"detail": "…"}`, with what seeds 000, 002 and 003 say in their own way. */
export const apiV1Dialect = dialect(
  {
    ...detailPhrases,
    // These backends answer a taken e-mail address or username with 400, and others' todos as if there were none.
    conflict: (fault) => ({ ...detailPhrases.conflict(fault), status: 400 }),
    forbidden: (fault) =>
      fault.why.rule === "not_yours" && fault.why.noun !== "user"
        ? detailPhrases.not_found({ kind: "not_found", noun: fault.why.noun, id: fault.why.id })
        : detailPhrases.forbidden(fault),
  },
  detailSchemas,
);
