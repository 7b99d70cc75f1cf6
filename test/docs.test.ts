import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasCurl } from "./support/needed.ts";
import { scratchFolder, serve } from "./support/process.ts";

const ROOT = join(import.meta.dir, "..");

/** The shell lines between two markers of a page. */
function shellBlock(page: string, name: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  const block = new RegExp(`<!-- ${name} -->\\s+\`\`\`sh\\n([^]*?)\`\`\`\\s+<!-- /${name} -->`).exec(
    text,
  )?.[1];
  if (block === undefined) throw new Error(`${page} has no block ${name}`);
  return block;
}

test.if(hasCurl())(
  "the README's tour works as it stands",
  async () => {
    const folder = scratchFolder();
    const server = await serve(folder);
    // Each answer on a line of its own; a command goes on where a backslash ends its line.
    const script = `set -e\n${shellBlock("README.md", "tour")}`.replaceAll(
      /^curl (?:\\\n|[^\n])*$/gm,
      "$&\necho",
    );
    const shell = Bun.spawn(["bash", "-c", script], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", API: `${server.url}/api/v1` },
      stdout: "pipe",
      stderr: "inherit",
    });
    const answers = (await new Response(shell.stdout).text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(await shell.exited).toBe(0);
    expect(answers).toEqual([
      { id: 1, email: "ada@example.com" },
      expect.objectContaining({ title: "Write a program", completed: true }),
      [],
      { access_token: expect.any(String), token_type: "bearer" },
      { message: "Successfully logged out" },
    ]);
  },
  30_000,
);

test("every link from one page to another leads somewhere", async () => {
  const pages = ["*.md", "docs/**/*.md", "migrations/*.md", "src/**/*.md"].flatMap((glob) => [
    ...new Bun.Glob(glob).scanSync(ROOT),
  ]);
  const broken = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(pages.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});
