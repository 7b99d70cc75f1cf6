import type { Log } from "./log.ts";

/**
 * Tasks that run again and again beside the requests. One that fails is told to the operator and runs again at its
 * next hour; nothing else hears of it. One that takes longer than its interval is not started twice.
 */
export class Recurring {
  readonly #log: Log;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A task of many steps looks at the signal before each, and leaves the rest to its next run. */
  every(
    name: string,
    intervalMs: number,
    firstAfterMs: number,
    task: (stopping: AbortSignal) => Promise<unknown>,
  ): void {
    const again = (afterMs: number) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        again(intervalMs);
        this.#run(name, task);
      }, afterMs);
      timer.unref();
      this.#timers.add(timer);
    };
    again(firstAfterMs);
  }

  /** Starts nothing more, and fulfils once each task has done the step that it was at. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running.values());
  }

  #run(name: string, task: (stopping: AbortSignal) => Promise<unknown>): void {
    if (this.#running.has(name)) return;
    // Called inside a promise, so that a task that throws before its first await fails the same way.
    const run = Promise.resolve()
      .then(() => task(this.#stopping.signal))
      .then(
        () => {},
        (error: unknown) => this.#log.error("task.failed", { task: name }, error),
      )
      .finally(() => this.#running.delete(name));
    this.#running.set(name, run);
  }
}
