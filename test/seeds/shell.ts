import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Printed {
  readonly status: number;
  /** Parsed where it is JSON, else the text. */
  readonly body: unknown;
}

/** Runs a seed's examples in one folder, as a reader does who pastes them into a terminal one after the other. */
export class Shell implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "latchkey-seed-"));

  constructor() {
    // The examples stay as they are written: that curl prints the status is said here.
    writeFileSync(join(this.#folder, ".curlrc"), 'silent\nshow-error\nwrite-out = "\\n@%{http_code}\\n"\n');
  }

  /** The answers that the snippet printed, in order; what else it printed is left out. */
  async run(snippet: string): Promise<readonly Printed[]> {
    const child = Bun.spawn(["bash", "-euo", "pipefail", "-c", snippet], {
      cwd: this.#folder,
      env: { HOME: this.#folder, PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors, exitCode] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    expect([exitCode, errors.includes("curl: (")]).toEqual([0, false]);
    return [...output.matchAll(/([\s\S]*?)\n@(\d{3})\n/g)].map(([, body = "", status]) => ({
      status: Number(status),
      body: parsed(body),
    }));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `body` may have lines of the snippet's own before it, as of `echo`: the answer is the last line. */
function parsed(text: string): unknown {
  const last = text.trim().split("\n").at(-1) ?? "";
  return last === "" ? undefined : JSON.parse(last);
}
