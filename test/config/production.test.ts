import { describe, expect, test } from "bun:test";

import { warnings } from "../../src/config.ts";
import { configOf, expectMistake, GOOD_SECRET, mistakesOf, type Variables } from "./support.ts";

const production = (more: Variables = {}) => ({
  ENVIRONMENT: "production",
  SECRET_KEY: GOOD_SECRET,
  ...more,
});

describe("SECRET_KEY in production", () => {
  const examples = [
    "supersecretkey",
    "your-secret-key-here",
    "your-secret-key-change-in-production",
    "your-production-secret",
    "changeme",
    "secret",
    "YOUR-SECRET-KEY-CHANGE-IN-PRODUCTION",
    "your_secret_key_change_in_production_0123456789",
    "supersecretkey-supersecretkey-supersecretkey",
    "changeme000000000000000000000000000000",
    "secret!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
    "secret-xxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx",
    "replace-this-with-a-long-random-string-of-32-characters",
    "5xQJYZX9cg4yTt1RmKnb8skhmQ45BN_bgfbTpyPo14Q",
  ];
  for (const example of examples) {
    test(`is not ${example}`, () => {
      expectMistake(production({ SECRET_KEY: example }), "SECRET_KEY: is an example that everybody knows");
    });
  }

  test("is required", () => expectMistake(production({ SECRET_KEY: "" }), "SECRET_KEY: is required"));
  test("has 32 bytes", () => {
    expectMistake(production({ SECRET_KEY: GOOD_SECRET.slice(1) }), "SECRET_KEY: is too short");
    expect(mistakesOf(production({ SECRET_KEY: GOOD_SECRET }))).toEqual([]);
  });
  test("is more than a few characters repeated", () => {
    expectMistake(production({ SECRET_KEY: "abcdefg".repeat(9) }), "SECRET_KEY: repeats too few characters");
  });
  test("is never echoed", () => {
    expect(mistakesOf(production({ SECRET_KEY: "hunter2hunter2" })).join()).not.toContain("hunter2");
  });
  test("that cannot be read is one mistake, not two", () => {
    expectMistake({ ENVIRONMENT: "production", SECRET_KEY_FILE: "/nowhere" }, "SECRET_KEY_FILE: cannot read");
  });

  const random = [
    "0f8a3c1e9b7d5f2046a8c0e1b3d5f79102468ace13579bdf",
    "90817263544536271809918273645546372819100",
    "secret-7Yt1RwXc5Hs8Lb2NfPd6Gj0AZk3v9Qm",
    "p7mQ+f3/9zVbX0aKsecretLw8e5RtYu2Io6P4dGhJ1c=",
  ];
  for (const key of random) {
    test(`may be ${key}`, () => expect(mistakesOf(production({ SECRET_KEY: key }))).toEqual([]));
  }
});

test("ENVIRONMENT=production changes the defaults that depend on it", () => {
  expect(configOf(production())).toMatchObject({
    isProduction: true,
    debug: false,
    logJson: true,
    cookie: { secure: true, sameSite: "strict" },
  });
  expect(configOf({ ENVIRONMENT: "prod", SECRET_KEY: GOOD_SECRET }).isProduction).toBe(true);
  expect(configOf({})).toMatchObject({
    isProduction: false,
    debug: true,
    logJson: false,
    cookie: { secure: false, sameSite: "lax" },
  });
});

test("S40 NODE_ENV does not decide what is production", () => {
  expect(configOf({ NODE_ENV: "production" }).environment).toBe("development");
  expect(mistakesOf({ NODE_ENV: "development", ENVIRONMENT: "production" })).toHaveLength(1);
});

describe("warnings", () => {
  const startOf = (environment: Variables) =>
    warnings(configOf(environment)).map((warning) => warning.split(" ")[0] ?? "");

  test("production set up well has none", () => expect(warnings(configOf(production()))).toEqual([]));

  test("outside production a missing or a weak key is a warning", () => {
    expect(startOf({})).toEqual(["ENVIRONMENT", "SECRET_KEY"]);
    expect(startOf({ SECRET_KEY: "short" })).toEqual(["ENVIRONMENT", "SECRET_KEY"]);
    expect(startOf({ SECRET_KEY: GOOD_SECRET })).toEqual(["ENVIRONMENT"]);
  });

  const unfit = [
    ["DEBUG", "true"],
    ["COOKIE_SECURE", "false"],
    ["RATE_LIMIT_ENABLED", "false"],
    ["DB_ECHO", "true"],
    ["CORS_ORIGINS", "http://front.example"],
    ["ADMIN_SETUP_TOKEN", "fifteen-bytes.."],
    ["METRICS_TOKEN", "fifteen-bytes.."],
  ] as const;
  for (const [name, value] of unfit) {
    test(`${name}=${value} in production is one`, () => {
      expect(startOf(production({ [name]: value }))).toEqual([name]);
    });
  }

  test("a token of 16 bytes is none", () => {
    const tokens = { ADMIN_SETUP_TOKEN: "of-sixteen-bytes", METRICS_TOKEN: "of-sixteen-bytes" };
    expect(startOf(production(tokens))).toEqual([]);
  });

  test("hold no secret", () => {
    const said = warnings(configOf({ SECRET_KEY: "hunter2", METRICS_TOKEN: "hunter3" })).join();
    expect(said).not.toContain("hunter");
  });
});
