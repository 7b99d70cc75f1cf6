/** Two builds of the program: this tree's, and the one that follows it, with one migration more. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "../..");
const NEEDED = [
  "bun.lock",
  "bunfig.toml",
  "docs",
  "migrations",
  "package.json",
  "scripts",
  "src",
  "tsconfig.json",
];
const NAME = "a_colour_for_todos";

/** It expands what is there, on the table that is written to most: who does not know of it is not in its way. */
const EXPANDS = `ALTER TABLE todos ADD COLUMN colour TEXT;
CREATE INDEX todos_by_colour ON todos (colour);
`;

export interface Builds {
  readonly old: string;
  readonly new: string;
}

/** Both as one file each, compiled in a copy of the tree within `folder`. */
export async function makeBuilds(folder: string): Promise<Builds> {
  const copies = { old: copyOfTree(join(folder, "old")), new: copyOfTree(join(folder, "new")) };
  await addMigration(copies.new);
  const [oldBinary, newBinary] = await Promise.all([compile(copies.old), compile(copies.new)]);
  return { old: oldBinary, new: newBinary };
}

function copyOfTree(folder: string): string {
  mkdirSync(folder);
  for (const name of NEEDED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** As a developer would: by the program's own command, which also carries it into the binary. */
async function addMigration(tree: string): Promise<void> {
  const made = await run(["src/main.ts", "migrate", "new", NAME], tree);
  const [, stem] = /^migrations\/(\d{4}_\w+)\.up\.sql$/m.exec(made) ?? [];
  if (stem === undefined) throw new Error(`latchkey migrate new names no migration: ${made}`);
  writeFileSync(join(tree, "migrations", `${stem}.up.sql`), EXPANDS);
  writeFileSync(join(tree, "migrations", `${stem}.down.sql`), "ALTER TABLE todos DROP COLUMN colour;\n");
}

async function compile(tree: string): Promise<string> {
  await run(["scripts/build.ts"], tree);
  return join(tree, "dist/latchkey");
}

async function run(words: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn([process.execPath, "--no-env-file", ...words], {
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(`bun ${words.join(" ")} ended with ${child.exitCode}: ${err}`);
  return out;
}
