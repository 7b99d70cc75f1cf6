import { describe, expect, test } from "bun:test";

import { describeAsJson, describeConfig, makeConfigCommand } from "../../src/cli/config.ts";
import { load, mustLoad, type Variables } from "../config/support.ts";

const SECRETS = {
  SECRET_KEY: "word-one",
  DATABASE_URL: "postgres://user:word-two@h/d?password=word-three",
  REDIS_URL: "redis://:word-four@h",
  ADMIN_SETUP_TOKEN: "word-five",
  METRICS_TOKEN: "word-six",
  PGPASSWORD: "word-seven",
};

async function run(environment: Variables, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const asked: (string | undefined)[] = [];
  const command = makeConfigCommand(({ envFile }) => {
    asked.push(envFile);
    return load({ environment });
  });
  const terminal = {
    out: (line: string) => void out.push(line),
    err: (line: string) => void err.push(line),
    isInteractive: false,
  };
  const exitCode = await command.run(args, terminal);
  return { exitCode, out: out.join("\n"), err, asked };
}

describe("latchkey config", () => {
  test("S15 shows no secret, as text or as JSON", () => {
    const { report } = mustLoad({ environment: SECRETS });
    for (const shown of [describeConfig(report), describeAsJson(report)]) {
      expect(shown).not.toContain("word-");
      expect(shown).toContain("********");
      expect(shown).toContain("postgres://user:********@h/d");
    }
  });

  test("masks a Redis token that stands where the user name would", () => {
    const { report } = mustLoad({ environment: { REDIS_URL: "redis://word-one@h" } });
    expect(describeConfig(report)).not.toContain("word-");
  });

  test("prints name, value and source in columns", () => {
    const { report } = mustLoad({ environment: { APP_PORT: "9000" } });
    const lines = describeConfig(report).split("\n");
    expect(lines).toContainEqual(expect.stringMatching(/^PORT +9000 +environment \(APP_PORT\)$/));
    expect(lines).toContainEqual(expect.stringMatching(/^REDIS_URL +\(not set\) +default$/));
    const columns = lines.map((line) => line.search(/default$/)).filter((column) => column >= 0);
    expect(new Set(columns).size).toBe(1);
  });

  test("--json gives values their types", async () => {
    const { exitCode, out } = await run({ PORT: "9000", CORS_ORIGINS: "http://a" }, "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      PORT: { value: 9000, source: "environment (PORT)" },
      DEBUG: { value: true, source: "default" },
      CORS_ORIGINS: { value: ["http://a"] },
      REDIS_URL: { value: null },
    });
  });

  test("--env-file is passed on", async () => {
    expect((await run({}, "--env-file", "x.env")).asked).toEqual(["x.env"]);
    expect((await run({}, "--env-file=x.env")).asked).toEqual(["x.env"]);
    expect((await run({})).asked).toEqual([undefined]);
  });

  test("mistakes go to stderr, a line each, with exit code 78", async () => {
    const { exitCode, out, err } = await run({ PORT: "x", DEBUG: "x" });
    expect({ exitCode, out }).toEqual({ exitCode: 78, out: "" });
    expect(err.map((line) => line.split(":")[0])).toEqual(["DEBUG", "PORT"]);
  });

  for (const args of [["--jsn"], ["word"], ["--env-file"], ["--json=yes"]]) {
    test(`${args.join(" ")} is not understood: exit code 64`, async () => {
      const { exitCode, err, asked } = await run({}, ...args);
      expect({ exitCode, asked }).toEqual({ exitCode: 64, asked: [] });
      expect(err[0]).toStartWith("latchkey config: ");
      expect(err[1]).toStartWith("usage: latchkey config");
    });
  }
});
