import { expect } from "bun:test";

import { type Config, type LoadedConfig, loadConfig, type SettingReport } from "../../src/config.ts";
import { parseDotEnv } from "../../src/config/dot-env.ts";

export type Variables = Record<string, string | undefined>;

export interface Given {
  readonly environment?: Variables;
  /** The text of a `.env` file. */
  readonly dotEnv?: string;
  /** The files there are, by path. */
  readonly files?: Record<string, string>;
}

export const CORES = 4;
export const GOOD_SECRET = "Zk3v9Qm-7Yt1RwXc5Hs8Lb2NfPd6Gj0A";

export function load({ environment = {}, dotEnv, files = {} }: Given): LoadedConfig {
  return loadConfig({
    environment,
    dotEnv: dotEnv === undefined ? undefined : { path: ".env", ...parseDotEnv(dotEnv, environment) },
    cores: CORES,
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return text;
    },
  });
}

export function mustLoad(given: Given): { config: Config; report: readonly SettingReport[] } {
  const loaded = load(given);
  if (!loaded.ok) throw new Error(`should have loaded: ${loaded.mistakes.join("; ")}`);
  return loaded;
}

export function configOf(environment: Variables): Config {
  return mustLoad({ environment }).config;
}

export function mistakesOf(environment: Variables): readonly string[] {
  const loaded = load({ environment });
  return loaded.ok ? [] : loaded.mistakes;
}

export function reportOf(report: readonly SettingReport[], name: string): SettingReport {
  const found = report.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the report has no ${name}`);
  return found;
}

/** One mistake, and the start of its line. */
export function expectMistake(environment: Variables, start: string): void {
  const mistakes = mistakesOf(environment);
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toStartWith(start);
}
