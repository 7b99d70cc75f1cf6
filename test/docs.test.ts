import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/** Guides are followed word by word: `sh` is run, `sql` too, and `text` is what the commands before it print. */
const guides = [
  "docs/quick-start.md",
  "docs/authentication.md",
  "docs/operating.md",
  "docs/upgrading.md",
  "docs/deploying.md",
  "docs/troubleshooting.md",
  ...new Bun.Glob("docs/coming-from/*.md").scanSync(ROOT),
];

interface Fence {
  readonly kind: string;
  readonly text: string;
}

function fences(page: string): readonly Fence[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind = "", text = ""]) => ({ kind, text }));
}

/** `…` stands for anything. */
function pattern(text: string): RegExp {
  const literal = text.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", "[^]*?")}$`);
}

test.each(guides)(
  "%s can be followed",
  async (page) => {
    const folder = scratchFolder();
    const server = await serve(folder);
    mkdirSync(join(folder, "bin"));
    const program = `exec '${process.execPath}' --no-env-file '${join(ROOT, "src/main.ts")}' "$@"`;
    writeFileSync(join(folder, "bin/latchkey"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
    // Else curl calls a refusal a success.
    writeFileSync(join(folder, ".curlrc"), "fail-with-body\n");
    const kept = join(folder, "variables");
    writeFileSync(kept, "");

    const run = async (script: string): Promise<string> => {
      // Each answer on a line of its own; what a block sets is there in the next.
      const lines = script.replaceAll(/^curl (?:\\\n|[^\n|])*$/gm, "$&\necho");
      const here = lines.replaceAll("http://localhost:8000", server.url);
      const shell = Bun.spawn(
        [
          "bash",
          "-c",
          `set -euo pipefail\n. '${kept}'\n${here}\ndeclare -p TOKEN REFRESH KEY >'${kept}' 2>/dev/null || true`,
        ],
        {
          cwd: folder,
          env: {
            HOME: folder,
            PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`,
            PORT: new URL(server.url).port,
          },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe",
        },
      );
      const [out, err, exitCode] = await Promise.all([
        shell.stdout.text(),
        shell.stderr.text(),
        shell.exited,
      ]);
      if (exitCode !== 0) throw new Error(`${page}: exit code ${exitCode} of\n${script}\n${out}\n${err}`);
      return out;
    };

    let printed = "";
    for (const { kind, text } of fences(page)) {
      if (kind === "sh") printed += await run(text);
      else if (kind === "text") {
        expect(printed.trim().replaceAll(/\n+/g, "\n")).toMatch(pattern(text));
        printed = "";
      } else if (kind === "sql") {
        using database = new Database(join(folder, "app.db"));
        database.run(text);
      }
    }
  },
  60_000,
);

test("the messages in docs/troubleshooting.md are the program's own", () => {
  const source = [
    ...new Bun.Glob("src/{config,cli,core,http,storage}/**/*.ts").scanSync(ROOT),
    "src/key-files.ts",
  ]
    .map((file) => readFileSync(join(ROOT, file), "utf8"))
    .join("\n");
  const rows = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8").matchAll(
    /^\| (?:\d{3} )?`([^`]+)`/gm,
  );
  // What is put in at run time is not in the source.
  const parts = [...rows].flatMap(([, message = ""]) =>
    message
      .split(/SECRET_KEY: | in production|"\*" |Todo |'admin'|1048576|application\/json/)
      .map((part) => part.replace(/^there is no private_key\.pem in$/, "there is no ").trim())
      .filter((part) => part.length > 3),
  );
  expect(parts.length).toBeGreaterThan(20);
  expect(parts.filter((part) => !source.includes(part))).toEqual([]);
});

test("every link from one page to another leads somewhere", async () => {
  const pages = ["*.md", "client/*.md", "docs/**/*.md", "migrations/*.md", "src/**/*.md"].flatMap((glob) => [
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
