import type { AnyFault, FaultKind, FaultOf } from "../core/fault.ts";
import type { Reply } from "./reply.ts";
import type { TSchema } from "./schema.ts";

/**
 * How a surface says that something failed: one function for every kind of fault. The type is total, so that a
 * new kind of fault does not compile until each surface has words for it.
 */
export type Phrases = {
  readonly [Kind in FaultKind]: (fault: FaultOf<Kind>) => Pick<Reply, "status" | "body">;
};

/** The shapes of what the phrases say: one for wrong fields, one for every other fault. */
export interface FaultSchemas {
  readonly failure: TSchema;
  readonly invalid: TSchema;
}

export interface Dialect {
  readonly schemas: FaultSchemas;
  answer(fault: AnyFault): Reply;
}

export function dialect(phrases: Phrases, schemas: FaultSchemas): Dialect {
  return {
    schemas,
    answer(fault) {
      const headers = headersOf(fault);
      return headers === null ? say(phrases, fault) : { ...say(phrases, fault), headers };
    },
  };
}

export function say<Kind extends FaultKind>(
  phrases: Phrases,
  fault: FaultOf<Kind>,
): Pick<Reply, "status" | "body"> {
  return phrases[fault.kind](fault);
}

/** What HTTP itself wants said beside the words of a dialect; the same on every surface. */
function headersOf(fault: AnyFault): Record<string, string> | null {
  switch (fault.kind) {
    case "unauthenticated":
    case "login_failed":
    case "refresh_failed":
      return { "www-authenticate": "Bearer" };
    case "invalid_token":
      return { "www-authenticate": 'Bearer error="invalid_token"' };
    case "method_not_allowed":
      return { allow: fault.allow.join(", ") };
    case "locked":
    case "rate_limited":
    case "overloaded":
      return { "retry-after": String(fault.retryAfterSeconds) };
    case "unavailable":
      return { "retry-after": "1" };
    default:
      return null;
  }
}
