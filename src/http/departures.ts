/** An answer that is ready waits at most so long for others, and for the one that is being made just then. */
const LONGEST_WAIT_MS = 0.5;

/** With fewer in a turn nobody waits: to send one while its reader works on another is then worth more. */
const FEWEST_TOGETHER = 5;

interface Departure {
  readonly left: Promise<void>;
  readonly leave: () => void;
  readonly firstReadyAtMs: number;
}

/**
 * Answers leave together: those of one turn of the event loop at its end, or as soon as the first of them has waited
 * for half a millisecond.
 *
 * To send an answer wakes whoever reads it, and throws out of the caches what the next request needs. Among many
 * connections to make some answers and then to send them takes a fifth less time than to send each as it is made; see
 * docs/decisions/0021-answers-leave-together.md. Where there were few in the turn before, each is sent at once.
 */
export class Departures {
  #next: Departure | null = null;
  #turnHasEnd = false;
  #answersInTurn = 0;
  #isBusy = false;

  /**
   * Said as a request begins. What else the end of a turn has to do, as to close its snapshot or to write its log,
   * is asked for later, and so is done after the answers have left.
   */
  announce(): void {
    if (this.#turnHasEnd) return;
    this.#turnHasEnd = true;
    setImmediate(() => this.#endTurn());
  }

  /** Fulfils as the answer that was ready at `nowMs` is to be sent; null where that is now. */
  next(nowMs: number): Promise<void> | null {
    this.announce();
    this.#answersInTurn += 1;
    if (!this.#isBusy) return null;
    const departure = (this.#next ??= departureAfter(nowMs));
    if (nowMs - departure.firstReadyAtMs >= LONGEST_WAIT_MS) this.#leave();
    return departure.left;
  }

  #endTurn(): void {
    this.#turnHasEnd = false;
    this.#isBusy = this.#answersInTurn >= FEWEST_TOGETHER;
    this.#answersInTurn = 0;
    this.#leave();
  }

  #leave(): void {
    this.#next?.leave();
    this.#next = null;
  }
}

function departureAfter(firstReadyAtMs: number): Departure {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { left: promise, leave: resolve, firstReadyAtMs };
}
