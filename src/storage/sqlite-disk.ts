import { closeSync, fdatasyncSync, openSync } from "node:fs";
import { systemCode } from "../core/system-code.ts";
import source from "./sqlite-disk-thread.js" with { type: "text" };

/** What makes that commits outlive a power cut, and keeps the log they are in from growing. */
export interface Disk {
  /** Fulfils once all that was committed until now is on the disk, with how many pages the log holds. */
  sync(): Promise<number>;
  /**
   * Writes what is in the log into the database, as far as nobody reads from it; the log is then begun anew. Fulfils
   * with how many milliseconds it took.
   */
  checkpoint(): Promise<number>;
  /** Lets go of the file: to be asked before the last connection to it closes. */
  release(): Promise<unknown>;
}

/**
 * The disk beneath one SQLite file, waited for on another thread: an fsync takes a tenth of a millisecond on one
 * machine and ten on the next, a checkpoint many times that, and the event loop would answer nobody meanwhile.
 */
export class SqliteDisk implements Disk {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  sync(): Promise<number> {
    return thread.ask({ path: this.#path, task: "sync" });
  }

  checkpoint(): Promise<number> {
    return thread.ask({ path: this.#path, task: "checkpoint" });
  }

  release(): Promise<unknown> {
    return thread.hasBegun ? thread.ask({ path: this.#path, task: "release" }) : Promise.resolve(0);
  }
}

/**
 * A log that is there before the file is opened was left by a program that was killed, or is another's. What it holds
 * may still be on its way to the disk, and whoever opens the file reads it: a power cut must not take it back then.
 */
export function syncLogLeft(path: string): void {
  const log = openIfThere(`${path}-wal`);
  if (log === null) return;
  try {
    fdatasyncSync(log);
  } finally {
    closeSync(log);
  }
}

/** Not read-only: some systems sync no file that cannot be written through the descriptor they are given. */
function openIfThere(path: string): number | null {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}

interface Task {
  readonly path: string;
  readonly task: "sync" | "checkpoint" | "release";
}

/** One for all files of a process, from the first task on; it answers in the order in which it was asked. */
class DiskThread {
  #worker: Worker | null = null;
  #asked: PromiseWithResolvers<number>[] = [];

  get hasBegun(): boolean {
    return this.#worker !== null;
  }

  ask(task: Task): Promise<number> {
    this.#worker ??= this.#begin();
    const answer = Promise.withResolvers<number>();
    this.#asked.push(answer);
    // Whoever still waits for an answer keeps the process alive; the thread by itself does not.
    if (this.#asked.length === 1) this.#worker.ref();
    this.#worker.postMessage(task);
    return answer.promise;
  }

  #begin(): Worker {
    const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
    const worker = new Worker(url, { name: "sqlite-disk", ref: false, smol: true });
    worker.onmessage = ({ data: told }: MessageEvent<unknown>) => {
      const answer = this.#asked.shift();
      if (this.#asked.length === 0) worker.unref();
      if (typeof told === "number") answer?.resolve(told);
      else answer?.reject(new Error(`the disk: ${String(told)}`));
    };
    worker.onerror = ({ message }) => {
      this.#worker = null;
      for (const answer of this.#asked.splice(0)) {
        answer.reject(new Error(`the thread that waits for the disk ended: ${message}`));
      }
    };
    return worker;
  }
}

const thread = new DiskThread();
