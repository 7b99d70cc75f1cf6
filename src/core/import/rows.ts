import type { Realm, Role } from "../accounts.ts";
import {
  FULL_NAME_MAX_CHARACTERS,
  emailProblem,
  normalEmail,
  normalPhone,
  usernameProblem,
} from "../identity.ts";
import { NAME_MAX_CHARACTERS as ITEM_NAME_MAX_CHARACTERS } from "../items.ts";
import { unknownPasswordHash } from "../passwords.ts";
import { readStoredHash } from "../stored-hash.ts";
import { DESCRIPTION_MAX_CHARACTERS, TITLE_MAX_CHARACTERS } from "../todos.ts";
import type { Priority } from "../todos.ts";
import type { Changed, LeftOut } from "./findings.ts";
import type { Field, TableMapping } from "./mapping.ts";
import type { SourceRow } from "./source.ts";
import { isKeepable, isLongerThan, readFlag, readInstant } from "./values.ts";

/** What a row says, read by the rules that the API holds what it takes to. */
export type Reading<T> =
  | { readonly key: string; readonly draft: T; readonly changes: readonly Changed[] }
  | { readonly key: string | null; readonly leftOut: LeftOut };

export interface AccountDraft {
  readonly email: string;
  readonly username: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly passwordHash: string;
  readonly role: Role;
  readonly isActive: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number | null;
  readonly deletedAtMs: number | null;
}

/** A todo or an item: the latter leaves what it has not at its default. */
export interface OwnedDraft {
  readonly ownerKey: string;
  readonly title: string;
  readonly description: string | null;
  readonly completed: boolean;
  readonly priority: Priority;
  readonly createdAtMs: number;
  readonly updatedAtMs: number | null;
}

/** The fields of one row, and what had to be changed to take them. */
class RowReader {
  readonly changes: Changed[] = [];
  readonly #columns: ReadonlyMap<Field, string>;
  readonly #row: SourceRow;
  readonly #atMs: number;

  constructor({ columns }: TableMapping, row: SourceRow, atMs: number) {
    this.#columns = new Map(columns.map(({ field, from }) => [field, from]));
    this.#row = row;
    this.#atMs = atMs;
  }

  /** Null too where the source has no such column. */
  text(field: Field): string | null {
    const column = this.#columns.get(field);
    return column === undefined ? null : (this.#row[column] ?? null);
  }

  /** A text that may be missing, and is left away where it cannot be one here. */
  textWhere(field: Field, isGood: (text: string) => boolean, otherwise: Changed): string | null {
    const text = this.text(field);
    if (text === null || text === "") return null;
    if (isGood(text)) return text;
    this.changes.push(otherwise);
    return null;
  }

  /** What is neither yes nor no is no, as it was to the backends: Python takes None for it. */
  flag(field: Field, whereAbsent: boolean): boolean {
    return this.#columns.has(field) ? (readFlag(this.text(field)) ?? false) : whereAbsent;
  }

  timeMs(field: Field): number | null {
    const text = this.text(field);
    if (text === null) return null;
    const ms = readInstant(text);
    if (ms === null && !this.changes.includes("time_unreadable")) this.changes.push("time_unreadable");
    return ms ?? this.#atMs;
  }

  /** A row that has never changed has no such time here, while some backends begin with that of its making. */
  times(): { readonly createdAtMs: number; readonly updatedAtMs: number | null } {
    const createdAtMs = this.timeMs("createdAt") ?? this.#atMs;
    const updatedAtMs = this.timeMs("updatedAt");
    return { createdAtMs, updatedAtMs: (updatedAtMs ?? 0) > createdAtMs ? updatedAtMs : null };
  }
}

export function readAccount(
  realm: Realm,
  mapping: TableMapping,
  row: SourceRow,
  atMs: number,
): Reading<AccountDraft> {
  const reader = new RowReader(mapping, row, atMs);
  const key = reader.text("id");
  if (key === null || !isKeepable(key)) return { key: null, leftOut: "key_missing" };
  const email = reader.text("email") ?? "";
  if (email.trim() === "") return { key, leftOut: "email_missing" };
  if (emailProblem(email) !== null) return { key, leftOut: "email_invalid" };
  const draft = {
    email: normalEmail(email),
    username: reader.textWhere("username", (text) => usernameProblem(text) === null, "username_invalid"),
    name: reader.textWhere("name", isName, "name_dropped")?.trim() || null,
    phone: phoneOf(reader),
    passwordHash: passwordHashOf(reader),
    role: realm === "admin" ? realm : roleOf(reader),
    isActive: reader.flag("isActive", true),
    ...reader.times(),
    deletedAtMs: reader.timeMs("deletedAt"),
  };
  return { key, draft, changes: reader.changes };
}

function isName(text: string): boolean {
  return isKeepable(text) && !isLongerThan(text.trim(), FULL_NAME_MAX_CHARACTERS);
}

function phoneOf(reader: RowReader): string | null {
  const phone = reader.textWhere("phone", (text) => normalPhone(text) !== null, "phone_invalid");
  return phone === null ? null : normalPhone(phone);
}

/** A text of another kind may be the password itself: it is not kept. */
function passwordHashOf(reader: RowReader): string {
  const hash = reader.text("password");
  if (hash !== null && readStoredHash(hash) !== null) return hash;
  reader.changes.push("password_unknown");
  return unknownPasswordHash();
}

/** An Enum of SQLAlchemy is kept by its name, in capitals as a rule. */
function roleOf(reader: RowReader): Role {
  if (reader.flag("isSuperuser", false)) return "admin";
  const role = reader.text("role")?.toLowerCase() ?? "user";
  if (role === "admin" || role === "user") return role;
  reader.changes.push("role_unknown");
  return "user";
}

export function readOwned(mapping: TableMapping, row: SourceRow, atMs: number): Reading<OwnedDraft> {
  const reader = new RowReader(mapping, row, atMs);
  const key = reader.text("id");
  if (key === null || !isKeepable(key)) return { key: null, leftOut: "key_missing" };
  const ownerKey = reader.text("owner");
  if (ownerKey === null || !isKeepable(ownerKey)) return { key, leftOut: "owner_missing" };
  const title = reader.text("title")?.trim() ?? "";
  const description = reader.text("description");
  const titleMax = mapping.noun === "item" ? ITEM_NAME_MAX_CHARACTERS : TITLE_MAX_CHARACTERS;
  if (title === "") return { key, leftOut: "title_missing" };
  if (isLongerThan(title, titleMax)) return { key, leftOut: "title_too_long" };
  if (description !== null && isLongerThan(description, DESCRIPTION_MAX_CHARACTERS)) {
    return { key, leftOut: "description_too_long" };
  }
  if (!isKeepable(title) || (description !== null && !isKeepable(description))) {
    return { key, leftOut: "text_unreadable" };
  }
  const draft = {
    ownerKey,
    title,
    description,
    completed: reader.flag("completed", false),
    priority: priorityOf(reader),
    ...reader.times(),
  };
  return { key, draft, changes: reader.changes };
}

function priorityOf(reader: RowReader): Priority {
  const priority = reader.text("priority")?.toLowerCase() ?? "medium";
  if (priority === "low" || priority === "medium" || priority === "high") return priority;
  reader.changes.push("priority_unknown");
  return "medium";
}
