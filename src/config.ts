import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { givenEnvironment } from "./config/bun-env-files.ts";
import { parseDotEnv } from "./config/dot-env.ts";
import { loadConfig, type LoadedConfig } from "./config/load.ts";
import { quoted } from "./config/kinds.ts";
import { readFailure, type Sources, type Variables } from "./config/sources.ts";

export {
  type Config,
  type CookieConfig,
  type DatabaseConfig,
  type LoadedConfig,
  loadConfig,
  type RateLimitsConfig,
} from "./config/load.ts";
export { type DatabaseTarget, databaseUrl, IN_MEMORY } from "./config/database-url.ts";
export { BUCKET_NEEDS_KEY } from "./config/buckets.ts";
export { type RateLimit, s3File, type S3Location, type Shown } from "./config/kinds.ts";
export { type Environment, type SettingFacts, settingTable } from "./config/settings.ts";
export type { SettingReport } from "./config/sources.ts";
export { warnings } from "./config/warnings.ts";

/**
 * Settings as this process was given them. No other place reads the environment.
 *
 * From source, `./.env` counts where there is one. The binary may be started anywhere, and so reads only the
 * file that `--env-file` points to: a stray `.env` must not decide which database it opens.
 */
export function loadConfigFromProcess(options: { readonly envFile?: string | undefined } = {}): LoadedConfig {
  const environment = givenEnvironment();
  const dotEnv = readDotEnv(options.envFile, environment);
  if (dotEnv.ok) {
    return loadConfig({
      environment,
      dotEnv: dotEnv.file,
      readFile,
      cores: availableParallelism(),
    });
  }
  return { ok: false, mistakes: [dotEnv.mistake] };
}

/** Said where somebody asks how things stand: whoever put that file there may take it for read. */
export function noteOfUnreadDotEnv(pointedTo: string | undefined): string | null {
  return isLeftUnread(pointedTo) && existsSync(DOT_ENV)
    ? `./${DOT_ENV} is here and not read: --env-file ${DOT_ENV} reads it`
    : null;
}

const DOT_ENV = ".env";

function isLeftUnread(pointedTo: string | undefined): boolean {
  return Bun.isStandaloneExecutable && pointedTo === undefined;
}

type DotEnv =
  { readonly ok: true; readonly file: Sources["dotEnv"] } | { readonly ok: false; readonly mistake: string };

function readDotEnv(pointedTo: string | undefined, environment: Variables): DotEnv {
  if (isLeftUnread(pointedTo)) return { ok: true, file: undefined };
  const path = pointedTo ?? DOT_ENV;
  const writtenName = pointedTo === undefined ? "" : "--env-file: ";
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const reason = readFailure(error);
    if (pointedTo === undefined && reason === "ENOENT") return { ok: true, file: undefined };
    return { ok: false, mistake: `${writtenName}cannot read ${quoted(path)} (${reason})` };
  }
  if (text.includes("\uFFFD"))
    return { ok: false, mistake: `${writtenName}${quoted(path)} is not UTF-8 text` };
  return { ok: true, file: { path, ...parseDotEnv(text, environment) } };
}

function readFile(path: string): string {
  return readFileSync(path, "utf8");
}
