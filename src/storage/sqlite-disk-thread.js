// The thread of sqlite-disk.ts, which sends it tasks and says what they are. Plain JavaScript, and importing nothing
// but what is in Bun: the binary holds it as a text.
import { Database } from "bun:sqlite";
import { closeSync, fdatasyncSync, openSync } from "node:fs";

/** By the path of the database: its log, and a connection to write the log into it. */
const files = new Map();

const tasks = {
  /** Answers how many pages the log holds: this kind of checkpoint looks, and writes nothing. */
  sync(path) {
    const { log, database } = opened(path);
    fdatasyncSync(log);
    return database.query("PRAGMA wal_checkpoint(NOOP)").get().log;
  },

  checkpoint(path) {
    const { database } = opened(path);
    const begunAt = performance.now();
    database.query("PRAGMA wal_checkpoint(PASSIVE)").get();
    return performance.now() - begunAt;
  },

  release(path) {
    const file = files.get(path);
    if (file === undefined) return;
    files.delete(path);
    closeSync(file.log);
    file.database.close();
  },
};

function opened(path) {
  let file = files.get(path);
  if (file === undefined) {
    // Not read-only: some systems sync no file that cannot be written through the descriptor they are given.
    const log = openSync(`${path}-wal`, "r+");
    file = { log, database: new Database(path, { readwrite: true }) };
    files.set(path, file);
  }
  return file;
}

self.onmessage = ({ data: { path, task } }) => {
  try {
    postMessage(tasks[task](path) ?? 0);
  } catch (error) {
    postMessage(String(error));
  }
};
