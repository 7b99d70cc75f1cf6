import { createHmac } from "node:crypto";
import { DAY_MS } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Store, Writes } from "./store.ts";

/** More to be kept with the result of an operation, in its transaction: both are there afterwards, or neither. */
export type Also<T> = (tx: Writes, result: T) => Promise<void>;

export const nothingElse: Also<unknown> = () => Promise.resolve();

/** Makes something by one statement; with more to be kept beside it there is a transaction around both. */
export function makeWith<T>(store: Store, also: Also<T>, make: (tx: Writes) => Promise<T>): Promise<T> {
  if (also === nothingElse) return store.writeOne(make);
  return store.write(async (tx) => {
    const made = await make(tx);
    await also(tx, made);
    return made;
  });
}

/** What was answered, in the words that were sent. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; null for none. */
  readonly body: string | null;
}

/** A request that its client has named, so that it can be sent again without being carried out again. */
export interface NamedRequest {
  readonly key: string;
  /** Whose key it is: two owners never meet in one. */
  readonly owner: string;
  /** Method and path. */
  readonly operation: string;
  readonly body: unknown;
  /**
   * Without an account the owner is only an address, which may change between two attempts: whoever sends the very
   * same request, with whatever password is in it, may have the answer from elsewhere too.
   */
  readonly isAnonymous: boolean;
}

export const IDEMPOTENCY_KEY_MAX_CHARACTERS = 255;
const KEPT_MS = DAY_MS;

/**
 * Carries a request out once, however often it is sent.
 *
 * The answer is kept in the same transaction as what the request made, so that there is no moment in which one is
 * there without the other. A second request that comes while the first is still being carried out waits in the
 * database for the first one's transaction, on the key itself or on a value they both want, and is then undone.
 * Refusals and failures have made nothing; they are not kept, and a retry is judged anew.
 */
export class Idempotency {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #secret: string;

  constructor(parts: { store: Store; clock: Clock; secret: string }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#secret = parts.secret;
  }

  /**
   * `perform` makes something and calls `also` within its write, which it must do exactly once.
   *
   * Fails with `invalid` where the key came with another request before, and with whatever `perform` fails with.
   */
  async once<T>(
    request: NamedRequest,
    perform: (also: Also<T>) => Promise<T>,
    answer: (result: T) => KeptAnswer,
  ): Promise<{ readonly answer: KeptAnswer; readonly isReplayed: boolean }> {
    const fingerprint = this.#fingerprint(request);
    const earlier = await this.#earlier(request, fingerprint);
    if (earlier !== null) return { answer: earlier, isReplayed: true };

    // A transaction that gave way to another runs again: the last answer is the one that was kept.
    const answers: KeptAnswer[] = [];
    try {
      await perform(async (tx, result) => {
        const made = answer(result);
        answers.push(made);
        await this.#keep(tx, request, fingerprint, made);
      });
    } catch (error) {
      if (!(error instanceof KeyTaken || error instanceof Fault)) throw error;
      // Whoever was faster may have been an earlier attempt of the same request.
      const faster = await this.#earlier(request, fingerprint);
      if (faster !== null) return { answer: faster, isReplayed: true };
      throw error instanceof Fault ? error : Fault.of({ kind: "unavailable" }, error);
    }
    const made = answers.at(-1);
    if (made === undefined) throw new Error(`${request.operation} has not kept its answer`);
    return { answer: made, isReplayed: false };
  }

  async #earlier(request: NamedRequest, fingerprint: Uint8Array): Promise<KeptAnswer | null> {
    const { key, owner } = request;
    const found = await this.#store.read.idempotency.find({ key, owner, fingerprint }, this.#clock.nowMs());
    if (found === null) return null;
    if (found.isSameRequest) return found.answer;
    throw Fault.invalid("header", "Idempotency-Key", "This key was used with another request");
  }

  async #keep(
    tx: Writes,
    { key, owner }: NamedRequest,
    fingerprint: Uint8Array,
    answer: KeptAnswer,
  ): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const kept = { key, owner, fingerprint, answer, createdAtMs: nowMs, expiresAtMs: nowMs + KEPT_MS };
    if (!(await tx.idempotency.keep(kept))) throw new KeyTaken();
  }

  /** Under a secret: a body may hold a password, which a plain hash would let anybody guess who has the database. */
  #fingerprint({ owner, operation, body, isAnonymous }: NamedRequest): Uint8Array {
    const whole = JSON.stringify([isAnonymous ? null : owner, operation, body]);
    return createHmac("sha256", this.#secret).update(`latchkey idempotency ${whole}`).digest();
  }
}

/** Undoes a transaction whose request has been carried out by another in the meantime. */
class KeyTaken extends Error {
  constructor() {
    super("the idempotency key was taken in the meantime");
    this.name = "KeyTaken";
  }
}
