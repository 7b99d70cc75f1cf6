import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { Log } from "./core/log.ts";

/** As far behind as a thread can be put that is still to be sure of a tenth of a busy core. */
const NICENESS = 10;
const FIRST_CALLS = 64;
const LATER_EVERY = 1_024;
const TASKS = "/proc/self/task";

/**
 * Puts the threads that hash passwords behind the one that answers requests, so that a flood of logins takes the time
 * that nobody else wants. Linux has a priority for each thread; elsewhere there is nothing to do.
 *
 * Threads come with the work, so this is called while there is some: it looks each of the first times, and then seldom,
 * since a look takes as long as answering ten reads.
 */
export class PoolPriority {
  readonly #log: Log;
  readonly #seen = new Set<string>();
  #calls = 0;
  #isPossible = process.platform === "linux";

  constructor(log: Log) {
    this.#log = log;
  }

  lower(): void {
    this.#calls += 1;
    if (!this.#isPossible || (this.#calls > FIRST_CALLS && this.#calls % LATER_EVERY !== 0)) return;
    try {
      for (const id of readdirSync(TASKS)) {
        if (this.#seen.has(id)) continue;
        this.#seen.add(id);
        if (isOfThePool(id)) setPriority(Number(id), NICENESS);
      }
    } catch (error) {
      this.#isPossible = false;
      this.#log.warning("pool.priority_not_lowered", { cause: String(error) });
    }
  }
}

/** A thread that ended since the folder was read has no name any more. */
function isOfThePool(id: string): boolean {
  const file = `${TASKS}/${id}/comm`;
  return existsSync(file) && readFileSync(file, "utf8").startsWith("Bun Pool");
}
