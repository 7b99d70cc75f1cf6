import { Database as BunDatabase, SQLiteError } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { systemCode } from "../core/system-code.ts";

/** Nothing was copied, or put in anything's place. The message is one line for the operator. */
export class BackupRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BackupRefused";
  }
}

/** What a copy was found to hold, once it was opened and checked. */
export interface Inspection {
  readonly bytes: number;
  /** By table. */
  readonly rows: Readonly<Record<string, number>>;
}

const COUNTED = ["users", "admins", "sessions", "todos", "items", "personal_tokens", "audit_log"] as const;
const SHOWN_PROBLEMS = 3;

/**
 * Copies a database that may be written to meanwhile: the copy is as it was at one moment, and holds every write that
 * was acknowledged before. It appears under its name only once it is whole, on the disk, and checked.
 */
export function backUpSqlite(
  source: string,
  file: string,
  { overwrites }: { overwrites: boolean },
): Inspection {
  requireFile(source, "database");
  const draft = draftOf(file);
  refuseOwn(source, file);
  if (existsSync(file) && !isReplaceable(file)) throw new BackupRefused(`${file} is no file`);
  if (!overwrites && existsSync(file))
    throw new BackupRefused(`${file} is there already: --force overwrites it`);
  try {
    copyWhole(source, draft);
    const inspection = inspectSqlite(draft, source);
    place(draft, file, overwrites);
    return inspection;
  } finally {
    removeDraft(draft);
  }
}

export interface Restored extends Inspection {
  /** Where the database is that stood there before; null where there was none. */
  readonly asideFile: string | null;
  /** The one before could not be read, so that nobody can tell whether a server still has it open. */
  readonly wasUnreadable: boolean;
}

/**
 * Puts a copy of `file` in the database's place, in one step; what stood there stays beside it. Fails where any
 * program has the database open: it would go on with what is no longer there.
 */
export function restoreSqlite(
  file: string,
  path: string,
  { overwrites, asideEnding }: { overwrites: boolean; asideEnding: string },
): Restored {
  // Beside a link there is nothing of the database that it leads to.
  const target = existsSync(path) && lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  const asideFile = `${target}${asideEnding}`;
  requireFile(file, "file");
  refuseSame(file, target, "is the database itself");
  const isReplacing = existsSync(target);
  if (isReplacing && !overwrites) {
    throw new BackupRefused(
      `there is a database at ${target}: --force puts the backup in its place, and keeps it as ${asideFile}`,
    );
  }
  const draft = draftOf(target);
  const hold = isReplacing ? takeOver(target) : null;
  try {
    copyWhole(file, draft);
    const inspection = inspectSqlite(draft, file);
    giveToOwnerOf(isReplacing ? target : dirname(resolve(target)), draft);
    if (isReplacing) keepAside(target, asideFile);
    // What a crash left of the log of another database must not be taken for this one's.
    for (const suffix of SIDE_FILES) moveAside(target + suffix, asideFile + suffix);
    renameSync(draft, target);
    syncFolder(target);
    return {
      ...inspection,
      asideFile: isReplacing ? asideFile : null,
      wasUnreadable: isReplacing && hold === null,
    };
  } finally {
    hold?.close();
    removeDraft(draft);
  }
}

/** An operator restores as root, and the server that opens the database then is another user, as in its unit. */
function giveToOwnerOf(path: string, draft: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(path);
  chownSync(draft, uid, gid);
}

/**
 * Opens and checks a database of Latchkey's. Fails with `BackupRefused` where it is none, or not sound, in the name
 * of what it was copied from.
 */
