import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");

/** Where the types of Kubernetes' own API keep what a manifest says it is. */
const MODULES: Readonly<Record<string, string>> = { v1: "core/v1", "networking.k8s.io/v1": "networking/v1" };

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: "Preserve",
    moduleResolution: "bundler",
    types: [],
  },
};

/** What the type checker says of manifests, held against the types of Kubernetes' API; empty where they fit. */
export async function problemsOf(manifests: readonly unknown[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-manifests-"));
  try {
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
    mkdirSync(join(folder, "checked"));
    for (const [index, manifest] of manifests.entries()) {
      writeFileSync(join(folder, "checked", `${index}.ts`), asTypeScript(manifest));
    }
    const checking = Bun.spawn([process.execPath, "check", "--no-pretty", "-p", folder], {
      cwd: folder,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const said = (await checking.stdout.text()) + (await checking.stderr.text());
    return (await checking.exited) === 0 ? "" : said;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function asTypeScript(manifest: unknown): string {
  const { apiVersion, kind }: { apiVersion?: unknown; kind?: unknown } = Object(manifest);
  if (typeof apiVersion !== "string" || typeof kind !== "string")
    throw new Error("it does not say what it is");
  const module = MODULES[apiVersion] ?? apiVersion;
  return `import type { ${kind} } from "kubernetes-types/${module}";
export const manifest: Required<Pick<${kind}, "apiVersion" | "kind" | "metadata">> & ${kind} = ${JSON.stringify(manifest, null, 2)};\n`;
}
