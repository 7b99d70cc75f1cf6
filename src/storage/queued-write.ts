/** What became of a write: null where it went well. */
export type Outcome = { readonly error: unknown } | null;

/** A write that waits for its turn, whatever it answers. */
export interface Job<Connection> {
  /** May be run again where nothing of it was kept. */
  run(connection: Connection): Promise<void>;
  /** Once it is known whether it is kept. */
  settle(outcome: Outcome): void;
}

/** The same, for whoever asked for it. */
export class QueuedWrite<T, Connection> implements Job<Connection> {
  readonly #work: (connection: Connection) => Promise<T>;
  readonly #result = Promise.withResolvers<T>();
  #made: { readonly value: T } | null = null;

  constructor(work: (connection: Connection) => Promise<T>) {
    this.#work = work;
  }

  get result(): Promise<T> {
    return this.#result.promise;
  }

  async run(connection: Connection): Promise<void> {
    this.#made = { value: await this.#work(connection) };
  }

  settle(outcome: Outcome): void {
    if (outcome !== null) this.#result.reject(outcome.error);
    else if (this.#made !== null) this.#result.resolve(this.#made.value);
  }
}
