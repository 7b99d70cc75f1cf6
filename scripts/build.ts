/**
 * Compiles the program into one file that needs nothing else: `dist/latchkey`.
 *
 *     bun scripts/build.ts                            for this machine
 *     bun scripts/build.ts --target bun-linux-arm64   for another: dist/latchkey-linux-arm64
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const NAME = "latchkey";
const TARGET = /^bun-(?:linux|darwin|windows)-(?:x64|arm64|aarch64)(?:-(?:baseline|modern|musl|glibc))*$/;

async function compile(target: string | undefined): Promise<string> {
  const outfile = join(DIST, target === undefined ? NAME : `${NAME}-${target.replace("bun-", "")}`);
  await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    compile: {
      outfile,
      ...(isTarget(target) ? { target } : {}),
      // What lies about where the binary is started must not change what it does.
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
    // Not identifiers: errors are told apart by the names of their classes.
    minify: { whitespace: true, syntax: true, identifiers: false },
    // Else a dependency would take the builder's NODE_ENV for that of whoever runs the binary.
    define: { "process.env.NODE_ENV": '"production"' },
    // Embedded, so that a stack in the log names the files of src; the copy beside the binary is not needed.
    sourcemap: "linked",
    // Parsed now rather than at each start, which halves the time to the first answer. Only for this machine: what
    // another one's engine would make of it is nothing that can be tried here.
    bytecode: target === undefined,
    format: "esm",
  });
  rmSync(`${outfile}.map`, { force: true });
  return target?.includes("windows") ? `${outfile}.exe` : outfile;
}

function isTarget(target: string | undefined): target is Bun.Build.CompileTarget {
  return target !== undefined && TARGET.test(target);
}

/** One line a binary, as `sha256sum --check` reads them. */
function checksums(folder: string): string {
  const binaries = readdirSync(folder).filter((file) => file.startsWith(NAME));
  const lines = binaries.toSorted().map((file) => {
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
    return `${digest}  ${file}\n`;
  });
  return lines.join("");
}

async function main(): Promise<number> {
  const { target } = parseArgs({ options: { target: { type: "string" } } }).values;
  if (target !== undefined && !isTarget(target)) {
    console.error(`--target takes one of Bun's targets, such as bun-linux-arm64, not "${target}"`);
    return 64;
  }
  mkdirSync(DIST, { recursive: true });
  const binary = await compile(target);
  writeFileSync(join(DIST, "SHA256SUMS"), checksums(DIST));
  const megabytes = (statSync(binary).size / 1_000_000).toFixed(1);
  console.log(`dist/${basename(binary)}  ${megabytes} MB`);
  return 0;
}

process.exitCode = await main();
