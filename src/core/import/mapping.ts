import type { SourceTable } from "./source.ts";

/** What an import takes, by the noun it becomes here. */
export type ImportNoun = "user" | "admin" | "todo" | "item";

export type Field =
  | "id"
  | "email"
  | "password"
  | "username"
  | "name"
  | "phone"
  | "role"
  | "isSuperuser"
  | "isActive"
  | "owner"
  | "title"
  | "description"
  | "completed"
  | "priority"
  | "createdAt"
  | "updatedAt"
  | "deletedAt";

/** What a field is called in the databases of the five, the likeliest name first, and which column it becomes here. */
interface FieldNames {
  readonly field: Field;
  readonly from: readonly string[];
  readonly to: string;
  readonly isNeeded?: true;
}

const ID: FieldNames = { field: "id", from: ["id"], to: "id", isNeeded: true };
const OWNER: FieldNames = {
  field: "owner",
  from: ["user_id", "owner_id"],
  to: "user_id",
  isNeeded: true,
};
const DESCRIPTION: FieldNames = { field: "description", from: ["description"], to: "description" };
const TIMES: readonly FieldNames[] = [
  { field: "createdAt", from: ["created_at"], to: "created_at_ms" },
  { field: "updatedAt", from: ["updated_at"], to: "updated_at_ms" },
];

const ACCOUNT: readonly FieldNames[] = [
  ID,
  { field: "email", from: ["email"], to: "email", isNeeded: true },
  {
    field: "password",
    from: ["hashed_password", "password_hash", "password"],
    to: "password_hash",
    isNeeded: true,
  },
  { field: "username", from: ["username"], to: "username" },
  { field: "name", from: ["name", "full_name"], to: "name" },
  { field: "phone", from: ["phone"], to: "phone" },
  { field: "role", from: ["role"], to: "role" },
  { field: "isSuperuser", from: ["is_superuser"], to: "role" },
  { field: "isActive", from: ["is_active"], to: "is_active" },
  ...TIMES,
  { field: "deletedAt", from: ["deleted_at"], to: "deleted_at_ms" },
];

const FIELDS: Readonly<Record<ImportNoun, readonly FieldNames[]>> = {
  user: ACCOUNT,
  admin: ACCOUNT,
  todo: [
    ID,
    OWNER,
    { field: "title", from: ["title"], to: "title", isNeeded: true },
    DESCRIPTION,
    { field: "completed", from: ["completed"], to: "completed" },
    { field: "priority", from: ["priority"], to: "priority" },
    ...TIMES,
  ],
  item: [
    ID,
    OWNER,
    { field: "title", from: ["name", "title"], to: "name", isNeeded: true },
    DESCRIPTION,
    ...TIMES,
  ],
};

/** The table of each noun here; in a source it may be called by the noun itself, too. */
export const TARGET_TABLE: Readonly<Record<ImportNoun, string>> = {
  user: "users",
  admin: "admins",
  todo: "todos",
  item: "items",
};

/** How the rows of one of the source's tables become rows here. */
export interface TableMapping {
  readonly noun: ImportNoun;
  readonly table: string;
  readonly columns: readonly MappedColumn[];
  readonly leftOut: readonly { readonly column: string; readonly why: string }[];
}

export interface MappedColumn {
  readonly field: Field;
  readonly from: string;
  readonly to: string;
}

const WHY_LEFT_OUT: Readonly<Record<string, string>> = {
  avatar: "names a file, and the pictures are not in the database",
  failed_login_attempts: "counts failures: every account begins without",
  locked_until: "tells of a lock: none is taken along",
};

/** The mapping of the table that is of this noun; null where there is none. */
export function mapTable(noun: ImportNoun, tables: readonly SourceTable[]): TableMapping | null {
  const table = tablesNamedFor(noun, tables).find((each) => missingColumns(noun, each).length === 0);
  if (table === undefined) return null;
  const columns = FIELDS[noun].flatMap(({ field, from, to }) => {
    const name = from.find((each) => table.columns.includes(each));
    return name === undefined ? [] : [{ field, from: name, to }];
  });
  const taken = new Set(columns.map(({ from }) => from));
  const leftOut = table.columns
    .filter((column) => !taken.has(column))
    .map((column) => ({ column, why: WHY_LEFT_OUT[column] ?? "is not known here" }));
  return { noun, table: table.name, columns, leftOut };
}

export function tablesNamedFor(noun: ImportNoun, tables: readonly SourceTable[]): readonly SourceTable[] {
  const names = [TARGET_TABLE[noun], noun];
  return names.flatMap((name) => tables.filter((table) => table.name === name));
}

/** What a table lacks to be of this noun; where a column may have several names, all of them. */
export function missingColumns(noun: ImportNoun, { columns }: SourceTable): readonly string[] {
  return FIELDS[noun]
    .filter(({ from, isNeeded }) => isNeeded === true && !from.some((name) => columns.includes(name)))
    .map(({ from }) => from.join(" or "));
}

export function columnOf({ columns }: TableMapping, field: Field): string | null {
  return columns.find((column) => column.field === field)?.from ?? null;
}
