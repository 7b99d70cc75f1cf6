import { randomBytes } from "node:crypto";
import type { Clock } from "./clock.ts";

/** So many hits for each client in a window of time, which begins with the client's first hit. */
export interface RateLimitRule {
  readonly requests: number;
  readonly windowMs: number;
}

export type RateLimitVerdict =
  { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number };

export interface RateLimitStore {
  /** Counts one hit of `key`, which names both the limit and the client, and says whether it may go on. */
  hit(key: string, rule: RateLimitRule): Promise<RateLimitVerdict> | RateLimitVerdict;
}

interface Window {
  count: number;
  readonly resetAtMs: number;
}

/** Windows of one length that are held, ended ones included until their generation goes. */
const MAX_CLIENTS = 100_000;
const SHARED_WINDOWS = 65_536;

/**
 * The counts of one process, in bounded memory whatever the number of clients.
 *
 * Each client has a window of its own while there is room. Nobody is ever dropped before their window ends, so that
 * no flood can push a limited client out. Where there is no room, a newcomer shares one of a fixed number of windows,
 * chosen by a hash that nobody outside can foretell: a flood can then limit some who did nothing, for one window at
 * most, but lets nobody through more often than the rule says.
 */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #clock: Clock;
  readonly #maxClients: number;
  /** By the length of their windows. */
  readonly #tables = new Map<number, WindowTable>();

  /** By a clock that only goes forward: one that is set back would make the windows there are last as much longer. */
  constructor(clock: Clock, maxClients: number = MAX_CLIENTS) {
    this.#clock = clock;
    this.#maxClients = maxClients;
  }

  hit(key: string, rule: RateLimitRule): RateLimitVerdict {
    const nowMs = this.#clock.nowMs();
    const window = this.#table(rule.windowMs).windowOf(key, nowMs);
    if (window.count < rule.requests) {
      window.count++;
      return { allowed: true };
    }
    return {
      allowed: false,
      retryAfterSeconds: Math.ceil((window.resetAtMs - nowMs) / 1_000),
    };
  }

  /** How many windows are held, for the metrics. */
  get size(): number {
    return [...this.#tables.values()].reduce((sum, table) => sum + table.size, 0);
  }

  #table(windowMs: number): WindowTable {
    const known = this.#tables.get(windowMs);
    if (known !== undefined) return known;
    const table = new WindowTable(windowMs, this.#maxClients);
    this.#tables.set(windowMs, table);
    return table;
  }
}

/** The windows of one length. */
class WindowTable {
  readonly #windowMs: number;
  readonly #maxClients: number;
  readonly #own: Generations<string>;
  readonly #shared: Generations<number>;
  readonly #hashSeed = randomBytes(8).readBigUInt64LE();

  constructor(windowMs: number, maxClients: number) {
    this.#windowMs = windowMs;
    this.#maxClients = maxClients;
    this.#own = new Generations(windowMs);
    this.#shared = new Generations(windowMs);
  }

  get size(): number {
    return this.#own.size + this.#shared.size;
  }

  windowOf(key: string, nowMs: number): Window {
    const own = this.#own.find(key, nowMs);
    if (own !== undefined) return own;

    // Whoever began in a shared window stays there until it ends: moving on would begin the count anew.
    const place = Number(Bun.hash.wyhash(key, this.#hashSeed) % BigInt(SHARED_WINDOWS));
    const shared = this.#shared.find(place, nowMs);
    if (shared !== undefined) return shared;

    const fresh: Window = { count: 0, resetAtMs: nowMs + this.#windowMs };
    if (this.#own.size < this.#maxClients) this.#own.add(key, fresh);
    else this.#shared.add(place, fresh);
    return fresh;
  }
}

/**
 * Windows by the time they began in. A generation takes in windows for as long as one lasts, and is dropped whole
 * once the generation after it has lasted as long: by then all of its windows have ended. Taking expired entries out of a Map
 * one by one costs ten times as much.
 */
class Generations<Key> {
  readonly #windowMs: number;
  #younger = new Map<Key, Window>();
  #elder = new Map<Key, Window>();
  #youngerSinceMs = -Infinity;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get size(): number {
    return this.#younger.size + this.#elder.size;
  }

  /** The key's window that is still open. */
  find(key: Key, nowMs: number): Window | undefined {
    this.#age(nowMs);
    const window = this.#younger.get(key) ?? this.#elder.get(key);
    return window !== undefined && window.resetAtMs > nowMs ? window : undefined;
  }

  add(key: Key, window: Window): void {
    this.#younger.set(key, window);
  }

  #age(nowMs: number): void {
    const ageMs = nowMs - this.#youngerSinceMs;
    if (ageMs < this.#windowMs) return;
    this.#elder = ageMs < 2 * this.#windowMs ? this.#younger : new Map();
    this.#younger = new Map();
    this.#youngerSinceMs = nowMs;
  }
}
