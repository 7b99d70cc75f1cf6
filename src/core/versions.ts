import { Fault } from "./fault.ts";
import type { Noun } from "./fault.ts";

/**
 * What a caller takes a row to be before they change it: one of these versions, or whatever it is by now. Of two
 * who change the same version, the second is told that the first was faster.
 */
export type ExpectedVersion = readonly number[] | "any";

interface Versioned {
  readonly id: number;
  readonly version: number;
}

/**
 * Fails with `precondition_failed`. Answers the version that the write itself must still find, since another
 * transaction may change the row between this look and that write; undefined where any will do.
 */
export function requireVersion(
  expected: ExpectedVersion,
  noun: Noun,
  { id, version }: Versioned,
): number | undefined {
  if (expected === "any") return undefined;
  if (!expected.includes(version)) throw Fault.of({ kind: "precondition_failed", noun, id });
  return version;
}

/** A write found no row: there was none, or, where it was to be of one version, it is of another by now. */
export function rowGone(atVersion: number | undefined, noun: Noun, id: number): Fault {
  return Fault.of({ kind: atVersion === undefined ? "not_found" : "precondition_failed", noun, id });
}
