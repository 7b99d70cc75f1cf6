import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FileStore, StoredFile } from "../core/avatars.ts";
import { Fault } from "../core/fault.ts";
import { systemCode } from "../core/system-code.ts";

const FILES_PER_PORTION = 200;

/** A file that is being put, or never came to its end. */
const UNFINISHED = /^\.(.+)\.[0-9a-f]{8}$/;

/** Files in a folder of this machine. The names come from the core, which makes them itself. */
export function directoryFiles(folder: string): FileStore {
  return {
    async put(name, content) {
      const unfinished = join(folder, `.${name}.${randomBytes(4).toString("hex")}`);
      await mkdir(folder, { recursive: true }).catch(unavailable);
      try {
        await writeDurably(unfinished, content);
        await rename(unfinished, join(folder, name));
        await syncFolder(folder);
      } catch (error) {
        await rm(unfinished, { force: true }).catch(unavailable);
        unavailable(error);
      }
    },

    async get(name) {
      // Whole, while a failure can still be told: a file that is read as it is sent may be gone by then.
      try {
        return new Blob([await readFile(join(folder, name))]);
      } catch (error) {
        return systemCode(error) === "ENOENT" ? null : unavailable(error);
      }
    },

    async delete(name) {
      await rm(join(folder, name), { force: true }).catch(unavailable);
    },

    async *list() {
      // All names at once, since Bun reads a folder in no other way; what is behind them, in portions.
      const names = await readdir(folder).catch((error: unknown) =>
        systemCode(error) === "ENOENT" ? [] : unavailable(error),
      );
      for (let from = 0; from < names.length; from += FILES_PER_PORTION) {
        const portion = names.slice(from, from + FILES_PER_PORTION);
        const files = await Promise.all(portion.map((name) => storedFile(folder, name)));
        yield files.filter((file) => file !== null);
      }
    },
  };
}

/** Null for what is no file, or is one no more. */
async function storedFile(folder: string, name: string): Promise<StoredFile | null> {
  try {
    const found = await lstat(join(folder, name));
    const putAs = UNFINISHED.exec(name)?.[1] ?? name;
    return found.isFile() ? { name, putAs, storedAtMs: found.mtimeMs } : null;
  } catch (error) {
    return systemCode(error) === "ENOENT" ? null : unavailable(error);
  }
}

/** On the disk before its name is: a name must never lead to half a file. */
async function writeDurably(path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, "wx", 0o644);
  try {
    await file.writeFile(content);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/** An account that names the file must not outlive the name. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A full or missing disk is trouble of the moment, for whoever sent the file and for whoever runs the server. */
function unavailable(cause: unknown): never {
  throw Fault.of({ kind: "unavailable" }, cause);
}
