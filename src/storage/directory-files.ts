import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FileStore } from "../core/avatars.ts";
import { Fault } from "../core/fault.ts";

/** Files in a folder of this machine. The names come from the core, which makes them itself. */
export function directoryFiles(folder: string): FileStore {
  return {
    async put(name, content) {
      const unfinished = join(folder, `.${name}.${randomBytes(4).toString("hex")}`);
      try {
        await mkdir(folder, { recursive: true });
        await writeDurably(unfinished, content);
        await rename(unfinished, join(folder, name));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw unavailable(error);
      }
    },

    async get(name) {
      const file = Bun.file(join(folder, name));
      return (await file.exists()) ? file : null;
    },

    async delete(name) {
      await rm(join(folder, name), { force: true }).catch((error: unknown) => {
        throw unavailable(error);
      });
    },
  };
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

/** A full or missing disk is trouble of the moment, for whoever sent the file and for whoever runs the server. */
function unavailable(cause: unknown): Fault {
  return Fault.of({ kind: "unavailable" }, cause);
}
