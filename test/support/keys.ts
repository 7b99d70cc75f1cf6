import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyFolder } from "../../src/key-files.ts";

/** Each test file has modules of its own; the process is theirs in common. */
const VARIABLE = "LATCHKEY_TEST_KEYS";

/** A folder with a pair of RSA keys, made once a run: that takes as long as twenty tests. */
export function sharedKeys(): string {
  const made = process.env[VARIABLE];
  if (made !== undefined && existsSync(made)) return made;
  const folder = mkdtempSync(join(tmpdir(), "latchkey-keys-"));
  new KeyFolder(folder).makeMissing("RS256");
  process.env[VARIABLE] = folder;
  return folder;
}

export function removeSharedKeys(): void {
  const made = process.env[VARIABLE];
  if (made !== undefined) rmSync(made, { recursive: true, force: true });
}
