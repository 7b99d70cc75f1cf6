import { columnOf, mapTable, missingColumns, tablesNamedFor } from "./mapping.ts";
import type { ImportNoun, TableMapping } from "./mapping.ts";
import { SourceRefused } from "./source.ts";
import type { SourceTable } from "./source.ts";

/** What a database was found to be, by its tables and columns. */
export interface Recognised {
  /** As in the guides: `001, users and admins`. */
  readonly backend: string;
  /** In the order in which they are taken: what others belong to comes first. */
  readonly mappings: readonly TableMapping[];
  readonly leftOut: readonly { readonly table: string; readonly why: string }[];
}

const NOUNS: readonly ImportNoun[] = ["user", "admin", "todo", "item"];

const WHY_LEFT_OUT: Readonly<Record<string, string>> = {
  refresh_tokens: "sessions do not move: everybody logs in once",
  personal_access_tokens: "their texts are no tokens here: their owners make new ones",
  access_tokens: "their texts are no tokens here: their owners make new ones",
  alembic_version: "tells of the migrations of the old backend",
};

/** Fails with `SourceRefused` where no table holds users. */
export function recognise(tables: readonly SourceTable[]): Recognised {
  if (
    tables.some(({ name }) => name === "schema_migrations") &&
    tables.some(({ name }) => name === "audit_chain")
  ) {
    throw new SourceRefused(
      "it is a database of Latchkey itself: `latchkey backup` and `latchkey restore` move one",
    );
  }
  const mappings = NOUNS.flatMap((noun) => mapTable(noun, tables) ?? []);
  const users = mappings.find(({ noun }) => noun === "user");
  if (users === undefined) throw new SourceRefused(notRecognised(tables));
  const taken = new Set(mappings.map(({ table }) => table));
  const leftOut = tables
    .filter(({ name }) => !taken.has(name))
    .map(({ name }) => ({ table: name, why: WHY_LEFT_OUT[name] ?? "nothing here corresponds to it" }));
  return { backend: backendOf(users, mappings, tables), mappings, leftOut };
}

/** Told by what only one of the five has; by the accounts alone where the rest is missing. */
function backendOf(
  users: TableMapping,
  mappings: readonly TableMapping[],
  tables: readonly SourceTable[],
): string {
  const has = (noun: ImportNoun) => mappings.some((mapping) => mapping.noun === noun);
  const todos = mappings.find(({ noun }) => noun === "todo");
  if (has("admin")) return "001, users and admins";
  if (columnOf(users, "isSuperuser") !== null) return "003, OAuth2 login";
  if (columnOf(users, "username") === null) return "000, cookie sessions";
  if (has("item") || tables.some(isOfFamilies)) return "002, rotating tokens";
  if (todos !== undefined) return "004, RS256 and todos";
  return "002, rotating tokens";
}

function isOfFamilies({ name, columns }: SourceTable): boolean {
  return name === "refresh_tokens" && columns.some((column) => column.startsWith("family"));
}

function notRecognised(tables: readonly SourceTable[]): string {
  const wanted = missingColumns("user", { name: "users", columns: [] }).join(", ");
  const [near] = tablesNamedFor("user", tables);
  const found =
    near === undefined
      ? `it has ${tables.length === 0 ? "no tables" : tables.map(({ name }) => name).join(", ")}`
      : `its table ${near.name} lacks ${missingColumns("user", near).join(", ")}`;
  return `it is none of the five backends': looked for a table users with ${wanted}, and ${found}`;
}
