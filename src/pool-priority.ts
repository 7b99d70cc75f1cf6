import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { JobWatch } from "./core/bounded-queue.ts";
import type { Log } from "./core/log.ts";

/** As far behind as a thread can be put that is still to be sure of a tenth of a busy core. */
const BEHIND = 10;
/** Sure of a hundredth: beside other work that wants the whole machine a login would take seconds. */
const FAR_BEHIND = 19;
/** That many times as long as the fastest hash without one that ends: others want the time. */
const LATE = 5;
/** That many times as long as the fastest, on average: nobody wants it any more. */
const QUICK = 2.5;
const WEIGHT_OF_LATEST = 0.1;
const FIRST_CALLS = 64;
const LATER_EVERY = 1_024;
const TASKS = "/proc/self/task";

/**
 * Puts the threads that hash passwords behind the one that answers requests, so that a flood of logins takes the time
 * that nobody else wants. Linux has a priority for each thread; elsewhere there is nothing to do.
 *
 * The further behind, the less often the scheduler prefers a hash to a request, and the less is left of a hash where
 * others are busy too. So they go far behind as long as hashes are as quick as they can be, and come forward where
 * they are not; and where a thread may not come forward again, as without privilege, they never go that far.
 */
export class PoolPriority implements JobWatch {
  readonly #log: Log;
  readonly #seen = new Set<string>();
  #hashing: string[] = [];
  #calls = 0;
  #isPossible = process.platform === "linux";
  #canComeForward: boolean | null = null;
  #niceness = FAR_BEHIND;
  #running = 0;
  #alarm: ReturnType<typeof setTimeout> | undefined;
  #fastestMs = Infinity;
  #typicalMs = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  began(): void {
    this.#running += 1;
    if (this.#running === 1) this.#setAlarm();
  }

  ended(durationMs: number): void {
    this.#running -= 1;
    this.#setAlarm();
    this.#lowerNewThreads();
    this.#fastestMs = Math.min(this.#fastestMs, durationMs);
    this.#typicalMs += (durationMs - this.#typicalMs) * WEIGHT_OF_LATEST;
    if (this.#niceness === BEHIND && this.#typicalMs < this.#fastestMs * QUICK) this.#move(FAR_BEHIND);
  }

  /** Any hash that ends is a sign of life, and sets it anew. */
  #setAlarm(): void {
    clearTimeout(this.#alarm);
    if (this.#running === 0 || this.#niceness === BEHIND || this.#fastestMs === Infinity) return;
    const lateAfterMs = this.#fastestMs * LATE;
    this.#alarm = setTimeout(() => {
      this.#typicalMs = lateAfterMs;
      this.#move(BEHIND);
    }, lateAfterMs).unref();
  }

  #move(niceness: number): void {
    this.#niceness = niceness;
    if (this.#canComeForward !== true) return;
    this.#attempt(() => {
      this.#hashing = this.#hashing.filter(isOfThePool);
      for (const id of this.#hashing) setPriority(Number(id), niceness);
    });
  }

  /**
   * Threads come with the work, so this is called while there is some: it looks each of the first times, and then
   * seldom, since a look takes as long as answering ten reads.
   */
  #lowerNewThreads(): void {
    this.#calls += 1;
    if (this.#calls > FIRST_CALLS && this.#calls % LATER_EVERY !== 0) return;
    this.#attempt(() => {
      for (const id of readdirSync(TASKS)) {
        if (this.#seen.has(id)) continue;
        this.#seen.add(id);
        if (isOfThePool(id)) this.#lower(id);
      }
    });
  }

  #lower(id: string): void {
    const thread = Number(id);
    setPriority(thread, BEHIND);
    this.#hashing.push(id);
    this.#canComeForward ??= canComeForward(thread);
    if (this.#canComeForward) setPriority(thread, this.#niceness);
  }

  #attempt(change: () => void): void {
    if (!this.#isPossible) return;
    try {
      change();
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

/** Found out by one step back and forth: if it is refused, one thread stands a step further behind than the others. */
function canComeForward(thread: number): boolean {
  setPriority(thread, BEHIND + 1);
  try {
    setPriority(thread, BEHIND);
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.includes("EACCES")) return false;
    throw error;
  }
}