export function inspectSqlite(path: string, name: string = path): Inspection {
  const refuse = (problem: string, cause?: unknown) => new BackupRefused(`${name} ${problem}`, cause);
  const database = openReadonly(path);
  try {
    const problems = column(database, "PRAGMA integrity_check").filter((line) => line !== "ok");
    if (problems.length > 0) throw refuse(`is damaged: ${problems.slice(0, SHOWN_PROBLEMS).join("; ")}`);
    const orphans = column(database, "PRAGMA foreign_key_check");
    if (orphans.length > 0) throw refuse(`is damaged: a row of ${orphans[0]} refers to no row`);
    const tables = column(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    if (!tables.includes("schema_migrations")) throw refuse("is no database of Latchkey's");
    const rows = COUNTED.filter((table) => tables.includes(table)).map(
      (table) => [table, Number(column(database, `SELECT COUNT(*) FROM ${table}`)[0])] as const,
    );
    return { bytes: statSync(path).size, rows: Object.fromEntries(rows) };
  } catch (error) {
    throw error instanceof SQLiteError ? refuse(`cannot be read: ${error.message}`, error) : error;
  } finally {
    database.close();
  }
}

const SIDE_FILES = ["-wal", "-shm", "-journal"] as const;
/** Where a secret is kept that nobody has set. */
export const SECRET_BESIDE = ".secret";

function openReadonly(path: string): BunDatabase {
  try {
    return new BunDatabase(path, { readonly: true });
  } catch (error) {
    throw new BackupRefused(`${path} cannot be opened: ${reasonOf(error)}`, error);
  }
}

/** The first column of every row, as text. */
function column(database: BunDatabase, sql: string): readonly string[] {
  using statement = database.prepare(sql);
  return statement.values().map(([value]) => String(value));
}

/** `VACUUM INTO` reads one snapshot, and keeps no writer waiting: that is what the write-ahead log is for. */
function copyWhole(source: string, draft: string): void {
  const database = openReadonly(source);
  try {
    // Made here, so that nobody but its owner could read it for a moment; SQLite fills an empty file.
    closeSync(openSync(draft, "wx", 0o600));
    using statement = database.prepare("VACUUM INTO ?");
    statement.run(draft);
    sync(draft);
  } catch (error) {
    throw new BackupRefused(`${source} cannot be copied: ${reasonOf(error)}`, error);
  } finally {
    database.close();
  }
}

/** Beside the file that it becomes: only within one file system can it be renamed. */
function draftOf(file: string): string {
  const folder = dirname(resolve(file));
  if (!existsSync(folder)) throw new BackupRefused(`the folder ${folder} does not exist`);
  if (!statSync(folder).isDirectory()) throw new BackupRefused(`${folder} is no folder`);
  return `${file}.${randomBytes(6).toString("hex")}.part`;
}

function place(draft: string, file: string, overwrites: boolean): void {
  try {
    // A link, unlike a renaming, takes nobody's place, also where another has been quicker.
    if (overwrites) renameSync(draft, file);
    else linkSync(draft, file);
  } catch (error) {
    throw new BackupRefused(`${file} cannot be written: ${reasonOf(error)}`, error);
  }
  syncFolder(file);
}

/**
 * Whoever has a database open with a write-ahead log holds a lock on it for as long, and only who is alone can give
 * the log up. That also brings what the log still holds into the file. Null for a file that SQLite cannot read.
 */
function takeOver(target: string): BunDatabase | null {
  // To such a file SQLite deletes the log, which may be all that is left of it.
  if (!beginsLikeSqlite(target)) return null;
  let database: BunDatabase | null = null;
  try {
    database = new BunDatabase(target, { readwrite: true });
    database.run("PRAGMA busy_timeout = 0");
    database.run("PRAGMA journal_mode = DELETE");
    database.run("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    if (!(error instanceof SQLiteError)) throw error;
    if (error.code !== undefined && UNREADABLE.test(error.code)) return null;
    const why =
      error.code === "SQLITE_BUSY" ? "is open in another program: stop the server first" : error.message;
    throw new BackupRefused(`${target} ${why}`, error);
  }
}

const HEADER = "SQLite format 3\0";

function beginsLikeSqlite(path: string): boolean {
  const begin = Buffer.alloc(HEADER.length);
  const file = opened(path);
  try {
    const length = readSync(file, begin, 0, HEADER.length, 0);
    return length === 0 || begin.toString("latin1") === HEADER;
  } finally {
    closeSync(file);
  }
}

function opened(path: string): number {
  try {
    if (!statSync(path).isFile()) throw new BackupRefused(`${path} is no file`);
    return openSync(path, "r");
  } catch (error) {
    if (systemCode(error) === null) throw error;
    throw new BackupRefused(`${path} cannot be read: ${reasonOf(error)}`, error);
  }
}

const UNREADABLE = /^SQLITE_(?:NOTADB|CORRUPT)/;

/** What a file system says that gives a file no second name. */
const WITHOUT_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP"]);

/** The file under a second name, so that there is a database under the first at every moment. */
function keepAside(target: string, asideFile: string): void {
  try {
    linkSync(target, asideFile);
  } catch (error) {
    if (systemCode(error) === "EEXIST")
      throw new BackupRefused(`${asideFile} is there already: try again`, error);
    if (!WITHOUT_LINKS.has(systemCode(error) ?? "")) throw error;
    copyFileSync(target, asideFile);
  }
}

function moveAside(file: string, asideFile: string): void {
  if (existsSync(file)) renameSync(file, asideFile);
}

function requireFile(path: string, what: string): void {
  if (!existsSync(path)) throw new BackupRefused(`there is no ${what} ${path}`);
}

/** What is the database's stands beside it, and beside what a link leads to; also where there is none of it right now. */
function refuseOwn(source: string, file: string): void {
  refuseSame(source, file, "is the database itself");
  const target = join(realpathSync(dirname(resolve(file))), basename(file));
  for (const path of [realpathSync(source), resolve(source)]) {
    const own = [...SIDE_FILES, SECRET_BESIDE].find((ending) => path + ending === target);
    if (own !== undefined) throw new BackupRefused(`${file} belongs to the database itself`);
  }
}

/** A folder cannot be replaced, and says so by itself; a device or a pipe could be, and must not. */
function isReplaceable(file: string): boolean {
  const found = lstatSync(file);
  return found.isFile() || found.isSymbolicLink() || found.isDirectory();
}

function removeDraft(draft: string): void {
  for (const path of [draft, `${draft}-journal`]) removeLeftover(path);
}

/** What stands in the way of that has most likely failed the rest as well, and must not be told in its place. */
export function removeLeftover(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (systemCode(error) === null) throw error;
  }
}

function refuseSame(one: string, other: string, problem: string): void {
  if (existsSync(other) && realpathSync(one) === realpathSync(other)) {
    throw new BackupRefused(`${other} ${problem}`);
  }
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(file: string): void {
  sync(dirname(resolve(file)));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
