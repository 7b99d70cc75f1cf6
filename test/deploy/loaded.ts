import { expect } from "bun:test";
import { type Config, loadConfig } from "../../src/config.ts";

type Values = Readonly<Record<string, string>>;

/** What settings come to, on top of those of the image; fails where one is unknown, or no good. */
export function loaded(given: Values, base: Values, readFile: (path: string) => string): Config {
  const result = loadConfig({ environment: { ...base, ...given }, dotEnv: undefined, cores: 1, readFile });
  if (!result.ok) throw new Error(result.mistakes.join("\n"));
  const known = new Set(result.report.map(({ source }) => /\((.+)\)/.exec(source)?.[1]));
  for (const [name, value] of Object.entries(given)) {
    if (value !== "") expect([name, known.has(name)]).toEqual([name, true]);
  }
  return result.config;
}
