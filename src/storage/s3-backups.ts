import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { MINUTE_MS, SECOND_MS } from "../core/clock.ts";
import { within } from "../core/deadline.ts";
import { pagesOf, s3Client } from "./s3-client.ts";
import type { S3Options } from "./s3-client.ts";
import { PartsHash } from "./s3-parts-hash.ts";
import { BackupRefused } from "./sqlite-backup.ts";

export interface BucketLimits {
  /** The size of a part; it grows where there would be more of them than a bucket takes. */
  readonly partBytes: number;
  /** Within so long a part goes off or comes in, and anything else is answered. */
  readonly stallMs: number;
  /** Putting the parts together takes a bucket longer than to take them. */
  readonly joinMs: number;
}

const LIMITS: BucketLimits = {
  partBytes: 8 * 1024 * 1024,
  stallMs: 60 * SECOND_MS,
  joinMs: 10 * MINUTE_MS,
};
const MOST_PARTS = 10_000;
const PARTS_AT_ONCE = 2;
const RETRIES = 3;

/** Backups in a bucket of S3, under a prefix. Every wait ends; what fails, fails with `BackupRefused`. */
export class BackupBucket {
  readonly #client: Bun.S3Client;
  readonly #place: S3Options;
  readonly #limits: BucketLimits;
  /** What is waited for, each by how it is given up. */
  readonly #waiting = new Set<(reason: Error) => void>();
  #isClosed = false;

  constructor(place: S3Options, limits: Partial<BucketLimits> = {}) {
    this.#client = s3Client(place);
    this.#place = place;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** How a person writes where `name` is. */
  addressOf(name: string): string {
    return `s3://${this.#place.bucket}/${this.#place.prefix}${name}`;
  }

  /** The file `path` as `name`, once the bucket has been found to hold just that. */
  async upload(path: string, name: string, { overwrites }: { overwrites: boolean }): Promise<void> {
    if (!overwrites && (await this.#ask("looked for", name, (key) => this.#client.exists(key)))) {
      throw new BackupRefused(`${this.addressOf(name)} is there already: --force overwrites it`);
    }
    const sent = await this.#attempt("written", name, () => this.#send(path, name));
    try {
      await this.#verify(name, sent);
    } catch (error) {
      await this.remove(name);
      throw error;
    }
  }

  /** Writes `name` to a new file, which nobody but its owner may read. */
  async download(name: string, path: string): Promise<void> {
    await this.#attempt("read", name, async () => {
      const file = openSync(path, "wx", 0o600);
      try {
        for await (const part of this.#partsOf(name)) writeFileSync(file, part);
      } finally {
        closeSync(file);
      }
    });
  }

  /** All that is under the prefix, but not deeper, and begins with `begin`; in the order of the names. */
  async names(begin: string): Promise<readonly string[]> {
    const names: string[] = [];
    const pages = pagesOf((from) =>
      this.#ask("listed", begin, (prefix) => this.#client.list({ prefix, ...from })),
    );
    for await (const contents of pages) {
      names.push(...contents.map(({ key }) => key.slice(this.#place.prefix.length)));
    }
    return names.filter((name) => !name.includes("/")).toSorted();
  }

  async remove(name: string): Promise<void> {
    await this.#ask("removed", name, (key) => this.#client.delete(key));
  }

  /** Whatever waits for the bucket fails at once. */
  close(): void {
    this.#isClosed = true;
    for (const giveUp of this.#waiting) giveUp(stopped());
  }

  async #send(path: string, name: string): Promise<PartsHash> {
    const partBytes = Math.max(this.#limits.partBytes, Math.ceil(statSync(path).size / MOST_PARTS));
    const sent = new PartsHash(partBytes);
    const options = { partSize: partBytes, queueSize: PARTS_AT_ONCE, retry: RETRIES };
    const writer = this.#client.file(this.#key(name)).writer(options);
    try {
      for await (const chunk of Bun.file(path).stream()) {
        sent.update(chunk);
        writer.write(chunk);
        // Waits while as many parts are under way as may be: else the file would pile up in memory.
        await this.#answered(writer.flush());
      }
      await this.#answered(writer.end(), this.#limits.joinMs);
      return sent;
    } catch (error) {
      // Gives the parts up that the bucket has. It may be the bucket that does not answer: nobody waits for this.
      Promise.resolve(writer.end(asError(error))).catch(() => undefined);
      throw error;
    }
  }

  /** Most buckets say in the ETag what they hold. One that does not, as where it encrypts, is read. */
  async #verify(name: string, sent: PartsHash): Promise<void> {
    const held = await this.#ask("looked at", name, (key) => this.#client.stat(key));
    if (held.size === sent.bytes && held.etag.replaceAll('"', "") === sent.etag()) return;
    const read = new PartsHash(sent.partBytes);
    await this.#attempt("read", name, async () => {
      for await (const part of this.#partsOf(name)) read.update(part);
    });
    if (read.bytes !== sent.bytes || read.etag() !== sent.etag()) {
      throw new BackupRefused(`${this.addressOf(name)} is not what was written: it has been removed`);
    }
  }

  /** Part by part: a stream would come as fast as the bucket can, whatever becomes of it here. */
  async *#partsOf(name: string): AsyncGenerator<Uint8Array> {
    const { partBytes } = this.#limits;
    const file = this.#client.file(this.#key(name));
    const { size } = await this.#answered(file.stat());
    for (let from = 0; from < size; from += partBytes) {
      const part = await this.#answered(file.slice(from, Math.min(from + partBytes, size)).bytes());
      if (part.byteLength !== Math.min(partBytes, size - from))
        throw new Error("a part of it did not come whole");
      yield part;
    }
  }

  #ask<T>(what: string, name: string, question: (key: string) => Promise<T>): Promise<T> {
    return this.#attempt(what, name, () => this.#answered(question(this.#key(name))));
  }

  async #attempt<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new BackupRefused(`${this.addressOf(name)} cannot be ${what}: ${reasonOf(error)}`, error);
    }
  }

  #answered<T>(work: Promise<T> | T, limitMs = this.#limits.stallMs): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    Promise.resolve(work).then(resolve, reject);
    // Not a race with one promise for all: that would keep each answer, parts included, until the end.
    this.#waiting.add(reject);
    if (this.#isClosed) reject(stopped());
    return within(promise, limitMs, "an answer of the bucket").finally(() => this.#waiting.delete(reject));
  }

  #key(name: string): string {
    return this.#place.prefix + name;
  }
}

function stopped(): Error {
  return new Error("the program stops");
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** In one line; a service that is none of Amazon's may answer with a page. */
function reasonOf(error: unknown): string {
  const { message } = asError(error);
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : "";
  return `${code}${message.replaceAll(/\s+/g, " ").slice(0, 200)}`;
}
