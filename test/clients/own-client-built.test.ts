import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildClient } from "../../scripts/build-client.ts";
import { clientTypes, TYPES_FILE } from "../../scripts/client-types.ts";
import type { Described } from "../../scripts/client-types.ts";
import { closeBrowserAfterwards, findBrowser, Page } from "../support/browser.ts";
import { listening } from "../support/listening.ts";
import { scratchFolder } from "../support/process.ts";
import { forEachEngine } from "../support/program.ts";

const ROOT = join(import.meta.dir, "../..");
const SLOW_MS = 30_000;

/** A folder that the built client was installed into. */
const project = scratchFolder();
const installed = join(project, "node_modules/latchkey-client");

beforeAll(async () => {
  mkdirSync(installed, { recursive: true });
  cpSync(join(ROOT, "client/package.json"), join(installed, "package.json"));
  await buildClient(join(installed, "dist"));
});

/** The code of the client's README, in order. */
const examples = [...readFileSync(join(ROOT, "client/README.md"), "utf8").matchAll(/```js\n([^]*?)```/g)].map(
  ([, code = ""]) => code,
);

/** What the README tells of without code. */
const REFRESH = `
import { createClient, memoryTokens } from "latchkey-client";
const tokens = memoryTokens();
const client = createClient({ baseUrl: "http://localhost:8000", surface: "api-v1", tokens });
await client.register({ email: "mary@example.com", username: "mary", password: "correct horse" });
await client.login({ username: "mary", password: "correct horse" });
const held = tokens.get();
tokens.set({ ...held, accessToken: "expired" });
const [me, items] = await Promise.all([client.me(), client.items.list(), client.todos.list()]);
console.log(me.username, items.total, tokens.get().refreshToken === held.refreshToken);
const reason = new Error("enough");
console.log(await client.me({ signal: AbortSignal.abort(reason) }).catch((error) => error === reason));
`;

/** More than Node lets listen to one signal before it warns. */
const ONE_SIGNAL = `
import { createClient } from "latchkey-client";
const client = createClient({ baseUrl: "http://localhost:8000", surface: "v1" });
const controller = new AbortController();
const { signal } = controller;
const calls = () => Array.from({ length: 12 }, () => client.health({ signal }));
console.log((await Promise.all(calls())).length);
const reasons = calls().map((call) => call.catch((reason) => reason));
controller.abort("enough");
console.log(new Set(await Promise.all(reasons)).size, await reasons[11]);
`;

const EVERYWHERE = [
  ["its first example", examples[0], ["Write a program"]],
  ["a refresh", REFRESH, ["mary 0 false", "true"]],
  ["one signal for many calls", ONE_SIGNAL, ["12", "1 enough"]],
  [
    "its errors",
    examples[1],
    [
      "invalid 422",
      expect.stringMatching(/^email: /),
      expect.stringMatching(/^username: /),
      expect.stringMatching(/^password: /),
      expect.stringMatching(/^the server's log has it as [\w-]{36}$/),
    ],
  ],
] as const;
const IN_BROWSERS = [
  ...EVERYWHERE,
  ["tabs that share tokens", examples[2], ["grace"]],
  ["the cookie", examples[3], ["alan@example.com"]],
] as const;

function against(origin: string, code: string | undefined): string {
  if (code === undefined) throw new Error("client/README.md lacks an example");
  return code.replaceAll("http://localhost:8000", origin);
}

async function run(command: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const child = Bun.spawn([...command], { cwd: project, stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode, output: out + err };
}

test("the README's examples are all run", () => {
  const run = IN_BROWSERS.map(([_title, code]) => code);
  expect(examples.filter((code) => !run.includes(code))).toEqual([]);
});

describe("the built client", () => {
  for (const [runtime, program] of [
    ["Node", "node"],
    ["Bun", process.execPath],
  ] as const) {
    forEachEngine(`in ${runtime}`, (start, engine) => {
      // Nothing of the client differs by engine.
      if (engine !== "sqlite") return;
      const server = listening(start);
      test.each(EVERYWHERE)(
        "%s",
        async (title, code, printed) => {
          const file = join(project, `${title} in ${runtime}.mjs`);
          writeFileSync(file, against(server().origin, code));
          const { exitCode, output } = await run([program, file]);
          expect([exitCode, output.trim().split("\n")]).toEqual([0, [...printed]]);
        },
        SLOW_MS,
      );
    });
  }

  const browser = findBrowser();
  if (browser !== null) {
    forEachEngine("in Chromium", (start, engine) => {
      if (engine !== "sqlite") return;
      const html = `<!doctype html><script type="importmap">{"imports":{"latchkey-client":"/client.js"}}</script>`;
      const frontEnd = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: (request) =>
          new URL(request.url).pathname === "/client.js"
            ? new Response(Bun.file(join(installed, "dist/index.js")))
            : new Response(html, { headers: { "content-type": "text/html" } }),
      });
      afterAll(() => frontEnd.stop(true));
      const site = `http://localhost:${frontEnd.port}`;
      const server = listening(start, { CORS_ORIGINS: site });
      test.each(IN_BROWSERS)(
        "%s",
        async (_title, code, printed) => {
          using page = await Page.open(browser, site);
          const api = `http://localhost:${new URL(server().origin).port}`;
          expect(await page.evaluate(inModule(against(api, code)))).toEqual({ printed: [...printed] });
        },
        SLOW_MS,
      );
    });
    closeBrowserAfterwards();
  }
});

