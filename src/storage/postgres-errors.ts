import { Overdue } from "../core/deadline.ts";
import { Fault } from "../core/fault.ts";
import { ReferenceViolation, UniqueViolation } from "./database.ts";

/**
 * What the server or the driver said, without what may hold a value: the driver's own error carries the rows and
 * keys at fault in `detail`, and texts of class 22 quote the input.
 */
export class PostgresFailure extends Error {
  /** Null where the driver failed rather than the server. */
  readonly sqlState: string | null;
  readonly code: string;

  constructor(error: Bun.SQL.PostgresError) {
    const sqlState = error.errno ?? null;
    const message = sqlState?.startsWith("22") === true ? "a value does not fit its type" : error.message;
    super(sqlState === null ? message : `${message} (SQLSTATE ${sqlState})`);
    this.name = "PostgresFailure";
    this.sqlState = sqlState;
    this.code = error.code;
  }
}

const CONNECTION_EXCEPTION = "08";
const INVALID_AUTHORIZATION = "28";
const INSUFFICIENT_RESOURCES = "53";
const OPERATOR_INTERVENTION = "57";
const SYSTEM_ERROR = "58";
const DATA_CORRUPTED = "XX";
const OUT_OF_ORDER_CLASSES = new Set([
  CONNECTION_EXCEPTION,
  INVALID_AUTHORIZATION,
  INSUFFICIENT_RESOURCES,
  OPERATOR_INTERVENTION,
  SYSTEM_ERROR,
  DATA_CORRUPTED,
]);

const IDLE_IN_TRANSACTION = "25P03";
const SERIALIZATION_FAILURE = "40001";
const DEADLOCK = "40P01";
const LOCK_NOT_AVAILABLE = "55P03";
const INSUFFICIENT_PRIVILEGE = "42501";
const NO_SUCH_SCHEMA = "3F000";
const QUERY_CANCELLED = "57014";
const FOREIGN_KEY_VIOLATION = "23503";
const UNIQUE_VIOLATION = "23505";
/** So a provider stops writes where its disk is full, and so a standby answers. */
const READ_ONLY = "25006";
const STALE_PLAN = "cached plan must not change result type";

const UNAVAILABLE_STATES = new Set([
  IDLE_IN_TRANSACTION,
  SERIALIZATION_FAILURE,
  DEADLOCK,
  LOCK_NOT_AVAILABLE,
  READ_ONLY,
]);

/** Our own words for what a statement failed with. */
export function translated(error: unknown): unknown {
  if (error instanceof Overdue) return Fault.of({ kind: "unavailable" }, error);
  if (!(error instanceof Bun.SQL.PostgresError)) return error;
  const failure = new PostgresFailure(error);
  if (failure.sqlState === UNIQUE_VIOLATION) {
    return new UniqueViolation(error.table ?? "", uniqueColumn(error), failure);
  }
  if (failure.sqlState === FOREIGN_KEY_VIOLATION) return new ReferenceViolation(failure);
  return isUnavailable(failure) ? Fault.of({ kind: "unavailable" }, failure) : failure;
}

/** After these the connection is as good as before; after any other of the kind it is not to be trusted. */
export function keepsConnection(error: unknown): boolean {
  if (!(error instanceof Bun.SQL.PostgresError) || error.errno === undefined) return false;
  if (error.errno === QUERY_CANCELLED) return true;
  return error.errno !== IDLE_IN_TRANSACTION && !OUT_OF_ORDER_CLASSES.has(error.errno.slice(0, 2));
}

/** The role lacks a right that an operator can grant, or a schema that its `search_path` can name. */
export function isForbidden(error: unknown): error is PostgresFailure {
  if (!(error instanceof PostgresFailure)) return false;
  return error.sqlState === INSUFFICIENT_PRIVILEGE || error.sqlState === NO_SUCH_SCHEMA;
}

/** It answers, and takes no writes: a standby, or a database that somebody has set read-only. */
export function isReadOnly(error: unknown): boolean {
  return underlying(error)?.sqlState === READ_ONLY;
}

/** The transaction was chosen to give way to another: again, it may pass. */
export function gaveWay(error: unknown): boolean {
  const sqlState = underlying(error)?.sqlState;
  return sqlState === SERIALIZATION_FAILURE || sqlState === DEADLOCK;
}

/** The plan was made before the schema changed; the driver has dropped it, so that it is made anew when asked again. */
export function hasStalePlan(error: unknown): boolean {
  return underlying(error)?.message.startsWith(STALE_PLAN) === true;
}

function underlying(error: unknown): PostgresFailure | null {
  const failure = error instanceof Fault ? error.cause : error;
  return failure instanceof PostgresFailure ? failure : null;
}

function isUnavailable({ sqlState, code }: PostgresFailure): boolean {
  if (sqlState === null) return /CONNECTION|TIMEOUT|TLS|AUTHENTICATION/.test(code);
  return OUT_OF_ORDER_CLASSES.has(sqlState.slice(0, 2)) || UNAVAILABLE_STATES.has(sqlState);
}

/**
 * `Key (realm, subject)=(…) already exists.`, in whatever language the server speaks. A role that may not read the
 * table gets no detail; then the name that PostgreSQL gives a constraint, `users_email_key`, tells.
 */
function uniqueColumn(error: Bun.SQL.PostgresError): string {
  const [, column] = /\(([^,()]+)(?:, [^()]+)?\)=\(/.exec(error.detail ?? "") ?? [];
  if (column !== undefined) return column;
  const constraint = error.constraint ?? "";
  const table = error.table ?? "";
  if (constraint === `${table}_pkey`) return "id";
  return constraint.startsWith(`${table}_`)
    ? constraint.slice(table.length + 1).replace(/_key$/, "")
    : constraint;
}
