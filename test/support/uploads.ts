import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Made by the first upload of a program that has no folder of its own; one for the whole run. */
export const SHARED_UPLOADS = join(tmpdir(), `latchkey-test-uploads-${process.pid}`);

export function removeSharedUploads(): void {
  rmSync(SHARED_UPLOADS, { recursive: true, force: true });
}