/** Runs a module's code in the page: what it printed, or how it failed. */
function inModule(code: string): string {
  const imported = code.replace(/^import (.*) from (.*);$/m, "const $1 = await import($2);");
  return `(async () => {
    const printed = [];
    const console = { log: (...words) => printed.push(words.join(" ")) };
    ${imported}
    return { printed };
  })().catch((error) => ({ failed: String(error) }))`;
}

forEachEngine("the client's types", (start) => {
  const server = listening(start);

  test("are those of the OpenAPI document", async () => {
    const document: Described = JSON.parse(await (await fetch(`${server().origin}/openapi.json`)).text());
    const file = join(project, "types.ts");
    writeFileSync(file, clientTypes(document));
    Bun.spawnSync([process.execPath, "fmt", "--no-script", file], { cwd: ROOT });
    // Stale? Start a server of this checkout, and: bun scripts/client-types.ts http://localhost:8000
    expect(readFileSync(TYPES_FILE, "utf8")).toBe(readFileSync(file, "utf8"));
  });
});

test(
  "what is declared is what is exported, and can be used under the strictest rules",
  async () => {
    symlinkSync(join(ROOT, "client/src"), join(project, "sources"));
    symlinkSync(join(ROOT, "node_modules/bun-types"), join(project, "node_modules/bun-types"));
    writeFileSync(join(project, "use.ts"), USE);
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(STRICTEST));
    const { exitCode, output } = await run([process.execPath, "check", "--no-script"]);
    expect([exitCode, output]).toEqual([0, expect.stringContaining("No type errors")]);
    // And that what is wrong would be told.
    writeFileSync(join(project, "use.ts"), `${USE}\nclient.todos.create({ titel: "x" });\n`);
    expect((await run([process.execPath, "check", "--no-script"])).output).toContain("titel");
  },
  SLOW_MS,
);

const STRICTEST = {
  compilerOptions: {
    target: "ESNext",
    module: "Preserve",
    moduleResolution: "bundler",
    types: ["bun-types"],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    allowImportingTsExtensions: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
  },
  files: ["use.ts"],
};

const USE = `
import * as built from "latchkey-client";
import * as sources from "./sources/index.ts";

export const oneWay: typeof sources = built;
export const theOther: typeof built = sources;

const client = built.createClient({ baseUrl: "", surface: "v1" });
for await (const todo of client.todos.all({ priority: "high" })) {
  const title: string = todo.title;
  console.log(title, todo.description?.length);
}
const cookie = built.createClient({ baseUrl: "", surface: "api-v1", session: "cookie" });
await cookie.login({ email: "a@example.com", password: "x" });
const admin = built.createClient({ baseUrl: "", surface: "root", realm: "admin" });
const rows: readonly built.RootAuditRow[] = (await admin.audit.list({ event: "login.failed" })).items;
console.log(rows);
`;
