import { existsSync } from "node:fs";
import type { Log } from "../core/log.ts";
import type { Database, StatementListener } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";
import { readSqlite } from "./sqlite-snapshot.ts";

/** Which engine, where, and within what limits. */
export type DatabaseTarget = (
  { readonly engine: "sqlite"; readonly path: string } | { readonly engine: "postgres"; readonly url: string }
) & {
  readonly poolMinConnections: number;
  readonly poolMaxConnections: number;
  readonly acquireTimeoutMs: number;
  readonly statementTimeoutMs: number;
  readonly prepare: boolean;
  /** Whether each statement is logged, with its duration and without its values. */
  readonly echo: boolean;
};

/** The file that is not there yet, and that SQLite makes where it is opened; null where nothing is missing. */
export function missingFile(target: DatabaseTarget): string | null {
  return target.engine === "sqlite" && !existsSync(target.path) ? target.path : null;
}

/** `listener` hears of every statement, whether or not it is logged. */
export function openDatabase(target: DatabaseTarget, log: Log, listener?: StatementListener): Database {
  const onStatement = target.echo ? both(echoTo(log), listener) : listener;
  if (target.engine === "sqlite") {
    return openSqlite({ path: target.path, busyTimeoutMs: target.statementTimeoutMs, onStatement, log });
  }
  return openPostgres({
    url: target.url,
    poolMin: target.poolMinConnections,
    poolMax: target.poolMaxConnections,
    acquireTimeoutMs: target.acquireTimeoutMs,
    statementTimeoutMs: target.statementTimeoutMs,
    prepare: target.prepare,
    onStatement,
    log,
  });
}

/** A database that is only read, each time as it is at one moment: an SQLite file is not changed in a single byte. */
export type ReadOnlyDatabase = Pick<Database, "engine" | "snapshot" | "close">;

export function openReadOnly(target: DatabaseTarget, log: Log): ReadOnlyDatabase {
  if (target.engine === "postgres") return openDatabase(target, log);
  return {
    engine: "sqlite",
    snapshot: (work) => readSqlite(target.path, work),
    close: async () => {},
  };
}

function both(first: StatementListener, second: StatementListener | undefined): StatementListener {
  return (sql, durationMs) => {
    first(sql, durationMs);
    second?.(sql, durationMs);
  };
}

function echoTo(log: Log): StatementListener {
  return (sql, durationMs) => {
    log.info("sql", { sql: sql.replace(/\s+/g, " ").trim(), ms: Math.round(durationMs * 1_000) / 1_000 });
  };
}
