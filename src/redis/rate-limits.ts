import { SECOND_MS } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type {
  MemoryRateLimitStore,
  RateLimitRule,
  RateLimitStore,
  RateLimitVerdict,
} from "../core/rate-limit.ts";
import { type Question, RedisLink, type RedisLinkOptions } from "./link.ts";

/**
 * One hit: begins the client's window where none is open, and answers its count and what is left of it in
 * milliseconds. Redis runs a script as one step, by its own clock; the key goes when the window ends.
 *
 * Redis keeps that end as a time of day: where its clock was set back, more is left than a whole window, and is cut.
 */
const HIT = `
local window = tonumber(ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 1 then
  redis.call('SET', KEYS[1], 1, 'PX', window)
  return {1, window}
end
if left > window then
  redis.call('PEXPIRE', KEYS[1], window)
  left = window
end
return {redis.call('INCR', KEYS[1]), left}`;

const PREFIX = "latchkey:limit:";

interface Count {
  readonly hits: number;
  readonly leftMs: number;
}

/**
 * The counts of all instances together, in Redis; and where it is gone, those of this process alone. With several
 * instances a client may then have as many budgets as there are instances, until Redis is back.
 */
export class RedisRateLimitStore implements RateLimitStore {
  readonly #link: RedisLink;
  readonly #own: MemoryRateLimitStore;
  readonly #prefix: string;
  /** A hit that counts for nobody. */
  readonly #trial: Question<Count>;

  constructor(parts: {
    url: string;
    own: MemoryRateLimitStore;
    log: Log;
    prefix?: string;
    retryMs?: number;
    onAsked?: RedisLinkOptions["onAsked"];
  }) {
    this.#own = parts.own;
    this.#prefix = parts.prefix ?? PREFIX;
    this.#trial = this.#question("trial", { requests: 1, windowMs: SECOND_MS });
    this.#link = new RedisLink({
      url: parts.url,
      trial: this.#trial,
      log: parts.log,
      retryMs: parts.retryMs,
      onAsked: parts.onAsked,
    });
  }

  /** Fulfils once Redis is there or known not to be; it is looked for from then on. */
  start(): Promise<void> {
    return this.#link.open();
  }

  async hit(key: string, rule: RateLimitRule): Promise<RateLimitVerdict> {
    // Counted here too, so that whoever has spent a budget before Redis goes has not got a new one after.
    const own = this.#own.hit(key, rule);
    const answer = await this.#link.ask(this.#question(key, rule));
    if (answer === null) return own;
    const { hits, leftMs } = answer.value;
    if (hits <= rule.requests) return { allowed: true };
    return { allowed: false, retryAfterSeconds: Math.ceil(leftMs / SECOND_MS) };
  }

  /** Fails with `Fault unavailable` where limits are not counted in Redis now. */
  async ping(): Promise<void> {
    const answer = await this.#link.ask(this.#trial);
    if (answer === null) throw Fault.of({ kind: "unavailable" }, new Error("Redis does not answer"));
  }

  close(): void {
    this.#link.close();
  }

  /** Windows of different lengths are different windows, as they are within the process. */
  #question(key: string, { windowMs }: RateLimitRule): Question<Count> {
    const name = `${this.#prefix}${windowMs}:${key}`;
    return { command: "EVAL", args: [HIT, "1", name, String(windowMs)], read: countOf };
  }
}

function countOf(reply: unknown): Count {
  const [hits, leftMs]: readonly unknown[] = Array.isArray(reply) ? reply : [];
  if (typeof hits !== "number" || typeof leftMs !== "number") throw new Error("Redis gave no count");
  return { hits, leftMs };
}
