import { databaseUrl } from "../config.ts";
import type { DatabaseTarget } from "../config.ts";

type Address =
  { readonly ok: true; readonly value: DatabaseTarget } | { readonly ok: false; readonly problem: string };

/** An address from the command line, as DATABASE_URL has it. What is wrong is told without it: it may hold a password. */
export function databaseAddress(text: string): Address {
  const parsed = databaseUrl.parse(text);
  return parsed.ok ? parsed : { ok: false, problem: parsed.problem ?? `takes ${databaseUrl.takes}` };
}
