import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { leftOut } from "../../scripts/left-out.ts";
import { scratchFolder } from "../support/process.ts";

const ROUTER = Bun.resolveSync("elysia", join(import.meta.dir, "../.."));

/** A program bundled as the binary is; answers its text and what it prints. */
async function bundled(program: string): Promise<{ readonly text: string; readonly printed: string }> {
  const folder = scratchFolder();
  const [entry, out] = [join(folder, "program.ts"), join(folder, "program.js")];
  writeFileSync(entry, `import { Elysia, t } from ${JSON.stringify(ROUTER)};\n${program}`);
  const { outputs } = await Bun.build({ entrypoints: [entry], target: "bun", plugins: [leftOut] });
  const text = (await outputs[0]?.text()) ?? "";
  writeFileSync(out, text);
  const child = Bun.spawn([process.execPath, "--no-env-file", out], { stdout: "pipe", stderr: "pipe" });
  return { text, printed: (await child.stdout.text()) + (await child.stderr.text()) };
}

const ASK = `console.log(await (await app.handle(new Request("http://localhost/b/1"))).text());`;

test("a router that validates nothing does without what validates, and the binary with it", async () => {
  const { text, printed } = await bundled(`
    const app = new Elysia().get("/b/:id", ({ params }) => "answered " + params.id);
    ${ASK}`);
  expect(printed).toBe("answered 1\n");
  // Not the text itself: it would be printed whole.
  expect(text.includes("/esm/compiler/compiler.mjs")).toBe(false);
});

test("what is called all the same says that it is left out", async () => {
  const { printed } = await bundled(`
    const app = new Elysia().get("/b/:id", () => "answered", { params: t.Object({ id: t.Number() }) });
    ${ASK}`);
  expect(printed).not.toContain("answered");
  expect(printed).toContain("left out of the binary");
});
