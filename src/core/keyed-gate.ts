import { Fault } from "./fault.ts";

/** Lets at most `running` tasks of one key run at a time in this process; as many as `waiting` wait their turn. */
export class KeyedGate {
  readonly #limit: { readonly running: number; readonly waiting: number };
  readonly #lanes = new Map<string, { running: number; readonly waiting: (() => void)[] }>();

  constructor(limit: { running: number; waiting: number }) {
    this.#limit = limit;
  }

  /** Fails with `overloaded` where too many wait for this key already, and with whatever the task fails with. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(key) ?? { running: 0, waiting: [] };
    this.#lanes.set(key, lane);
    if (lane.running < this.#limit.running) lane.running += 1;
    else if (lane.waiting.length < this.#limit.waiting)
      await new Promise<void>((enter) => lane.waiting.push(enter));
    else throw Fault.of({ kind: "overloaded", retryAfterSeconds: 1 });
    try {
      return await task();
    } finally {
      // Whoever waits takes over this place, so the count of those running stays.
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else if (--lane.running === 0) this.#lanes.delete(key);
    }
  }
}
