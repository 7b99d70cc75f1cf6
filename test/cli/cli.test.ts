import { describe, expect, test } from "bun:test";
import { commandNames, run } from "../../src/cli/cli.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { VERSION } from "../../src/version.ts";

async function latchkey(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    out: (line: string) => out.push(line),
    err: (line: string) => err.push(line),
    isInteractive: false,
  };
  const exitCode = await run(args, terminal);
  return { exitCode, out: out.join("\n"), err: err.join("\n") };
}

describe("the command line", () => {
  for (const args of [[], ["--help"], ["-h"], ["help"]]) {
    test(`latchkey ${args.join(" ")} lists every command`, async () => {
      const { exitCode, out } = await latchkey(...args);
      expect(exitCode).toBe(0);
      for (const name of commandNames) {
        const [summary = ""] = (await latchkey(name, "--help")).out.split("\n");
        expect(summary).not.toBe("");
        expect(out).toMatch(new RegExp(`  ${name} .*${RegExp.escape(summary)}`));
      }
    });
  }

  for (const name of commandNames) {
    test(`latchkey ${name} --help explains it, with examples`, async () => {
      const { exitCode, out } = await latchkey(name, "--help");
      expect(exitCode).toBe(0);
      expect(out).toContain(`usage: latchkey ${name}`);
      expect(out).toContain("examples:");
      expect((await latchkey("help", name)).out).toBe(out);
    });
  }

  test("latchkey version prints it", async () => {
    for (const word of ["version", "--version", "-v", "-V"]) {
      expect(await latchkey(word)).toMatchObject({
        exitCode: 0,
        out: expect.stringContaining(`latchkey ${VERSION}`),
      });
    }
  });

  test("latchkey --help COMMAND explains it, as help does", async () => {
    expect(await latchkey("--help", "migrate")).toEqual(await latchkey("help", "migrate"));
  });

  test("an unknown word suggests the nearest", async () => {
    expect(await latchkey("srve")).toMatchObject({
      exitCode: 64,
      err: expect.stringContaining('Did you mean "serve"?'),
    });
    expect(await latchkey("help", "migrat")).toMatchObject({
      exitCode: 64,
      err: expect.stringContaining('"migrate"'),
    });
    for (const [command, word, meant] of [
      ["migrate", "statsu", "status"],
      ["admin", "creat", "create"],
      ["user", "promot", "promote"],
      ["audit", "verfiy", "verify"],
      ["keys", "rotat", "rotate"],
    ] as const) {
      expect(await latchkey(command, word)).toMatchObject({
        exitCode: 64,
        err: expect.stringContaining(`Did you mean "${meant}"?`),
      });
    }
    const strange = await latchkey("xyzzyplugh");
    expect(strange.exitCode).toBe(64);
    expect(strange.err).not.toContain("Did you mean");
  });

  test("what a command does not take is refused with its usage", async () => {
    for (const args of [
      ["serve", "now"],
      ["serve", "--fast"],
      ["migrate"],
      ["migrate", "sideways"],
      ["migrate", "up", "3"],
      ["version", "2"],
      ["--version", "2"],
      ["help", "serve", "now"],
    ]) {
      const { exitCode, err } = await latchkey(...args);
      expect(exitCode).toBe(64);
      expect(err).not.toContain("    at ");
    }
  });
});

test("the nearest word is found where there is one", () => {
  const words = ["serve", "migrate", "config", "version", "help"];
  for (const [word, expected] of [
    ["SERVE", "serve"],
    ["sever", "serve"],
    ["migrtae", "migrate"],
    ["conf", "config"],
    ["halp", "help"],
    ["x", null],
    ["", null],
  ] as const) {
    expect(nearest(word, words)).toBe(expected);
  }
});
