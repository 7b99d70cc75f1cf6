import { afterAll, beforeAll } from "bun:test";
import { sayOnce } from "./needed.ts";

const SERVER_URL = process.env["TEST_POSTGRES_URL"] ?? "postgres://root@127.0.0.1:5432/postgres";

/**
 * Whether tests can have databases of their own. Where a server must be there (in CI, or because one was named) its
 * absence fails the run; elsewhere what is skipped is said, once.
 */
export async function hasPostgres(): Promise<boolean> {
  try {
    await onServer("SELECT 1");
    return true;
  } catch (cause) {
    if (isRequired()) throw new Error("PostgreSQL cannot be reached, and its tests must run here", { cause });
    sayOnce(
      "SKIPPED: all tests on PostgreSQL, since none answers on 127.0.0.1:5432. " +
        "To run them: TEST_POSTGRES_URL=postgres://user:password@host:5432/postgres bun test",
    );
    return false;
  }
}

/** Nothing may be skipped in CI, nor where a server was named. */
export function isRequired(): boolean {
  return process.env["CI"] !== undefined || process.env["TEST_POSTGRES_URL"] !== undefined;
}

/** An empty database, there before the suite's tests and gone after them; answers its URL. */
export function temporaryPostgres(): string {
  const name = `latchkey_test_${process.pid}_${crypto.randomUUID().slice(0, 8)}`;
  beforeAll(() => onServer(`CREATE DATABASE ${name}`));
  afterAll(() => onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
  const url = new URL(SERVER_URL);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(sql: string): Promise<void> {
  const server = new Bun.SQL({ url: SERVER_URL, max: 1, connectionTimeout: 3 });
  try {
    await server.unsafe(sql);
  } finally {
    await server.close({ timeout: 0 });
  }
}
