import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Variables } from "./sources.ts";

const SOURCES = join(import.meta.dir, "../..");

/** What a process was started with, where the system keeps it: on Linux. */
const STARTED_WITH = "/proc/self/environ";

/**
 * The environment as whoever started the program set it. From source, Bun adds what files in the working folder hold,
 * by its own rules and before any line of ours runs, and then what was set cannot be told from what was read. In the
 * folder of the sources bunfig.toml keeps it from that.
 */
export function givenEnvironment(): Variables {
  const { env } = process;
  return mayHoldFiles(env["NODE_ENV"]) && existsSync(STARTED_WITH)
    ? parsed(readFileSync(STARTED_WITH, "utf8"))
    : env;
}

function mayHoldFiles(nodeEnv: string | undefined): boolean {
  if (Bun.isStandaloneExecutable || process.cwd() === SOURCES || isBunToldWhatToRead()) return false;
  return bunEnvFiles(nodeEnv).some((file) => existsSync(file));
}

function isBunToldWhatToRead(): boolean {
  return process.execArgv.some((flag) => /^--(no-)?env-file\b/.test(flag));
}

function bunEnvFiles(nodeEnv: string | undefined): readonly string[] {
  const mode = nodeEnv === "production" || nodeEnv === "test" ? nodeEnv : "development";
  return [`.env.${mode}.local`, ".env.local", `.env.${mode}`, ".env"];
}

function parsed(environment: string): Variables {
  const entries = environment.split("\0").map((entry) => {
    const [name = "", ...value] = entry.split("=");
    return [name, value.join("=")] as const;
  });
  return Object.fromEntries(entries);
}
