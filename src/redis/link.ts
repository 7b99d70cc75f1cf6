import { SECOND_MS } from "../core/clock.ts";
import { within } from "../core/deadline.ts";
import type { Log } from "../core/log.ts";

/** A question, and how its answer is read: what cannot be read is no answer. */
export interface Question<T> {
  readonly command: string;
  readonly args: readonly string[];
  readonly read: (reply: unknown) => T;
}

export interface RedisLinkOptions {
  readonly url: string;
  /** Asked first on every connection: a server that answers, but not this, is of no use. */
  readonly trial: Question<unknown>;
  readonly log: Log;
  readonly retryMs?: number | undefined;
  /** Told of each question that was asked, and whether there was an answer. */
  readonly onAsked?: ((durationMs: number, hasAnswer: boolean) => void) | undefined;
}

/** No request is held up by more than 100 ms: the rest is for a timer that fires late. */
const ANSWER_MS = 90;
const CONNECT_MS = SECOND_MS;
const RETRY_MS = SECOND_MS;

/**
 * One connection to Redis, which is there or is not. Whoever asks while it is not learns so at once, and only
 * those under way as it falls silent wait for it: they wait out their deadline, and it is given up for all. It is
 * opened anew in the background, so that no request pays for that.
 */
export class RedisLink {
  readonly #options: RedisLinkOptions;
  /** Being opened, or open; null between two attempts. */
  #client: Bun.RedisClient | null = null;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #isUp = false;
  #isToldLost = false;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  /** The first attempt: fulfils when it is over, whatever came of it. */
  async open(): Promise<void> {
    const { url, trial, log } = this.#options;
    const client = new Bun.RedisClient(url, { autoReconnect: false, enableOfflineQueue: false });
    this.#client = client;
    try {
      await within(client.connect(), CONNECT_MS, "connecting to Redis");
      await answer(client, trial);
    } catch (error) {
      this.#lose(client, error);
      return;
    }
    if (client !== this.#client) return;
    client.onclose = (error) => this.#lose(client, error);
    this.#isUp = true;
    if (this.#isToldLost) log.info("redis.back");
    this.#isToldLost = false;
  }

  /** Null where Redis is gone, or did not answer in time. */
  async ask<T>(question: Question<T>): Promise<{ readonly value: T } | null> {
    const client = this.#client;
    if (client === null || !this.#isUp) return null;
    const startedMs = performance.now();
    try {
      const value = await answer(client, question);
      this.#options.onAsked?.(performance.now() - startedMs, true);
      return { value };
    } catch (error) {
      this.#options.onAsked?.(performance.now() - startedMs, false);
      this.#lose(client, error);
      return null;
    }
  }

  close(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#drop();
  }

  #drop(): void {
    const client = this.#client;
    this.#client = null;
    this.#isUp = false;
    if (client === null) return;
    client.onclose = null;
    client.close();
  }

  /** Many may notice the loss of one connection, and the first of them counts; one that was closed is not lost. */
  #lose(client: Bun.RedisClient, error: unknown): void {
    if (client !== this.#client) return;
    this.#drop();
    if (!this.#isToldLost) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warning("redis.lost", { reason });
    }
    this.#isToldLost = true;
    this.#retry = setTimeout(() => void this.open(), this.#options.retryMs ?? RETRY_MS);
    this.#retry.unref();
  }
}

async function answer<T>(client: Bun.RedisClient, { command, args, read }: Question<T>): Promise<T> {
  const reply: unknown = await within(client.send(command, [...args]), ANSWER_MS, "an answer of Redis");
  return read(reply);
}
