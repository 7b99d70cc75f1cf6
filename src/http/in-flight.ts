import { SECOND_MS } from "../core/clock.ts";

interface Entry {
  readonly deadlineMs: number;
  readonly expire: () => void;
}

/**
 * The requests being worked on. Each has a deadline, kept by one timer for all rather than one for each; and a
 * server that is told to stop waits here for the last of them.
 */
export class InFlight {
  readonly #limitMs: number;
  readonly #entries = new Set<Entry>();
  #sweeper: ReturnType<typeof setInterval> | null = null;
  #whenIdle: (() => void)[] = [];

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The work's own result, or `late()` where it takes longer than the limit. */
  run<T>(work: Promise<T>, late: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        deadlineMs: performance.now() + this.#limitMs,
        expire: () => resolve(late()),
      };
      this.#add(entry);
      work.then(
        (result) => {
          this.#remove(entry);
          resolve(result);
        },
        (error: unknown) => {
          this.#remove(entry);
          reject(error);
        },
      );
    });
  }

  /** Fulfils once nothing is being worked on. */
  idle(): Promise<void> {
    if (this.#entries.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #add(entry: Entry): void {
    this.#entries.add(entry);
    this.#sweeper ??= setInterval(() => this.#sweep(), SECOND_MS).unref();
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry);
    if (this.#entries.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Entries stand in the order in which they came, and so of their deadlines. */
  #sweep(): void {
    const nowMs = performance.now();
    for (const entry of this.#entries) {
      if (entry.deadlineMs > nowMs) return;
      this.#entries.delete(entry);
      entry.expire();
    }
    if (this.#entries.size === 0 && this.#sweeper !== null) {
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }
  }
}
