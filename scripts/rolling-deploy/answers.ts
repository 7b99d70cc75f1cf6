/** What the clients saw, by the kind of request. */
export type Kind = "read" | "change" | "create" | "create once" | "log in" | "refresh" | "register";

interface Seen {
  answered: number;
  sentAgain: number;
  slowestMs: number;
  readonly failures: string[];
}

export interface Line extends Readonly<Seen> {
  readonly kind: Kind;
}

export class Answers {
  readonly #seen = new Map<Kind, Seen>();

  answered(kind: Kind, ms: number): void {
    const seen = this.#of(kind);
    seen.answered += 1;
    seen.slowestMs = Math.max(seen.slowestMs, ms);
  }

  /** A failure that its client mends by itself. */
  sentAgain(kind: Kind): void {
    this.#of(kind).sentAgain += 1;
  }

  failed(kind: Kind, why: string): void {
    this.#of(kind).failures.push(why);
  }

  /** What has been seen since this was asked the last time. */
  take(): readonly Line[] {
    const lines = [...this.#seen].map(([kind, seen]) => ({ kind, ...seen }));
    this.#seen.clear();
    return lines;
  }

  #of(kind: Kind): Seen {
    const known = this.#seen.get(kind);
    if (known !== undefined) return known;
    const seen: Seen = { answered: 0, sentAgain: 0, slowestMs: 0, failures: [] };
    this.#seen.set(kind, seen);
    return seen;
  }
}
