import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";

export interface QueueLimits {
  readonly concurrency: number;
  readonly maxQueued: number;
}

/** Told of each job whose turn has come. */
export interface JobWatch {
  began(): void;
  ended(durationMs: number): void;
}

/** How much the latest job changes the estimate of how long a job takes. */
const WEIGHT_OF_LATEST = 0.1;

/** Runs so many jobs at once, lets so many wait in order of arrival, and refuses the rest at once. */
export class BoundedQueue {
  readonly #limits: QueueLimits;
  readonly #clock: Clock;
  readonly #watch: JobWatch | undefined;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #typicalJobMs = 0;

  constructor(limits: QueueLimits, clock: Clock, watch?: JobWatch) {
    this.#limits = limits;
    this.#clock = clock;
    this.#watch = watch;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** Fails with `Fault overloaded` where as many wait as may, and with whatever `job` fails with. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    await this.#takePlace();
    const startedAtMs = this.#clock.nowMs();
    this.#watch?.began();
    try {
      return await job();
    } finally {
      const durationMs = this.#clock.nowMs() - startedAtMs;
      this.#learn(durationMs);
      this.#watch?.ended(durationMs);
      this.#leavePlace();
    }
  }

  /** Fails as `run` would just now: for whoever has work to do before there is a job. */
  refuseIfFull(): void {
    if (this.#hasFreePlace() || this.#waiting.length < this.#limits.maxQueued) return;
    throw Fault.of({ kind: "overloaded", retryAfterSeconds: this.#retryAfterSeconds() });
  }

  #hasFreePlace(): boolean {
    return this.#running < this.#limits.concurrency;
  }

  #takePlace(): Promise<void> | undefined {
    if (this.#hasFreePlace()) {
      this.#running++;
      return undefined;
    }
    this.refuseIfFull();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The place goes straight to the next in line, so that nobody who comes in between can take it. */
  #leavePlace(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }

  #learn(durationMs: number): void {
    this.#typicalJobMs =
      this.#typicalJobMs === 0
        ? durationMs
        : this.#typicalJobMs + (durationMs - this.#typicalJobMs) * WEIGHT_OF_LATEST;
  }

  /** The time that all the work there is now will take. */
  #retryAfterSeconds(): number {
    const jobs = this.#running + this.#waiting.length;
    return Math.max(1, Math.ceil((jobs * this.#typicalJobMs) / this.#limits.concurrency / 1_000));
  }
}
