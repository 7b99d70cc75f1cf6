import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A process of its own, since what is tested is what a process is given. */
const PROBE = `
import { loadConfigFromProcess } from ${JSON.stringify(join(import.meta.dir, "../../src/config.ts"))};
const [envFile] = process.argv.slice(2);
const loaded = loadConfigFromProcess({ envFile });
console.log(JSON.stringify(loaded.ok ? loaded.report.find(({ name }) => name === "APP_NAME") : loaded.mistakes));
`;

let folder = "";
let probe = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "latchkey-config-"));
  probe = join(folder, "probe.ts");
  writeFileSync(probe, PROBE);
  writeFileSync(join(folder, "other.env"), "APP_NAME=other\n");
});

afterAll(() => rmSync(folder, { recursive: true }));

function run(
  command: readonly string[],
  environment: Record<string, string> = {},
  cwd: string = folder,
): unknown {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...command], {
    cwd,
    env: { PATH: process.env.PATH ?? "", ...environment },
  });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}

const fromSource = (...args: string[]) => [process.execPath, "--no-env-file", probe, ...args];
const appName = (value: string, source: string) => ({ name: "APP_NAME", value, source });

describe("from source", () => {
  test("with no .env, and with one", () => {
    expect(run(fromSource())).toEqual(appName("Latchkey", "default"));
    writeFileSync(join(folder, ".env"), "\uFEFFAPP_NAME=here\r\nPORT=9000\r\n");
    expect(run(fromSource())).toEqual(appName("here", ".env (APP_NAME)"));
    expect(run(fromSource(), { APP_NAME: "set" })).toEqual(appName("set", "environment (APP_NAME)"));
  });

  test("a file pointed to is read instead", () => {
    expect(run(fromSource("other.env"))).toEqual(appName("other", "other.env (APP_NAME)"));
  });

  test("a file pointed to must be there", () => {
    expect(run(fromSource("missing.env"))).toEqual(['--env-file: cannot read "missing.env" (ENOENT)']);
  });

  test("a line that cannot be read is a mistake beside those of the settings", () => {
    writeFileSync(join(folder, "wrong.env"), "APP_NAME='x\nPORT=high\nAPP_NAME=y");
    expect(run(fromSource("wrong.env"))).toEqual([
      expect.stringMatching(/^wrong\.env:1: .*"APP_NAME" is never closed/),
      expect.stringMatching(/^PORT: /),
    ]);
  });

  test("a file that is no UTF-8 text is a mistake", () => {
    writeFileSync(join(folder, "wide.env"), Buffer.from("\uFEFFAPP_NAME=x", "utf16le"));
    expect(run(fromSource("wide.env"))).toEqual(['--env-file: "wide.env" is not UTF-8 text']);
  });

  test("${NAME} reaches the environment", () => {
    writeFileSync(join(folder, "expanded.env"), "APP_NAME=${WHO:-nobody}'s");
    expect(run(fromSource("expanded.env"), { WHO: "Ada" })).toEqual(
      appName("Ada's", "expanded.env (APP_NAME)"),
    );
  });
});

describe("what Bun reads by itself, from source", () => {
  const elsewhere = (...files: string[]) => {
    const cwd = mkdtempSync(join(folder, "elsewhere-"));
    for (const file of files) writeFileSync(join(cwd, file), "APP_NAME=by Bun\n");
    return cwd;
  };
  const withoutFlag = () => [process.execPath, probe];

  test.if(process.platform === "linux").each([
    { files: [".env.local", ".env.production"], NODE_ENV: "" },
    { files: [".env.local", ".env.production"], NODE_ENV: "production" },
    { files: [".env.development.local", ".env.example"], NODE_ENV: "" },
  ])("counts for nothing: $files, NODE_ENV=$NODE_ENV", ({ files, NODE_ENV }) => {
    expect(run(withoutFlag(), { NODE_ENV }, elsewhere(...files))).toEqual(appName("Latchkey", "default"));
    const both = elsewhere(...files, ".env");
    writeFileSync(join(both, ".env"), "APP_NAME=ours#1 # by our rules");
    expect(run(withoutFlag(), { NODE_ENV }, both)).toEqual(appName("ours#1", ".env (APP_NAME)"));
    const set = { NODE_ENV, APP_NAME: "a=set" };
    expect(run(withoutFlag(), set, both)).toEqual(appName("a=set", "environment (APP_NAME)"));
  });

  test("counts where Bun was told what to read", () => {
    const toldOne = [process.execPath, "--env-file=.env", probe];
    expect(run(toldOne, {}, elsewhere(".env", ".env.local"))).toEqual(
      appName("by Bun", "environment (APP_NAME)"),
    );
  });

  test("is nothing in the folder of the sources, by its bunfig.toml", () => {
    const home = elsewhere(".env", ".env.local", ".env.development");
    copyFileSync(join(import.meta.dir, "../../bunfig.toml"), join(home, "bunfig.toml"));
    writeFileSync(join(home, "seen.ts"), "console.log(JSON.stringify(process.env.APP_NAME ?? null));");
    writeFileSync(join(home, "package.json"), '{"scripts": {"start": "bun seen.ts"}}');
    mkdirSync(join(home, "below"));
    expect(run([process.execPath, "seen.ts"], {}, home)).toBe(null);
    expect(run([process.execPath, "start"], {}, home)).toBe(null);
    expect(run([process.execPath, "start"], {}, join(home, "below"))).toBe(null);
    rmSync(join(home, "bunfig.toml"));
    expect(run([process.execPath, "start"], {}, home)).toBe("by Bun");
  });
});

test("S40 the compiled binary reads no .env but one it is pointed to", () => {
  const binary = join(folder, "probe");
  const flags = ["--compile", "--production", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const built = Bun.spawnSync([process.execPath, "build", ...flags, probe, "--outfile", binary]);
  expect(built.stderr.toString()).not.toContain("error");
  writeFileSync(join(folder, ".env"), "APP_NAME=stray\n");
  expect(run([binary])).toEqual(appName("Latchkey", "default"));
  expect(run([binary, "other.env"])).toEqual(appName("other", "other.env (APP_NAME)"));
  expect(run([binary, "missing.env"])).toEqual(['--env-file: cannot read "missing.env" (ENOENT)']);
}, 20_000);
