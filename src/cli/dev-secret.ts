import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";

import type { Config, DatabaseTarget } from "../config.ts";
import { systemCode } from "../core/system-code.ts";
import { DatabaseRefused } from "../storage/database.ts";
import { SECRET_BESIDE } from "../storage/sqlite-backup.ts";

const SECRET_BYTES = 48;

/** Where a development secret is kept: beside the database, so that both live and go together. */
export function keptSecretPath(database: DatabaseTarget): string {
  return database.engine === "sqlite" ? `${database.path}${SECRET_BESIDE}` : "./latchkey.secret";
}

/** The secret in force: the one that is set, else the one that is kept, made where there is none. */
export function programSecret(config: Config): string {
  return (
    config.secretKey ??
    kept(config, "SECRET_KEY is not set, and none can be kept beside the database", keptSecret)
  );
}

/** The same, where it must be the one that was in force before: a new one would prove nothing. */
export function existingSecret(config: Config): string {
  return (
    config.secretKey ??
    kept(config, "SECRET_KEY is not set, and the one that is kept cannot be read", existing)
  );
}

function kept({ database }: Config, problem: string, read: (path: string) => string): string {
  try {
    return read(keptSecretPath(database));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DatabaseRefused(`${problem}: ${reason}`, error);
  }
}

function existing(path: string): string {
  const secret = readKept(path);
  if (secret === null) throw new Error(`${path} does not exist`);
  return secret;
}

/**
 * The secret kept at `path`, made at the first call. Of several processes that start at once, one makes it and
 * the others read that one: it appears under its name only when it is whole, and never replaces another.
 */
export function keptSecret(path: string): string {
  return readKept(path) ?? makeKept(path);
}

function readKept(path: string): string | null {
  let secret: string;
  try {
    secret = readFileSync(path, "utf8").trim();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
  if (!/^[A-Za-z0-9_-]{64,}$/.test(secret)) {
    throw new Error(
      `${path} does not hold a secret of Latchkey's: delete it, and the next start makes a new one`,
    );
  }
  return secret;
}

function makeKept(path: string): string {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = openSync(draft, "wx", 0o600);
  try {
    writeSync(file, `${randomBytes(SECRET_BYTES).toString("base64url")}\n`);
    fsyncSync(file);
    linkSync(draft, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
  const kept = readKept(path);
  if (kept === null) throw new Error(`${path} vanished while it was being made`);
  return kept;
}
