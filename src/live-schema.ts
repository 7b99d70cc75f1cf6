import { migrationFiles } from "../migrations/index.ts";
import type { Clock } from "./core/clock.ts";
import { Fault } from "./core/fault.ts";
import type { Log } from "./core/log.ts";
import type { Database } from "./storage/database.ts";
import { MigrationRefused, migrateUp, migrationStatus, parseMigrations } from "./storage/migrations.ts";

/** Whether the database has the schema that this program needs, be it by its own doing or by somebody else's. */
export class LiveSchema {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onCurrent: () => Promise<void>;
  readonly #migrations = parseMigrations(migrationFiles);
  #isCurrent = false;

  /** `onCurrent` is called once, as soon as the schema is seen to be what it must be. */
  constructor(parts: { database: Database; clock: Clock; log: Log; onCurrent: () => Promise<void> }) {
    this.#database = parts.database;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#onCurrent = parts.onCurrent;
  }

  /**
   * Applies what is missing. Fails with `MigrationRefused`, and with `unavailable`. Looks first, since nearly every
   * start finds nothing to do: to learn that under the lock is a write, which waits for other writers and the disk.
   */
  async migrate(): Promise<void> {
    await this.#look();
    if (this.#isCurrent) return;
    const applied = await migrateUp(this.#database, this.#migrations, this.#clock);
    for (const { version, name } of applied) this.#log.info("migration.applied", { version, name });
    await this.#look();
  }

  /**
   * For a start that leaves migrating to somebody else: they may be late, and so may the database, but a schema that
   * does not fit stays so. Fails with `MigrationRefused`.
   */
  async expectMigrated(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      if (!Fault.is(error, "unavailable")) throw error;
    }
    if (!this.#isCurrent) this.#log.warning("migrations.awaited");
  }

  /** Looks until it once was; from then on it costs nothing. */
  async isCurrent(): Promise<boolean> {
    try {
      if (!this.#isCurrent) await this.#look();
    } catch (error) {
      if (error instanceof MigrationRefused) this.#log.error("migrations.refused", {}, error);
      else if (!Fault.is(error, "unavailable")) throw error;
    }
    return this.#isCurrent;
  }

  async #look(): Promise<void> {
    const states = await migrationStatus(this.#database, this.#migrations);
    if (this.#isCurrent || states.some(({ appliedAtMs }) => appliedAtMs === null)) return;
    this.#isCurrent = true;
    await this.#onCurrent();
  }
}
