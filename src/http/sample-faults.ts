import type { AnyFault, FaultKind, FaultOf } from "../core/fault.ts";

/** One fault of each kind, as documentation shows it where a route has nothing better to show. */
const samples: { readonly [Kind in FaultKind]: FaultOf<Kind> } = {
  malformed: { kind: "malformed", reason: "The body is not valid JSON" },
  invalid: { kind: "invalid", problems: [{ where: "body", name: "title", message: "Field required" }] },
  unsupported_media_type: { kind: "unsupported_media_type", expected: ["application/json"] },
  too_large: { kind: "too_large", limitBytes: 1_048_576 },
  unknown_route: { kind: "unknown_route" },
  method_not_allowed: { kind: "method_not_allowed", allow: ["GET", "HEAD"] },

  unauthenticated: { kind: "unauthenticated" },
  invalid_token: { kind: "invalid_token" },
  login_failed: { kind: "login_failed" },
  refresh_failed: { kind: "refresh_failed", why: "invalid" },
  deactivated: { kind: "deactivated" },
  locked: { kind: "locked", retryAfterSeconds: 1_800 },
  wrong_current_password: { kind: "wrong_current_password" },
  forbidden: { kind: "forbidden", why: { rule: "role_required", roles: ["admin"] } },

  not_found: { kind: "not_found", noun: "user", id: 7 },
  conflict: { kind: "conflict", noun: "user", field: "email", value: "user@example.com" },
  precondition_failed: { kind: "precondition_failed", noun: "todo", id: 7 },
  operation_failed: {
    kind: "operation_failed",
    index: 2,
    failure: { kind: "not_found", noun: "todo", id: 7 },
  },

  rate_limited: { kind: "rate_limited", retryAfterSeconds: 60 },
  overloaded: { kind: "overloaded", retryAfterSeconds: 1 },
  unavailable: { kind: "unavailable" },
  internal: { kind: "internal" },
};

export function sampleFault(kind: FaultKind): AnyFault {
  return samples[kind];
}
