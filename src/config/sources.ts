import type { DotEnv } from "./dot-env.ts";
import { quoted, type Shown } from "./kinds.ts";
import type { Known, Setting, SettingFacts } from "./settings.ts";

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Sources {
  readonly environment: Variables;
  /** What a `.env` file holds, and its path as the user knows it. The environment wins over it. */
  readonly dotEnv?: (DotEnv & { readonly path: string }) | undefined;
  /** Answers a file's text, or throws what the system says. */
  readonly readFile: (path: string) => string;
}

/** What is in force, and where it came from; fit to be printed. */
export interface SettingReport {
  readonly name: string;
  readonly value: Shown;
  readonly source: string;
}

type Finding =
  | { readonly is: "given"; readonly writtenName: string; readonly text: string; readonly source: string }
  | { readonly is: "mistaken"; readonly mistake: string };

/** Reads settings one by one, and remembers what it found: mistakes, and where each value came from. */
export class SettingReader {
  readonly mistakes: string[];
  readonly report: SettingReport[] = [];
  readonly #sources: Sources;

  constructor(sources: Sources) {
    const { dotEnv } = sources;
    this.#sources = { ...sources, environment: inCapitals(sources.environment) };
    this.mistakes = (dotEnv?.mistakes ?? []).map(
      ({ line, problem }) => `${dotEnv?.path}:${line}: ${problem}`,
    );
  }

  /** The value in force. After a mistake, which is recorded, the default: so that all mistakes are found at once. */
  read<T>(setting: Setting<T>, known: Known): T {
    const finding = this.find(setting);
    if (finding?.is === "given") {
      const parsed = setting.kind.parse(finding.text);
      if (parsed.ok) return this.#inForce(setting, parsed.value, finding.source);
      const shown = setting.isSecret ? "the value" : quoted(finding.text);
      const problem = parsed.problem ?? `${shown} is not ${setting.kind.noun}`;
      this.mistakes.push(`${finding.writtenName}: ${problem}: ${setting.kind.takes}`);
    } else if (finding?.is === "mistaken") {
      this.mistakes.push(finding.mistake);
    }
    return this.#inForce(setting, setting.defaultFor(known), "default");
  }

  #inForce<T>(setting: Setting<T>, value: T, source: string): T {
    this.report.push({ name: setting.name, value: setting.kind.show(value), source });
    return value;
  }

  /** A rule that a value broke together with others: named as the user wrote it. */
  complain(setting: SettingFacts, problem: string): void {
    const finding = this.find(setting);
    const writtenName = finding?.is === "given" ? finding.writtenName : setting.name;
    this.mistakes.push(`${writtenName}: ${problem}`);
  }

  /** Where a value was made of other settings: shown as such, with the source of the chief of them. */
  replaceDefault(setting: SettingFacts, value: Shown, chief: SettingFacts): void {
    const finding = this.find(chief);
    const source = finding?.is === "given" ? finding.source : "default";
    const index = this.report.findIndex(({ name }) => name === setting.name);
    this.report[index] = { name: setting.name, value, source };
  }

  /** What stands for a setting in the environment or, failing that, in `.env`. An empty value counts as unset. */
  find(setting: SettingFacts): Finding | undefined {
    const { environment, dotEnv } = this.#sources;
    return (
      this.#findIn(environment, "environment", setting) ??
      (dotEnv === undefined ? undefined : this.#findIn(dotEnv.values, dotEnv.path, setting))
    );
  }

  #findIn(variables: Variables, place: string, setting: SettingFacts): Finding | undefined {
    const writtenName = [setting.name, ...setting.aliases].find((name) => !isUnset(variables[name]));
    const text = writtenName === undefined ? undefined : variables[writtenName];
    const fileVariable = `${setting.name}_FILE`;
    const file = setting.isSecret ? variables[fileVariable] : undefined;
    if (file !== undefined && !isUnset(file)) {
      if (writtenName === undefined) return this.#findInFile(fileVariable, file);
      return { is: "mistaken", mistake: `${fileVariable}: ${writtenName} is set too: set one of them` };
    }
    if (writtenName === undefined || text === undefined) return undefined;
    return { is: "given", writtenName, text, source: `${place} (${writtenName})` };
  }

  #findInFile(writtenName: string, file: string): Finding {
    const path = file.trim();
    let text: string;
    try {
      text = this.#sources.readFile(path).replace(/\r?\n$/, "");
    } catch (error) {
      const reason = readFailure(error);
      return { is: "mistaken", mistake: `${writtenName}: cannot read ${quoted(path)} (${reason})` };
    }
    if (isUnset(text)) return { is: "mistaken", mistake: `${writtenName}: ${quoted(path)} is empty` };
    if (text.includes("\uFFFD")) {
      return { is: "mistaken", mistake: `${writtenName}: ${quoted(path)} is not UTF-8 text` };
    }
    return { is: "given", writtenName, text, source: `file (${writtenName})` };
  }
}

/** pydantic-settings takes `port` for `PORT` in the environment too. Where both are set, the capitals win. */
function inCapitals(environment: Variables): Variables {
  const entries = Object.entries(environment).map(([name, text]) => [name.toUpperCase(), text] as const);
  return { ...Object.fromEntries(entries), ...environment };
}

function isUnset(text: string | undefined): boolean {
  return text === undefined || text.trim() === "";
}

/** The system's own word for it, such as ENOENT. Whatever is not the system's is not ours to explain. */
export function readFailure(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  throw error;
}
