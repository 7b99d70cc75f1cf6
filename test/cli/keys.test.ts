import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeysCommand } from "../../src/cli/keys.ts";
import { DAY_MS, systemClock } from "../../src/core/clock.ts";
import { KeyFolder } from "../../src/key-files.ts";
import { load } from "../config/support.ts";
import { sharedKeys } from "../support/keys.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "latchkey-keys-"))));
afterEach(() => rmSync(folder, { recursive: true }));

/** The command as the shell would run it: its exit code, and all it wrote. */
async function keys(words: string, settings: Record<string, string> = {}, ageMs = 0) {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const environment = { KEYS_DIR: folder, ...settings };
  const clock = { nowMs: () => systemClock.nowMs() + ageMs };
  const command = makeKeysCommand(() => load({ environment }), clock);
  const code = await command.run(words.split(" "), { out: note, err: note, isInteractive: false });
  return { code, said: lines.join("\n") };
}

const [KID, ALGORITHM, FILE] = [0, 1, 4];
async function column(index: number): Promise<readonly (string | undefined)[]> {
  const { said } = await keys("list");
  return said
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/)[index]);
}

describe("latchkey keys", () => {
  test("generate makes a pair for the algorithm asked for, else the setting's, else RS256, and never twice", async () => {
    expect(await keys("generate --algorithm eddsa", { JWT_ALGORITHM: "ES256" })).toMatchObject({ code: 0 });
    expect(await column(ALGORITHM)).toEqual(["EdDSA"]);
    expect(await keys("generate")).toMatchObject({
      code: 1,
      said: expect.stringContaining("private_key.pem is there already and is not overwritten"),
    });
    for (const [settings, algorithm] of [
      [{ JWT_ALGORITHM: "ES256" }, "ES256"],
      [{ JWT_ALGORITHM: "HS256" }, "RS256"],
    ] as const) {
      rmSync(folder, { recursive: true });
      await keys("generate", settings);
      expect(await column(ALGORITHM)).toEqual([algorithm]);
    }
  });

  test("rotate, announced or not, and retire, each key told by its kid", async () => {
    await keys("generate --algorithm ES256");
    const [first = ""] = await column(KID);
    const { said: announced } = await keys("generate --next --algorithm ES256");
    const [, next = ""] = await column(KID);
    expect(announced).toBe(
      `made ${next} (ES256) in ${folder}\nIt is published and verifies now, and signs after \`latchkey keys rotate\`.`,
    );
    expect((await keys("rotate")).said).toContain(`${next} (ES256) signs\n${first} (ES256) still verifies`);
    expect(await column(KID)).toEqual([next, first]);
    expect((await keys("rotate --algorithm EdDSA")).said).toContain(
      "start the servers anew with JWT_ALGORITHM=EdDSA",
    );
    expect(await keys(`retire ${first}`)).toEqual({
      code: 0,
      said: `removed retired-${first.slice(0, 16)}.pem\nRunning servers take this up within seconds.`,
    });
    expect(await column(KID)).toHaveLength(2);
    expect(await keys(`retire ${first}`)).toMatchObject({ code: 1 });
    expect(await column(FILE)).toEqual(["private_key.pem", `retired-${next.slice(0, 16)}.pem`]);
  });

  test("rotate goes by the setting where no algorithm is named", async () => {
    await keys("generate --algorithm EdDSA");
    expect((await keys("rotate", { JWT_ALGORITHM: "ES256" })).said).toContain(" (ES256) signs\n");
  });

  test("a kid that begins with a hyphen is no option", async () => {
    await keys("generate --algorithm ES256");
    const kid = `-${"a".repeat(42)}`;
    for (const words of [`retire ${kid}`, `retire -- ${kid}`]) {
      expect(await keys(words)).toEqual({
        code: 1,
        said: `latchkey keys: there is no key ${kid} in ${folder}`,
      });
    }
  });

  test("a mistake in the settings is told, and nothing is made", async () => {
    expect(await keys("generate", { PORT: "x" })).toEqual({
      code: 78,
      said: expect.stringMatching(/^PORT: /),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("list tells ages, and an empty folder what to do", async () => {
    expect((await keys("list")).said).toContain("latchkey keys generate");
    await keys("generate --algorithm ES256");
    expect((await keys("list", {}, 5 * DAY_MS)).said).toContain("ES256      signs  5 days  private_key.pem");
    // A clock that was put back.
    expect((await keys("list", {}, -DAY_MS)).said).toContain("ES256      signs  0 h  private_key.pem");
  });

  test.each([
    ["", "takes generate, list, rotate or retire KID"],
    ["list x", 'list does not take "x"'],
    ["retire", "retire takes the kid"],
    ["retire a b", 'retire does not take "b"'],
    ["generate --algorithm HS256", "--algorithm takes RS256, ES256, EdDSA"],
    ["rotate --next", "--next goes with generate"],
    ["list --algorithm ES256", "--algorithm goes with generate and rotate"],
  ])("%p is not understood", async (words, problem) => {
    const { code, said } = await keys(words);
    expect(code).toBe(64);
    expect(said).toContain(problem);
  });
});

describe("a start in production", () => {
  const production = {
    PATH: process.env["PATH"] ?? "",
    ENVIRONMENT: "production",
    SECRET_KEY: "Zk3v9Qm-7Yt1RwXc5Hs8Lb2NfPd6Gj0A",
    PORT: "0",
  };

  function serve(settings: Record<string, string>) {
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, MAIN, "serve"], {
      cwd: folder,
      env: { ...production, ...settings },
      timeout: 10_000,
    });
    return { exitCode, stderr: stderr.toString() };
  }

  test("without keys ends with 78 and one line, and makes none", () => {
    expect(serve({})).toEqual({
      exitCode: 78,
      stderr:
        "latchkey: there is no private_key.pem in keys (KEYS_DIR): make the keys with `latchkey keys generate`\n",
    });
    expect(() => new KeyFolder(join(folder, "keys")).read()).toThrow();
  });

  test("with a key for another algorithm than JWT_ALGORITHM ends the same way", () => {
    const { exitCode, stderr } = serve({ KEYS_DIR: sharedKeys(), JWT_ALGORITHM: "ES256" });
    expect(exitCode).toBe(78);
    expect(stderr).toContain("signs with RS256, and tokens are to be signed with ES256");
    expect(stderr.split("\n")).toHaveLength(2);
  });

  test("with a damaged key tells no part of it", () => {
    writeFileSync(
      join(folder, "private_key.pem"),
      readFileSync(join(sharedKeys(), "private_key.pem"), "utf8").slice(0, 600),
    );
    const { exitCode, stderr } = serve({ KEYS_DIR: folder });
    expect(exitCode).toBe(78);
    expect(stderr).toStartWith(`latchkey: ${join(folder, "private_key.pem")}`);
    expect(stderr.length).toBeLessThan(250);
  });
});
