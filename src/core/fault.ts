/**
 * The closed list of ways in which a request can fail.
 *
 * The core throws faults; each surface's dialect turns them into its own words and status codes. A dialect is a
 * function over *every* kind, so a kind added here does not compile until every surface speaks it.
 * What a fault carries may be told to the client. What only the operator may know goes into `cause`.
 */
export interface FaultKinds {
  /** The bytes of the request are not what they claim to be: broken JSON, a broken form. */
  malformed: { readonly reason: string };
  /** The request can be read and breaks the rules of its fields. Never carries a submitted value. */
  invalid: { readonly problems: readonly FieldProblem[] };
  unsupported_media_type: { readonly expected: readonly string[] };
  too_large: { readonly limitBytes: number };
  unknown_route: Record<never, never>;
  method_not_allowed: { readonly allow: readonly string[] };

  /** No credentials where some are needed. */
  unauthenticated: Record<never, never>;
  /** An access token that is forged, expired, revoked, or whose account is gone. */
  invalid_token: Record<never, never>;
  /** The one answer to a failed login, whether the account exists or not. */
  login_failed: Record<never, never>;
  refresh_failed: { readonly why: "missing" | "invalid" | "expired" };
  /** The right password to an account that an administrator has blocked. */
  deactivated: Record<never, never>;
  locked: { readonly retryAfterSeconds: number };
  wrong_current_password: Record<never, never>;
  forbidden: { readonly why: ForbiddenReason };

  not_found: { readonly noun: Noun; readonly id?: number | string };
  /** A unique value is taken. `value` is what the caller sent, for a message in their own words. */
  conflict: { readonly noun: Noun; readonly field: string; readonly value?: string };
  /** What the caller wants changed is no longer what they saw. */
  precondition_failed: { readonly noun: Noun; readonly id: number };
  /** One of several operations that are done together, or not at all: `index` counts from 0. */
  operation_failed: { readonly index: number; readonly failure: FaultOf<"not_found"> | FaultOf<"forbidden"> };

  rate_limited: { readonly retryAfterSeconds: number };
  /** More work than can be done in time: refused early rather than queued without end. */
  overloaded: { readonly retryAfterSeconds: number };
  /** What the request leans on (the database) cannot be reached, or did not answer within the deadline. */
  unavailable: Record<never, never>;
  internal: Record<never, never>;
}

export type FaultKind = keyof FaultKinds;
export type Noun = "user" | "admin" | "todo" | "item" | "session" | "token" | "file";

export type ForbiddenReason =
  /** Whether to admit that it exists is the dialect's decision. */
  | { readonly rule: "not_yours"; readonly noun: Noun; readonly id: number }
  | { readonly rule: "role_required"; readonly roles: readonly string[] }
  | { readonly rule: "scope_required"; readonly scope: string }
  | { readonly rule: "foreign_origin" };

/** `where` is the part of the request, `name` the field's own name. */
export interface FieldProblem {
  readonly where: "body" | "form" | "query" | "path" | "header";
  readonly name: string;
  readonly message: string;
}

/** A fault of one kind, as a dialect sees it: the kind and what belongs to it. */
export type FaultOf<Kind extends FaultKind> = { readonly kind: Kind } & FaultKinds[Kind];
export type AnyFault = { [Kind in FaultKind]: FaultOf<Kind> }[FaultKind];

export class Fault extends Error {
  readonly what: AnyFault;

  private constructor(what: AnyFault, cause?: unknown) {
    super(what.kind, cause === undefined ? undefined : { cause });
    this.name = "Fault";
    this.what = what;
  }

  static of(what: AnyFault, cause?: unknown): Fault {
    return new Fault(what, cause);
  }

  static invalid(where: FieldProblem["where"], name: string, message: string): Fault {
    return new Fault({ kind: "invalid", problems: [{ where, name, message }] });
  }

  static is(error: unknown, kind: FaultKind): error is Fault {
    return error instanceof Fault && error.what.kind === kind;
  }
}
