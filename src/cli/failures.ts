import { Fault } from "../core/fault.ts";
import { SourceRefused } from "../core/import/source.ts";
import { KeysRefused } from "../key-files.ts";
import { DatabaseRefused } from "../storage/database.ts";
import { MigrationRefused } from "../storage/migrations.ts";
import { isForbidden, isReadOnly } from "../storage/postgres-errors.ts";
import { BackupRefused } from "../storage/sqlite-backup.ts";
import { CopyRefused } from "../storage/table-comparison.ts";
import type { Terminal } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";

/** What a command found wrong, in one line, and the exit code that goes with it. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.badInput) {
    super(message);
    this.name = "Refusal";
    this.exitCode = exitCode;
  }
}

export const TAKES_NO_WRITES =
  "the database takes no writes: it is a standby, or set read-only; see DATABASE_URL";

/** Says in one line what an operator can put right, and answers the exit code; anything else is a fault of ours. */
export function explainFailure(error: unknown, terminal: Pick<Terminal, "err">): number {
  const { message, exitCode } = explanation(error);
  terminal.err(`latchkey: ${message}`);
  return exitCode;
}

function explanation(error: unknown): { readonly message: string; readonly exitCode: number } {
  if (error instanceof Refusal) return error;
  if (error instanceof KeysRefused) return { message: error.message, exitCode: exitCodes.config };
  if (error instanceof BackupRefused) return { message: error.message, exitCode: exitCodes.inputOutput };
  if (error instanceof CopyRefused) return { message: error.message, exitCode: exitCodes.failure };
  if (error instanceof MigrationRefused) return { message: error.message, exitCode: exitCodes.failure };
  if (error instanceof SourceRefused) {
    return { message: `the database to import from: ${error.message}`, exitCode: exitCodes.badInput };
  }
  if (error instanceof DatabaseRefused) {
    return { message: `${error.message}; see DATABASE_URL`, exitCode: exitCodes.unavailable };
  }
  if (error instanceof Fault) return faultExplanation(error);
  if (isForbidden(error)) {
    return { message: `the database does not allow it: ${error.message}`, exitCode: exitCodes.failure };
  }
  if (isListenFailure(error)) {
    const reason = WHY_NOT_LISTENING[error.code] ?? error.code;
    return {
      message: `cannot listen: ${reason}; see HOST, PORT and METRICS_PORT`,
      exitCode: exitCodes.unavailable,
    };
  }
  throw error;
}

/** The rest are rare, and their codes say as much as could be said here. */
const WHY_NOT_LISTENING: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use: another program serves there",
  EADDRNOTAVAIL: "this machine has no such address",
  EINVAL: "HOST is no address of this machine, and no name for one",
  EACCES: "the system does not allow it to this user, as with ports below 1024",
};

function isListenFailure(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return false;
  return error.syscall === "listen" && typeof error.code === "string";
}

function faultExplanation(fault: Fault): { readonly message: string; readonly exitCode: number } {
  switch (fault.what.kind) {
    case "unavailable":
      if (isReadOnly(fault)) return { message: TAKES_NO_WRITES, exitCode: exitCodes.unavailable };
      return {
        message: "the database cannot be reached or did not answer in time: see DATABASE_URL",
        exitCode: exitCodes.unavailable,
      };
    case "conflict":
      return {
        message: `the ${fault.what.field} is taken, perhaps by a deleted account`,
        exitCode: exitCodes.badInput,
      };
    case "not_found":
      return { message: `there is no such ${fault.what.noun}`, exitCode: exitCodes.badInput };
    default:
      throw fault;
  }
}
