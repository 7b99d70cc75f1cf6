/**
 * Runs every test: most files side by side, then test/faults by itself, which takes the machine away from others or
 * times what it does. Fails where either does.
 *
 *     bun run test [--reports FOLDER]      together.xml and alone.xml, as `--reporter=junit` writes them
 *     bun run test PATH                    whatever else it is given, as `bun test` takes it
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
/** Each file has databases and servers of its own: PostgreSQL takes 100 connections, if nobody says otherwise. */
const MOST_WORKERS = 4;
/** Beside others a test takes longer: one that hangs is still found. */
const TIMEOUT_MS = 20_000;

const PARTS = {
  together: [
    `--parallel=${Math.min(availableParallelism(), MOST_WORKERS)}`,
    `--timeout=${TIMEOUT_MS}`,
    "--path-ignore-patterns=test/faults/**",
  ],
  alone: ["test/faults"],
};

async function passes(options: readonly string[]): Promise<boolean> {
  const child = Bun.spawn([process.execPath, "test", ...options], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return (await child.exited) === 0;
}

async function allPass(reports: string | undefined): Promise<boolean> {
  const failed: string[] = [];
  for (const [name, which] of Object.entries(PARTS)) {
    const report =
      reports === undefined ? [] : ["--reporter=junit", `--reporter-outfile=${join(reports, `${name}.xml`)}`];
    if (!(await passes([...which, ...report]))) failed.push(name);
  }
  if (failed.length > 0) console.error(`failed: the tests that run ${failed.join(", and those that run ")}`);
  return failed.length === 0;
}

const [option, reports, ...more] = process.argv.slice(2);
const isEverything =
  option === undefined || (option === "--reports" && reports !== undefined && more.length === 0);
const hasPassed = isEverything ? await allPass(reports) : await passes(process.argv.slice(2));
process.exitCode = hasPassed ? 0 : 1;
