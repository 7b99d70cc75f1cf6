import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { licenceTexts, sbom } from "../../scripts/sbom.ts";

const ROOT = join(import.meta.dir, "../..");
const { components, dependencies, ...about } = sbom(ROOT);
const names = new Set(components.map(({ name }) => name));
const project: { dependencies: Record<string, string>; devDependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
);

test("it is CycloneDX, and the same each time it is made", () => {
  expect(about).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  expect(JSON.stringify(sbom(ROOT))).toBe(JSON.stringify(sbom(ROOT)));
});

test("every package has a version, the hash of its archive and an address of its own", () => {
  expect(new Set(components.map(({ purl }) => purl)).size).toBe(components.length);
  for (const { name, version, purl, hashes } of components) {
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(purl).toEndWith(`@${name === "bun" ? "bun-v" : ""}${version}`);
    expect(hashes.every(({ content }) => /^[0-9a-f]{128}$/.test(content))).toBe(true);
    expect(hashes.length).toBe(name === "bun" ? 0 : 1);
  }
});

test("all that runs is in it with its own version, and nothing that only tests", () => {
  for (const [name, version] of Object.entries(project.dependencies)) {
    expect(components).toContainEqual(expect.objectContaining({ name, version }));
  }
  for (const name of ["ajv-formats", "axios", "fast-check", "simple-oauth2"]) {
    expect(project.devDependencies).toHaveProperty(name);
    expect([...names]).not.toContain(name);
  }
});

test("every package that is compiled in stands in it", async () => {
  const built = await Bun.build({ entrypoints: [join(ROOT, "src/main.ts")], target: "bun", metafile: true });
  const inputs = Object.keys(built.metafile?.inputs ?? {});
  const compiledIn = inputs.flatMap((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []);
  expect(compiledIn).toContain("elysia");
  expect([...new Set(compiledIn)].filter((name) => !names.has(name))).toEqual([]);
});

test("whoever is named as needed is there", () => {
  const refs = new Set([...components.map((each) => each["bom-ref"]), ...dependencies.map(({ ref }) => ref)]);
  expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([]);
});

test("the licences come along", () => {
  const texts = licenceTexts(ROOT);
  for (const name of Object.keys(project.dependencies)) expect(texts).toContain(`\n${name} `);
  expect(texts).toContain("Permission is hereby granted");
});
