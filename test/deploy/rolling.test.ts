import { expect, test } from "bun:test";
import { join } from "node:path";
import { hasNginx } from "../support/nginx.ts";
import { hasPostgres } from "../support/postgres.ts";
import { hasRedisServer } from "../support/redis-server.ts";

const SCRIPT = join(import.meta.dir, "../../scripts/rolling-deploy.ts");
const canRun = [await hasPostgres(), hasRedisServer(), hasNginx()].every((isThere) => isThere);

/** Quiet, it takes a quarter of a minute; most of that is waiting, and the rest is for two compilations. */
const LIMIT_MS = 120_000;

/** On a machine with no time to spare a request can arrive as a door is shut (docs/deploying.md); twice is no accident. */
const RETRIES = 1;

test.if(canRun)(
  "S31 S35 three instances behind nginx are replaced, one is killed and one hangs: nothing is lost or done twice",
  async () => {
    const child = Bun.spawn([process.execPath, "--no-env-file", SCRIPT], {
      env: process.env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [told, failed, exitCode] = await Promise.all([
      child.stdout.text(),
      child.stderr.text(),
      child.exited,
    ]);
    expect({ exitCode, told, failed }).toEqual({
      exitCode: 0,
      told: expect.stringContaining("Each replaced by the newer build (1 of 1)"),
      failed: expect.any(String),
    });
  },
  { timeout: LIMIT_MS, retry: RETRIES },
);
