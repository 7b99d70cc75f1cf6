/**
 * Compiles the program into one file that needs nothing else: `dist/latchkey`.
 *
 *     bun scripts/build.ts                            for this machine
 *     bun scripts/build.ts --target bun-linux-arm64   for another: dist/latchkey-linux-arm64
 *     bun scripts/build.ts --all                      for every one that is released
 *     bun scripts/build.ts --verify                   for this machine, twice: fails where the bytes differ
 *
 * Beside it: SHA256SUMS, what is inside (latchkey.cdx.json, CycloneDX), and the licences of that. The same sources
 * make the same bytes, wherever and whenever.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { leftOut } from "./left-out.ts";
import { licenceTexts, sbom } from "./sbom.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const NAME = "latchkey";
const SUMS = "SHA256SUMS";
const LICENCES = "LICENCES.txt";
const TARGET = /^bun-(?:linux|darwin|windows)-(?:x64|arm64|aarch64)(?:-(?:baseline|modern|musl|glibc))*$/;

const RELEASED: readonly Bun.Build.CompileTarget[] = [
  "bun-linux-x64",
  "bun-linux-arm64",
  "bun-linux-x64-musl",
  "bun-linux-arm64-musl",
  "bun-darwin-x64",
  "bun-darwin-arm64",
  "bun-windows-x64",
];

async function compile(target: string | undefined, folder: string): Promise<string> {
  const outfile = join(folder, target === undefined ? NAME : `${NAME}-${target.replace("bun-", "")}`);
  const { outputs } = await Bun.build({
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
    plugins: [leftOut],
    // Not identifiers: errors are told apart by the names of their classes.
    minify: { whitespace: true, syntax: true, identifiers: false },
    // Else a dependency would take the builder's NODE_ENV for that of whoever runs the binary.
    define: { "process.env.NODE_ENV": '"production"' },
    // Embedded, so that a stack in the log names the files of src; the copies beside the binary are not needed.
    sourcemap: "linked",
    // Parsed now rather than at each start, which halves the time to the first answer. Only for this machine: what
    // another one's engine would make of it is nothing that can be tried here.
    bytecode: target === undefined,
    format: "esm",
    // What is imported when it is needed stays apart, and a start does not read it.
    splitting: true,
  });
  for (const { kind, path } of outputs) if (kind === "sourcemap") rmSync(path, { force: true });
  return target?.includes("windows") ? `${outfile}.exe` : outfile;
}

async function isMadeAgain(binary: string, target: string | undefined): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-build-"));
  try {
    return readFileSync(await compile(target, folder)).equals(readFileSync(binary));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function isTarget(target: string | undefined): target is Bun.Build.CompileTarget {
  return target !== undefined && TARGET.test(target);
}

/** One line a file, as `sha256sum --check` reads them. */
function checksums(folder: string): string {
  const files = readdirSync(folder).filter((file) => file.startsWith(NAME) || file === LICENCES);
  const lines = files.toSorted().map((file) => {
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, file)))
      .digest("hex");
    return `${digest}  ${file}\n`;
  });
  return lines.join("");
}

function writePapers(): void {
  writeFileSync(join(DIST, `${NAME}.cdx.json`), `${JSON.stringify(sbom(ROOT), null, 2)}\n`);
  writeFileSync(join(DIST, LICENCES), licenceTexts(ROOT));
  writeFileSync(join(DIST, SUMS), checksums(DIST));
}

async function main(): Promise<number> {
  const { target, all, verify } = parseArgs({
    options: { target: { type: "string" }, all: { type: "boolean" }, verify: { type: "boolean" } },
  }).values;
  if (target !== undefined && !isTarget(target)) {
    console.error(`--target takes one of Bun's targets, such as bun-linux-arm64, not "${target}"`);
    return 64;
  }
  mkdirSync(DIST, { recursive: true });
  for (const each of all === true ? RELEASED : [target]) {
    const binary = await compile(each, DIST);
    const megabytes = (statSync(binary).size / 1_000_000).toFixed(1);
    console.log(`dist/${basename(binary)}  ${megabytes} MB`);
    if (verify === true && !(await isMadeAgain(binary, each))) {
      console.error(`${basename(binary)} came out otherwise the second time`);
      return 1;
    }
  }
  writePapers();
  return 0;
}

process.exitCode = await main();
