/**
 * What the product tells its operator. The core says what happened; how a line looks, where it goes and
 * which levels are shown is decided where the program is put together.
 */
export type LogLevel = "debug" | "info" | "warning" | "error";

/** Plain values only: whatever stands here ends up on one line of the log, so never a password or a token. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  /** `cause` is written with its stack, for the operator alone. */
  error(event: string, fields?: LogFields, cause?: unknown): void;
}

export const silentLog: Log = { debug() {}, info() {}, warning() {}, error() {} };
