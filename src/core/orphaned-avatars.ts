import type { Avatars, FileStore, StoredFile } from "./avatars.ts";
import { isAvatarName } from "./avatars.ts";
import { DAY_MS, HOUR_MS } from "./clock.ts";
import type { Clock } from "./clock.ts";
import type { Store } from "./store.ts";

/** A file is there before an account names it: an upload that is still under way is younger than this. */
const LEFT_AFTER_MS = DAY_MS;

/** The first account's own file is stored before the account, by a clock that may be another's. */
const STORED_BEFORE_ACCOUNT_MS = HOUR_MS;

/**
 * Avatars that no account names. They stay where the program is killed between storing one and the write that names
 * it, or between the write that takes the name away and the deletion, and where a deletion fails.
 *
 * Only an operator asks for them: a server that is given another's folder or bucket must not delete what is there.
 */
export class OrphanedAvatars {
  readonly #avatars: Avatars;
  readonly #files: FileStore;
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(parts: { avatars: Avatars; files: FileStore; store: Store; clock: Clock }) {
    this.#avatars = parts.avatars;
    this.#files = parts.files;
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** How many went, and how many could not be deleted, which the log explains. */
  async remove(): Promise<{ readonly removed: number; readonly failed: number }> {
    const sinceMs = await this.#firstAccountAtMs();
    const untilMs = this.#clock.nowMs() - LEFT_AFTER_MS;
    let removed = 0;
    let failed = 0;
    if (sinceMs === null) return { removed, failed };
    for await (const files of this.#files.list()) {
      const judged = files.filter(
        ({ putAs, storedAtMs }) =>
          isAvatarName(putAs) && storedAtMs >= sinceMs - STORED_BEFORE_ACCOUNT_MS && storedAtMs <= untilMs,
      );
      for (const name of await this.#orphansAmong(judged)) {
        if (await this.#avatars.discard(name)) removed += 1;
        else failed += 1;
      }
    }
    return { removed, failed };
  }

  /**
   * What was stored before is of another database, and not for this one to judge: a server that is started with an
   * empty database by mistake would else delete the pictures of all.
   */
  async #firstAccountAtMs(): Promise<number | null> {
    const { read } = this.#store;
    const firsts = await Promise.all([read.accounts("user").firstAtMs(), read.accounts("admin").firstAtMs()]);
    const known = firsts.filter((atMs) => atMs !== null);
    return known.length === 0 ? null : Math.min(...known);
  }

  async #orphansAmong(files: readonly StoredFile[]): Promise<readonly string[]> {
    const { read } = this.#store;
    const names = files.map(({ name }) => name);
    const named = new Set([
      ...(await read.accounts("user").avatarsAmong(names)),
      ...(await read.accounts("admin").avatarsAmong(names)),
    ]);
    return names.filter((name) => !named.has(name));
  }
}
