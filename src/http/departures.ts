/** An answer that is ready waits at most so long for others, and for the one that is being made just then. */
const LONGEST_WAIT_MS = 0.5;

/** With fewer in a turn nobody waits: to send one while its reader works on another is then worth more. */
const FEWEST_TOGETHER = 5;

/** What a turn was like so long ago says nothing of the next. */
const FORGOTTEN_AFTER_MS = 100;

/** So many turns nobody waits after one in which somebody pipelined. */
const TURNS_AT_ONCE = 1_000;

/** The other end of a connection. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

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
 *
 * So it is where somebody pipelines, and sends a request before the answer to the one before has come: Bun ends a
 * connection on which that happens while an answer waits.
 */
export class Departures {
  #next: Departure | null = null;
  #turnHasEnd = false;
  #answersInTurn = 0;
  #isBusy = false;
  #lastPeer: Peer | null = null;
  #lastReadyAtMs = -Infinity;
  #turnsAtOnce = 0;

  /**
   * Said as a request begins, with whom it is from. What else the end of a turn has to do, as to close its snapshot or
   * to write its log, is asked for later, and so is done after the answers have left.
   */
  announce(peer: Peer, nowMs: number): void {
    this.#planEnd();
    if (nowMs - this.#lastReadyAtMs > FORGOTTEN_AFTER_MS) this.#isBusy = false;
    // Of a connection one packet is read in a turn: who stands in it twice has not waited for the first answer.
    if (isSame(peer, this.#lastPeer)) {
      this.#turnsAtOnce = TURNS_AT_ONCE;
      this.#isBusy = false;
    }
    this.#lastPeer = peer;
  }

  /** Fulfils as the answer that was ready at `nowMs` is to be sent; null where that is now. */
  next(nowMs: number): Promise<void> | null {
    this.#planEnd();
    this.#answersInTurn += 1;
    this.#lastReadyAtMs = nowMs;
    if (!this.#isBusy) return null;
    const departure = (this.#next ??= departureAfter(nowMs));
    if (nowMs - departure.firstReadyAtMs >= LONGEST_WAIT_MS) this.#leave();
    return departure.left;
  }

  #planEnd(): void {
    if (this.#turnHasEnd) return;
    this.#turnHasEnd = true;
    setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#turnHasEnd = false;
    this.#isBusy = this.#turnsAtOnce === 0 && this.#answersInTurn >= FEWEST_TOGETHER;
    if (this.#turnsAtOnce > 0) this.#turnsAtOnce -= 1;
    this.#answersInTurn = 0;
    this.#lastPeer = null;
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

function isSame(peer: Peer, other: Peer | null): boolean {
  return other !== null && peer.port === other.port && peer.address === other.address;
}
