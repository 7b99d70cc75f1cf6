import type { CallOptions, ClientOptions, Tokens, TokenStore } from "./api.ts";
import { LatchkeyError } from "./error.ts";
import { unlessAborted } from "./http.ts";
import type { Answer, Call, Http } from "./http.ts";

/** The server counts refreshes by address, and others share it: where one was in vain, the next may wait. */
const ASK_AGAIN_MS = 60_000;

/** How a surface comes by new tokens without a password. */
export interface Refresher {
  isPossible(tokens: Tokens | null): boolean;
  refresh(tokens: Tokens | null, signal: AbortSignal): Promise<Tokens>;
}

/** Keeps tokens until the program ends. To begin with a personal access token: `memoryTokens({ accessToken })`. */
export function memoryTokens(initial: Tokens | null = null): TokenStore {
  let held = initial;
  return {
    get: () => held,
    set(tokens) {
      held = tokens;
    },
  };
}

/** Sends calls as whoever is logged in, and renews the access token once for all calls that find it expired. */
export class Session {
  readonly #http: Http;
  readonly #store: TokenStore;
  readonly #refresher: Refresher | null;
  readonly #onSignedOut: () => void;
  #renewing: Promise<Tokens | null> | null = null;
  /** Counts beginnings and ends of being logged in: a call is not sent again as somebody else. */
  #era = 0;
  /** Whom this client acts for, until its next login: what it is asked to do was not asked by whoever logs in elsewhere. */
  #account: string | null = null;
  /** Whether this client acts for somebody: who never did need not be told that they are nobody. */
  #isIn = false;
  /** From a logout to the next login: what the server may still hold, as a cookie, logs nobody in again. */
  #isOut = false;
  /** Until when, by the clock that only passes, no cookie is asked for, since there was none of this person's. */
  #asksAgainAtMs = 0;
  /** What a logout was to end that failed: the next one tries again. */
  #unended: Tokens | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(http: Http, options: ClientOptions, refresher: Refresher | null) {
    this.#http = http;
    this.#store = options.tokens ?? memoryTokens();
    this.#refresher = refresher;
    this.#onSignedOut = options.onSignedOut ?? (() => undefined);
  }

  /** Without credentials. */
  anonymous<T>(call: Call, options: CallOptions | undefined): Promise<Answer<T>> {
    return this.#http.within(options, (signal) => this.#http.send(call, null, signal));
  }

  send<T>(call: Call, options: CallOptions | undefined): Promise<Answer<T>> {
    return this.#http.within(options, async (signal) => {
      const era = this.#era;
      const used = await this.#ownTokens();
      if (used !== null) this.#isIn = true;
      try {
        return await this.#http.send<T>(call, used?.accessToken ?? null, signal);
      } catch (error) {
        if (!LatchkeyError.isOf(error, "unauthorized") || era !== this.#era) throw error;
        // Others wait for the same refresh: it goes on though this caller may give up.
        const renewed = await unlessAborted(this.#renewed(used), signal);
        if (renewed === null || era !== this.#era) throw error;
        return this.#http.send<T>(call, renewed.accessToken, signal);
      }
    });
  }

  async body<T>(call: Call, options: CallOptions | undefined): Promise<T> {
    return (await this.send<T>(call, options)).body;
  }

  login(options: CallOptions | undefined, tokensOf: (signal: AbortSignal) => Promise<Tokens>): Promise<void> {
    return this.#http.within(options, (signal) =>
      this.#exclusively(async () => {
        // Whoever gave up before it was their turn wants it no longer.
        signal.throwIfAborted();
        const tokens = await tokensOf(signal);
        this.#era += 1;
        this.#isIn = true;
        this.#isOut = false;
        this.#asksAgainAtMs = 0;
        this.#unended = null;
        this.#account = accountOf(tokens);
        await this.#store.set(tokens);
      }),
    );
  }

  /** The tokens are gone in any case. It fails where `end` does; the session may be open on the server then, until the next. */
  logout(
    options: CallOptions | undefined,
    end: (tokens: Tokens | null, signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    return this.#http.within(options, (signal) =>
      this.#exclusively(async () => {
        signal.throwIfAborted();
        const own = await this.#ownTokens();
        const held = own ?? this.#unended;
        this.#era += 1;
        this.#isIn = false;
        this.#isOut = true;
        this.#unended = held;
        if (own !== null) await this.#store.set(null);
        await end(held, signal);
        this.#unended = null;
      }),
    );
  }

  #renewed(used: Tokens | null): Promise<Tokens | null> {
    this.#renewing ??= this.#exclusively(() => this.#renew(used)).finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** New tokens in place of those that were refused; null where the session is over. */
  async #renew(used: Tokens | null): Promise<Tokens | null> {
    const held = await this.#ownTokens();
    // Another call, tab or process was faster.
    if (held !== null && held.accessToken !== used?.accessToken) return held;
    const refresher = this.#refresher;
    if (refresher === null || !this.#mayAsk(refresher, held)) return this.#signedOut(held);
    try {
      const fresh = await this.#http.within(undefined, (signal) => refresher.refresh(held, signal));
      // The browser's cookie is another's by now.
      if (!this.#isOwn(fresh)) return this.#refused(held);
      await this.#store.set(fresh);
      return fresh;
    } catch (error) {
      if (LatchkeyError.isOf(error, "unauthorized")) return this.#refused(held);
      // Whoever holds no token is told what their call was told: that a refresh was not even judged helps nobody.
      if (LatchkeyError.isOf(error, "rate_limited") && held === null) return this.#refused(held);
      throw error;
    }
  }

  #mayAsk(refresher: Refresher, held: Tokens | null): boolean {
    if (!refresher.isPossible(held)) return false;
    return held !== null || (!this.#isOut && performance.now() >= this.#asksAgainAtMs);
  }

  #refused(held: Tokens | null): Promise<null> {
    this.#asksAgainAtMs = performance.now() + ASK_AGAIN_MS;
    return this.#signedOut(held);
  }

  /** A shared store may hold somebody else's, who logged in in another tab: to this client that is nothing. */
  async #ownTokens(): Promise<Tokens | null> {
    const held = await this.#store.get();
    return held !== null && this.#isOwn(held) ? held : null;
  }

  /** The first account that a client meets is its own. A token that does not say whose it is may be. */
  #isOwn(tokens: Tokens): boolean {
    const account = accountOf(tokens);
    this.#account ??= account;
    return account === null || account === this.#account;
  }

  async #signedOut(held: Tokens | null): Promise<null> {
    // Calls of before, whose refusal is still on its way, need not ask again.
    this.#era += 1;
    const wasIn = this.#isIn || held !== null;
    this.#isIn = false;
    if (held !== null) await this.#store.set(null);
    if (wasIn) this.#onSignedOut();
    return null;
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const inTurn = this.#store.exclusively?.bind(this.#store);
    const result = this.#queue.then(() =>
      inTurn === undefined
        ? work()
        : new Promise<T>((resolve, reject) => void inTurn(() => work().then(resolve)).catch(reject)),
    );
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

const PERSONAL = "lk_";

/** Whose tokens they are: of which realm, and which account there. A personal token does not say, and is one of its own. */
function accountOf({ accessToken }: Tokens): string | null {
  if (accessToken.startsWith(PERSONAL)) return accessToken;
  const [, payload = ""] = accessToken.split(".");
  try {
    const { aud, user_id } = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return `${aud} ${user_id}`;
  } catch {
    return null;
  }
}
