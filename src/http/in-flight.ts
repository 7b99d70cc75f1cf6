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
  #begun = 0;

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

  /** Fulfils once no other has begun for so long, or after the limit. */
  async quiet(forMs: number, limitMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + limitMs;
    let begun = -1;
    while (begun !== this.#begun && performance.now() < giveUpAtMs) {
      begun = this.#begun;
      await Bun.sleep(Math.min(forMs, limitMs));
    }
  }

  /** Fulfils once none was worked on for so many turns of the event loop, or after the limit. */
  async still(turns: number, limitMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + limitMs;
    for (let count = 0; count < turns && performance.now() < giveUpAtMs;) {
      const begun = this.#begun;
      await new Promise<void>((resolve) => setImmediate(resolve));
      count = begun === this.#begun && this.#entries.size === 0 ? count + 1 : 0;
    }
  }

  #add(entry: Entry): void {
    this.#begun += 1;
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
