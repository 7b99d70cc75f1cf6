/**
 * Writes what is documented about settings from the table in the code: `.env.example`, and each part of a
 * document between `<!-- settings -->` and `<!-- /settings -->`. With `<!-- settings: PORT HOST -->` only those.
 *
 *     bun scripts/settings-docs.ts           writes
 *     bun scripts/settings-docs.ts --check   fails if anything is stale
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type SettingFacts, settingTable, type Shown } from "../src/config.ts";
import { alignedTable } from "./aligned-table.ts";

const DOCUMENTS = ["docs/configuration.md", "README.md"];
const MARKED = /<!-- settings(?:: ([A-Z0-9_ ]+))? -->[^]*?<!-- \/settings -->/g;

export interface GeneratedFile {
  readonly path: string;
  readonly current: string | null;
  readonly wanted: string;
}

/** Every file that is held to the table. */
export function generatedFiles(root: string): readonly GeneratedFile[] {
  const documents = DOCUMENTS.flatMap((path) => {
    const current = readIfThere(join(root, path));
    return current === null ? [] : [{ path, current, wanted: withTables(current) }];
  });
  return [
    { path: ".env.example", current: readIfThere(join(root, ".env.example")), wanted: envExample() },
    ...documents,
  ];
}

export function staleFiles(root: string): readonly GeneratedFile[] {
  return generatedFiles(root).filter(({ current, wanted }) => current !== wanted);
}

export function envExample(): string {
  const head = [
    "# Every setting of Latchkey, with its default. Copy this file to .env, and change what you need.",
    "# The environment wins over this file. Put a value in quotes where it holds a # after a space.",
  ];
  const entries = settingTable.flatMap((setting) => [
    "",
    `# ${setting.about}${parenthesis(setting)}`,
    `#${setting.name}=${setting.defaultInWords === undefined ? exampleValue(defaults(setting).development) : ""}`,
  ]);
  return `${[...head, ...entries].join("\n")}\n`;
}

function parenthesis(setting: SettingFacts): string {
  const { development, production } = defaults(setting);
  const notes = [
    ...setting.aliases.map((alias) => `also ${alias}`),
    ...(setting.isSecret ? [`or ${setting.name}_FILE`] : []),
    ...(setting.defaultInWords === undefined ? [] : [`default: ${setting.defaultInWords}`]),
    ...(String(development) === String(production) ? [] : [`in production: ${String(production)}`]),
  ];
  return notes.length === 0 ? "" : ` (${notes.join("; ")})`;
}

function exampleValue(value: Shown): string {
  if (value === null) return "";
  return typeof value === "object" ? value.join(",") : String(value);
}

/** A document with each of its marked parts made anew. */
export function withTables(document: string): string {
  return document.replace(MARKED, (_part, names: string | undefined) => {
    const opening = names === undefined ? "<!-- settings -->" : `<!-- settings: ${names} -->`;
    return `${opening}\n\n${settingsTable(names === undefined ? settingTable : chosen(names))}\n\n<!-- /settings -->`;
  });
}

function chosen(names: string): readonly SettingFacts[] {
  return names
    .trim()
    .split(/ +/)
    .map((name) => {
      const setting = settingTable.find((each) => each.name === name);
      if (setting === undefined)
        throw new Error(`a document asks for the setting ${name}, which there is not`);
      return setting;
    });
}

function settingsTable(chosenSettings: readonly SettingFacts[]): string {
  const rows = chosenSettings.map((setting) => {
    const names = [setting.name, ...setting.aliases, ...(setting.isSecret ? [`${setting.name}_FILE`] : [])];
    return [names.map(code).join(", "), defaultText(setting), setting.about];
  });
  return alignedTable([["Setting", "Default", "What it does"], ...rows]);
}

function defaultText(setting: SettingFacts): string {
  if (setting.defaultInWords !== undefined) return setting.defaultInWords;
  const { development, production } = defaults(setting);
  const usual = valueText(development);
  return String(development) === String(production)
    ? usual
    : `${usual}, in production ${valueText(production)}`;
}

function valueText(value: Shown): string {
  const text = exampleValue(value);
  return text === "" ? "–" : code(text);
}

function code(text: string): string {
  return `\`${text}\``;
}

function defaults(setting: SettingFacts): { readonly development: Shown; readonly production: Shown } {
  const machine = { cores: 1, hashConcurrency: 1 };
  return {
    development: setting.shownDefault({ ...machine, environment: "development" }),
    production: setting.shownDefault({ ...machine, environment: "production" }),
  };
}

function readIfThere(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

function main(root: string, isCheck: boolean): number {
  const stale = staleFiles(root);
  for (const { path, wanted } of stale) {
    if (!isCheck) writeFileSync(join(root, path), wanted);
    console.log(isCheck ? `${path} is stale: run bun scripts/settings-docs.ts` : `wrote ${path}`);
  }
  return isCheck && stale.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = main(join(import.meta.dir, ".."), process.argv.includes("--check"));
