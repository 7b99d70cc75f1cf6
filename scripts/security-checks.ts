/**
 * Writes docs/security-checks.md: what must hold, by number, and the tests that show it, which carry the number in
 * their names.
 *
 *     bun scripts/security-checks.ts           writes
 *     bun scripts/security-checks.ts --check   fails if the page is stale
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PAGE = "docs/security-checks.md";
const SOURCES = ["test/**/*.test.ts", "scripts/smoke.ts"];

const PROPERTIES = [
  "Long passphrases in any script are taken whole: a case flip, a space, or a difference after byte 72 fails",
  "Password length counts characters, after normalisation; a lone surrogate is refused",
  "Stored hashes are argon2id of current strength; a malformed one is a failed login, not a 500",
  "An unknown name and a wrong password look alike: status, body, headers, time",
  "Guesses are counted before they are judged, on every way in, and lock the account",
  "No account exists that nobody made; the setup token works once",
  "Of two who take one name at the same moment, one wins, one gets the conflict",
  "So many passwords are hashed at once, so many wait, and the rest are refused early; reads stay fast",
  "Forged token headers and keys are refused, and no request leaves the machine",
  "Malformed, expired and misissued tokens are refused, never with a 500",
  "Each kind of token opens its own routes alone",
  "Tokens of a deleted, deactivated or password-changed account are refused at once",
  "A refresh token is used once; used again, its family ends, and the others live on",
  "A session ends by its absolute age, and a refresh never widens rights",
  "No password, token or secret is in the database file, its log or ours",
  "Personal tokens are shown once, checked before any look-up, and end at once",
  "A token in the query string is nothing; `bearer` in any case is",
  "The refresh cookie has its attributes, and is deleted with the same ones",
  "A page of another origin gets nothing by a visitor's cookies; GET and HEAD change nothing",
  "Only listed origins may read answers",
  "Without credentials every route is closed but a written list",
  "Routes with an id: the owner, another, nobody, an administrator, a revoked token",
  "Fields that would raise a caller's rights change nothing; answers have their documented keys",
  "No spelling of host or path gets around a guard or a limit",
  "Bodies: malformed, of a wrong type, too large; and what two readers could read in two ways",
  "Nothing that a client can send is a 500",
  "Page bounds and forged cursors are refused",
  "Client addresses cannot be forged, and the limiter's memory is bounded",
  "Requests have a deadline; slow and idle clients stop nobody else",
  "Uploads are decoded, bounded and encoded anew",
  "kill -9 in a storm of writes loses nothing that was acknowledged",
  "A database that is down, hung or restarted: 503 in time, and recovery by itself",
  "A Redis that is down or hung delays nobody, and recovery is by itself",
  "A full disk: writes 503, reads go on, nothing half-written",
  "SIGTERM finishes what is in flight and exits 0; a second one ends at once",
  "What is thrown in the background is logged and harms nothing else",
  "Instances that start together migrate once; a newer schema stops the start",
  "A backup taken while writing is sound, and holds what was acknowledged before it",
  "Errors tell nothing of the inside, and the log tells who did what, in one line each",
  "The compiled binary reads no stray file, and is told at run time what is production",
] as const;

/** Where the name of a test or a group, in any quotes, begins with numbers; after `each(…)` comes another call. */
const NAMED = /(?:\b(test|describe|step)(?:\.\w+)*|\))\(\s*(["'`])((?:S\d+ )+(?:\\.|(?!\2)[^\\])*)\2/g;

interface Check {
  readonly numbers: readonly number[];
  readonly name: string;
  readonly file: string;
}

export function checksIn(file: string, source: string): readonly Check[] {
  return [...source.matchAll(NAMED)].map(([, keyword, , title = ""]) => {
    const [numbered = ""] = /^(?:S\d+ )+/.exec(title) ?? [];
    return {
      numbers: [...numbered.matchAll(/\d+/g)].map(Number),
      name: `${keyword === "describe" ? "everything under: " : ""}${plain(title.slice(numbered.length))}`,
      file,
    };
  });
}

/** As it reads when it runs: without escapes, and with an ellipsis for what is filled in. */
function plain(title: string): string {
  return title.replaceAll(/\$\{[^}]*\}|%[sdjpo]/g, "…").replaceAll(/\\(.)/g, "$1");
}

export function page(root: string): string {
  const files = SOURCES.flatMap((glob) => [...new Bun.Glob(glob).scanSync(root)]).toSorted();
  const checks = files.flatMap((file) => checksIn(file, readFileSync(join(root, file), "utf8")));
  const sections = PROPERTIES.map((property, index) => section(index + 1, property, checks));
  const open = PROPERTIES.flatMap((_, index) =>
    checksOf(index + 1, checks).length === 0 ? [`S${index + 1}`] : [],
  );
  return [
    "# Security checks",
    "",
    "What must hold, and the tests that show it. Made by `bun scripts/security-checks.ts` from the names of the tests;",
    "`bun run check` runs them all, `bun run smoke` those of the binary, and `bun run faults` the long form of the faults.",
    "",
    open.length === 0 ? "Every one has a test." : `Without a test so far: ${open.join(", ")}.`,
    "",
    sections.join("\n\n"),
    "",
  ].join("\n");
}

function checksOf(number: number, checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ numbers }) => numbers.includes(number));
}

function section(number: number, property: string, checks: readonly Check[]): string {
  const lines = checksOf(number, checks).map(({ name, file }) => `- ${escaped(name)} (\`${file}\`)`);
  return [`## S${number}`, "", `${property}.`, ...(lines.length === 0 ? [] : ["", ...new Set(lines)])].join(
    "\n",
  );
}

function escaped(name: string): string {
  return name.replaceAll(/[*_<>[\]]/g, "\\$&");
}

function main(root: string, isCheck: boolean): number {
  const path = join(root, PAGE);
  const wanted = page(root);
  if (existsSync(path) && readFileSync(path, "utf8") === wanted) return 0;
  if (!isCheck) writeFileSync(path, wanted);
  console.log(isCheck ? `${PAGE} is stale: run bun scripts/security-checks.ts` : `wrote ${PAGE}`);
  return isCheck ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(join(import.meta.dir, ".."), process.argv.includes("--check"));
