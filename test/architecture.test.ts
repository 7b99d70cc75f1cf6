import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

const SRC = join(import.meta.dir, "../src");
const EVERYTHING = [""];

/** Who may import whom: the first folder that a file lies in decides. `type core/` allows the types alone. */
const mayImport: readonly (readonly [from: string, to: readonly string[]])[] = [
  ["core/", ["core/"]],
  ["storage/", ["core/", "storage/"]],
  ["redis/", ["core/", "redis/"]],
  ["tracing/", ["core/", "tracing/", "type storage/", "version.ts"]],
  ["http/", ["core/", "http/"]],
  ["surfaces/operations/guides/", ["core/", "http/", "surfaces/operations/guides/", "../docs/"]],
  // `surfaces/*/` becomes the surface's own folder: no surface knows another.
  ["surfaces/", ["core/", "http/", "surfaces/*/"]],
  ["app.ts", ["core/", "http/", "surfaces/", "config.ts", "version.ts"]],
  ["config.ts", ["config/"]],
  ["config/", ["config/", "type core/", "core/ip-address.ts"]],
  ["log.ts", ["core/"]],
  ["metrics.ts", ["core/", "version.ts"]],
  ["key-files.ts", ["core/"]],
  ["live-keys.ts", ["core/", "key-files.ts"]],
  ["pool-priority.ts", ["core/"]],
  ["live-schema.ts", ["core/", "storage/", "../migrations/"]],
  ["scheduled-backups.ts", ["core/", "backup-places.ts"]],
  ["backup-places.ts", ["type storage/"]],
  ["version.ts", ["../package.json"]],
  ["program.ts", EVERYTHING],
  ["main.ts", EVERYTHING],
  ["cli/", EVERYTHING],
];

const web = ["http/", "surfaces/", "app.ts"];

/** Where a package may be named. One that is not listed here belongs nowhere. */
const packages: readonly (readonly [name: RegExp, places: readonly string[]])[] = [
  [/^(elysia|@elysiajs|@sinclair\/typebox)(\/|$)/, web],
  [/^(swagger-ui-dist|redoc)\//, ["surfaces/operations/docs/"]],
  [/^bun:sqlite$/, ["storage/"]],
  [/^node:process$/, ["config.ts"]],
  [/^(node:|bun$|bun:)/, EVERYTHING],
];

/** What needs no import, and so is looked for in the text. */
const words: readonly (readonly [word: RegExp, places: readonly string[]])[] = [
  [/\b(process|Bun|import\.meta)\.env\b/, ["config.ts"]],
  [/\bBun\.(SQL|sql)\b|\b(SQL|sql)\b[^;]*\bfrom "bun"/, ["storage/"]],
  [/\bBun\.(RedisClient|redis)\b|\b(RedisClient|redis)\b[^;]*\bfrom "bun"/, ["redis/"]],
];

function violations(file: string, text: string): readonly string[] {
  const found = importsOf(text).filter(({ name, isType }) => !isAllowed(file, name, isType));
  const spoken = words.filter(([word, places]) => word.test(text) && !liesIn(file, places));
  return [
    ...found.map(({ name }) => `${file} imports ${name}`),
    ...spoken.map(([word]) => `${file} says ${word.exec(text)?.[0]}`),
  ];
}

/** Types count too: they are erased when the program runs, but not when someone reads it. */
function importsOf(text: string): readonly { readonly name: string; readonly isType: boolean }[] {
  const statements = /^(?:import|export)\s(type\s)?(?:[^;"'`]*?\sfrom\s)?\s*["']([^"']+)["']/gm;
  const calls = /\b(?:import|require)\(\s*["'`]([^"'`]+)["'`]/g;
  return [
    ...text.matchAll(statements).map(([, type, name = ""]) => ({ name, isType: type !== undefined })),
    ...text.matchAll(calls).map(([, name = ""]) => ({ name, isType: false })),
  ];
}

function isAllowed(file: string, name: string, isType: boolean): boolean {
  if (!name.startsWith(".")) {
    const [, places = []] = packages.find(([pattern]) => pattern.test(name)) ?? [];
    return liesIn(file, places);
  }
  const target = posix.join(posix.dirname(file), name);
  const own = /^surfaces\/[^/]+\//.exec(file)?.[0] ?? "";
  const [, allowed = []] = mayImport.find(([from]) => file.startsWith(from)) ?? [];
  const places = allowed.map((place) => place.replace("surfaces/*/", own));
  return liesIn(target, places) || (isType && liesIn(`type ${target}`, places));
}

function liesIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => path.startsWith(place));
}

test("every file of src imports only what its folder may", async () => {
  const files = await Array.fromAsync(new Bun.Glob("**/*.ts").scan(SRC));
  expect(files.length).toBeGreaterThan(20);
  expect(files.flatMap((file) => violations(file, readFileSync(join(SRC, file), "utf8")))).toEqual([]);
});

test.each([
  ["core/a.ts", `import { x } from "../storage/b.ts";`],
  ["core/a.ts", `import type { x } from "../config.ts";`],
  ["core/a.ts", `import {\n  x,\n  type Y,\n} from "elysia";`],
  ["core/a.ts", `import "../log.ts";`],
  ["core/a.ts", `export { x } from '../http/b.ts';`],
  ["core/a.ts", `export * from "../http/b.ts";`],
  ["core/a.ts", `const x = await import("../http/b.ts");`],
  ["core/a.ts", `type X = import("@sinclair/typebox").TSchema;`],
  ["core/a.ts", `const x = process.env.PORT;`],
  ["core/a.ts", `import { env } from "node:process";`],
  ["core/a.ts", `import { left } from "left-pad";`],
  ["storage/a.ts", `import { x } from "../http/b.ts";`],
  ["storage/a.ts", `import { x } from "../../migrations/index.ts";`],
  ["http/a.ts", `import { Database } from "bun:sqlite";`],
  ["http/a.ts", `import { SQL } from "bun";`],
  ["http/a.ts", `const x = new Bun.SQL("");`],
  ["http/a.ts", `import { x } from "../surfaces/v1/index.ts";`],
  ["storage/a.ts", `const x = new Bun.RedisClient("");`],
  ["redis/a.ts", `import { x } from "../storage/b.ts";`],
  ["surfaces/v1/a.ts", `import { x } from "../root/b.ts";`],
  ["surfaces/v1/a.ts", `import type { x } from "../../storage/b.ts";`],
  ["app.ts", `import { x } from "./storage/b.ts";`],
  ["config/a.ts", `import { x } from "../core/b.ts";`],
  ["cli/a.ts", `import { t } from "elysia";`],
  ["cli/a.ts", `const { PORT } = Bun.env;`],
  ["unheard-of.ts", `import { x } from "./core/b.ts";`],
])("%s may not hold %s", (file, text) => {
  expect(violations(file, text)).toHaveLength(1);
});

test.each([
  ["core/a.ts", `import { x } from "./b.ts";\nimport { y } from "node:crypto";`],
  ["storage/a.ts", `import { x } from "../core/b.ts";\nimport { SQL } from "bun";`],
  ["surfaces/v1/a.ts", `import { x } from "./b.ts";\nimport { t } from "elysia";`],
  ["config/a.ts", `import type { x } from "../core/b.ts";`],
  ["cli/a.ts", `import { x } from "../storage/b.ts";`],
])("%s may hold %s", (file, text) => {
  expect(violations(file, text)).toEqual([]);
});
