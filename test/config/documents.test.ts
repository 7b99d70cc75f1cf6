import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { staleFiles, withTables } from "../../scripts/settings-docs.ts";
import { settingTable } from "../../src/config.ts";
import { configOf, mustLoad } from "./support.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

test(".env.example and the tables in the documents say what the code does", () => {
  expect(staleFiles(ROOT).map(({ path }) => path)).toEqual([]);
  expect(read("docs/configuration.md")).toContain("<!-- settings -->");
});

test(".env.example with every line uncommented is the default configuration", () => {
  const dotEnv = read(".env.example").replace(/^#(?=[A-Z0-9_]+=)/gm, "");
  for (const { name } of settingTable) expect(dotEnv).toMatch(new RegExp(`^${name}=`, "m"));
  const { database, ...rest } = mustLoad({ dotEnv }).config;
  expect({ ...rest, database }).toEqual(configOf({}));
});

test("every setting is read, and reported in the table's order", () => {
  const { report } = mustLoad({});
  expect(report.map(({ name }) => name)).toEqual(settingTable.map(({ name }) => name));
});

test("a document may ask for some of the settings", () => {
  const made = withTables("a\n<!-- settings: HOST PORT -->\nold\n<!-- /settings -->\nb\n");
  expect(made.match(/^\| `\w+`/gm)).toEqual(["| `HOST`", "| `PORT`"]);
  expect(made).not.toContain("old");
  expect(withTables(made)).toBe(made);
  expect(() => withTables("<!-- settings: PROT -->\n<!-- /settings -->")).toThrow("PROT");
});
