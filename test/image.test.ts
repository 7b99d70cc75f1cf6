import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { engines, packageManager, version } from "../package.json";
import { loadConfig } from "../src/config.ts";

const dockerfile = readFileSync(join(import.meta.dir, "../Dockerfile"), "utf8");

test("the image is built with the Bun that package.json pins", () => {
  expect(dockerfile).toMatch(new RegExp(`^FROM oven/${packageManager.replace("@", ":")} `, "m"));
  expect(packageManager).toBe(`bun@${engines.bun}`);
  expect(Bun.version).toBe(engines.bun);
});

test("the image is labelled with the version of package.json", () => {
  expect(dockerfile).toContain(`\nARG VERSION=${version}\n`);
});

test("the image's own settings are known ones, and good for production once it has its secret", () => {
  const [block = ""] = /^ENV (?:.*\\\n)*.*$/m.exec(dockerfile) ?? [];
  const given = [...block.matchAll(/([A-Z_]+)=(\S+)/g)].map(
    ([, name = "", value = ""]) => [name, value] as const,
  );
  const environment = { ...Object.fromEntries(given), SECRET_KEY: "Zk3v9Qm-7Yt1RwXc5Hs8Lb2NfPd6Gj0A" };
  const loaded = loadConfig({ environment, dotEnv: undefined, cores: 1, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.mistakes.join("\n"));
  expect(loaded.config).toMatchObject({
    isProduction: true,
    host: "0.0.0.0",
    port: 8000,
    keysDir: "/data/keys",
  });
  expect(loaded.config.database).toMatchObject({ engine: "sqlite", path: "/data/app.db" });
  const sources = new Map(loaded.report.map(({ name, source }) => [name, source]));
  for (const [name] of given) expect(sources.get(name)).toBe(`environment (${name})`);
});
