import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

export interface Fence {
  readonly kind: string;
  readonly text: string;
}

/** The code blocks of a page, in order. */
export function fences(page: string): readonly Fence[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind = "", text = ""]) => ({ kind, text }));
}

export interface Place {
  readonly folder: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** What stands in the page, and what it is called here. */
  readonly called?: Readonly<Record<string, string>>;
}

/** Runs a page's blocks as a reader would, who has `latchkey` in the path; answers what a block prints. */
export function reader({ folder, settings = {}, called = {} }: Place): (script: string) => Promise<string> {
  mkdirSync(join(folder, "bin"));
  const program = `exec '${process.execPath}' --no-env-file '${join(ROOT, "src/main.ts")}' "$@"`;
  writeFileSync(join(folder, "bin/latchkey"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  // Else curl calls a refusal a success.
  writeFileSync(join(folder, ".curlrc"), "fail-with-body\n");
  const kept = join(folder, "variables");
  writeFileSync(kept, "");

  return async (script) => {
    // Each answer on a line of its own; what a block sets is there in the next.
    const lines = script.replaceAll(/^curl (?:\\\n|[^\n|])*$/gm, "$&\necho");
    const here = Object.entries(called).reduce((text, [there, name]) => text.replaceAll(there, name), lines);
    const remember = `declare -p TOKEN REFRESH KEY >'${kept}' 2>/dev/null || true`;
    const shell = Bun.spawn(["bash", "-c", `set -euo pipefail\n. '${kept}'\n${here}\n${remember}`], {
      cwd: folder,
      env: { HOME: folder, PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, ...settings },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, exitCode] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
    if (exitCode !== 0) throw new Error(`exit code ${exitCode} of\n${script}\n${out}\n${err}`);
    return out;
  };
}
