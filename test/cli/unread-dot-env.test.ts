import { beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { latchkey, MAIN, scratchFolder } from "../support/process.ts";

const NOTE = "./.env is here and not read: --env-file .env reads it";
const folder = scratchFolder();
const binary = join(folder, "latchkey");

beforeAll(() => {
  const flags = ["--compile", "--production", "--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const built = Bun.spawnSync([process.execPath, "build", ...flags, MAIN, "--outfile", binary]);
  if (built.exitCode !== 0) throw new Error(built.stderr.toString());
}, 20_000);

/** With a mistake among the settings, at which even a server ends. */
function runBinary(cwd: string, ...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([binary, ...args], { cwd, env: { PORT: "high" } });
  return { exitCode, out: stdout.toString(), err: stderr.toString().trim().split("\n") };
}

function folderWithDotEnv(): string {
  const cwd = scratchFolder();
  writeFileSync(join(cwd, ".env"), "PORT=9000\n");
  return cwd;
}

describe("a .env that the compiled binary leaves alone", () => {
  const mistake = expect.stringMatching(/^PORT: "high"/);

  test.each(["serve", "config"])("is told by %s, above any mistake", (command) => {
    expect(runBinary(folderWithDotEnv(), command)).toEqual({ exitCode: 78, out: "", err: [NOTE, mistake] });
  });

  test("is told by doctor, as something to look at", () => {
    const { out } = runBinary(folderWithDotEnv(), "doctor");
    expect(out).toMatch(
      /^warning +settings +\.\/\.env is here and not read\n +-> --env-file \.env reads it\n/,
    );
    expect(out).toEndWith("0 ok, 1 to look at, 1 failed\n");
  });

  test.each(["serve", "config"])("is not told by %s where there is none, or it is pointed to", (command) => {
    expect(runBinary(scratchFolder(), command).err).toEqual([mistake]);
    expect(runBinary(folderWithDotEnv(), command, "--env-file", ".env").err).toEqual([mistake]);
  });
});

test("from source, where it is read, nothing is told", async () => {
  const { stderr, stdout } = await latchkey(["config"], { cwd: folderWithDotEnv() });
  expect({ stderr, port: /^PORT .*$/m.exec(stdout)?.[0] }).toEqual({
    stderr: "",
    port: expect.stringMatching(/ 9000 +\.env \(PORT\)$/),
  });
});
