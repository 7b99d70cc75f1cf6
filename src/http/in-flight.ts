import { SECOND_MS } from "../core/clock.ts";

/** One request being worked on. Its outcome is null where that took longer than the limit. */
export interface Work<T> {
  readonly deadlineMs: number;
  readonly outcome: PromiseWithResolvers<T | null>;
}

/**
 * The requests being worked on. Each has a deadline, kept by one timer for all rather than one for each; and a
 * server that is told to stop waits here for the last of them.
 */
export class InFlight<T> {
  readonly #limitMs: number;
  readonly #works = new Set<Work<T>>();
  #sweeper: ReturnType<typeof setInterval> | null = null;
  #whenIdle: (() => void)[] = [];
  #begun = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  get size(): number {
    return this.#works.size;
  }

  begin(): Work<T> {
    const work = {
      deadlineMs: performance.now() + this.#limitMs,
      outcome: Promise.withResolvers<T | null>(),
    };
    this.#begun += 1;
    this.#works.add(work);
    this.#sweeper ??= setInterval(() => this.#sweep(), SECOND_MS).unref();
    return work;
  }

  fulfil(work: Work<T>, result: T): void {
    this.#end(work);
    work.outcome.resolve(result);
  }

  fail(work: Work<T>, error: unknown): void {
    this.#end(work);
    work.outcome.reject(error);
  }

  /** Fulfils once nothing is being worked on. */
  idle(): Promise<void> {
    if (this.#works.size === 0) return Promise.resolve();
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
      count = begun === this.#begun && this.#works.size === 0 ? count + 1 : 0;
    }
  }

  #end(work: Work<T>): void {
    this.#works.delete(work);
    if (this.#works.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** They stand in the order in which they came, and so of their deadlines. */
  #sweep(): void {
    const nowMs = performance.now();
    for (const work of this.#works) {
      if (work.deadlineMs > nowMs) return;
      this.#works.delete(work);
      work.outcome.resolve(null);
    }
    if (this.#works.size === 0 && this.#sweeper !== null) {
      clearInterval(this.#sweeper);
      this.#sweeper = null;
    }
  }
}
