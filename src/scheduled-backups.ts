import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { BackupPlace } from "./backup-places.ts";
import { DAY_MS } from "./core/clock.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";

export interface BackupPlan {
  /** When, in the words of cron. */
  readonly schedule: string;
  readonly place: BackupPlace;
  /** So many of the latest stay. */
  readonly keep: number;
}

/**
 * Backs an SQLite database up by the clock, as `app-20260104T030000Z.db`. A process of its own does the
 * copying, by the command that an operator would give: it keeps this one's requests from nothing.
 */
export class ScheduledBackups {
  readonly #database: string;
  readonly #plan: BackupPlan;
  readonly #clock: Clock;
  readonly #log: Log;
  #job: Bun.CronJob | null = null;
  #running: Promise<void> | null = null;
  readonly #givenUp = new AbortController();

  constructor(parts: { database: string; plan: BackupPlan; clock: Clock; log: Log }) {
    this.#database = parts.database;
    this.#plan = parts.plan;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  start(): void {
    this.#job ??= Bun.cron(this.#plan.schedule, () => this.run()).unref();
  }

  /** Starts nothing more, and fulfils once a backup under way is whole, or is given up since the limit is over. */
  async stop(limitMs: number): Promise<void> {
    this.#job?.stop();
    if (this.#running === null) return this.#plan.place.stop();
    await Promise.race([this.#running, Bun.sleep(limitMs)]);
    this.#givenUp.abort();
    this.#plan.place.stop();
    await this.#running;
  }

  /** Never fails: what goes wrong is told to the operator, and tried again at the next hour. */
  run(): Promise<void> {
    this.#running ??= this.#backUp()
      .catch((error: unknown) => this.#log.error("backup.failed", {}, error))
      .finally(() => void (this.#running = null));
    return this.#running;
  }

  async #backUp(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const startedMs = performance.now();
    const name = `${this.#begin}${stamp(nowMs)}.db`;
    const file = await this.#plan.place.keep(name, (path) => this.#copy(path));
    const removed = await this.#removeOld(name);
    // What is left of backups that were cut off, as by a loss of power.
    const before = `${this.#begin}${stamp(nowMs - DAY_MS)}`;
    this.#removeDrafts((name) => name < before);
    this.#log.info("backup.done", { file, removed, ms: Math.round(performance.now() - startedMs) });
  }

  async #copy(path: string): Promise<void> {
    const { signal } = this.#givenUp;
    const child = Bun.spawn([...ourselves(), "backup", path, "--from", this.#database], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      signal,
      // In a group of its own: the Ctrl-C that asks this program to stop is not for it.
      detached: true,
    });
    const endToo = () => child.kill();
    process.once("exit", endToo);
    const said = await child.stderr.text();
    const exitCode = await child.exited;
    process.off("exit", endToo);
    if (exitCode === 0) return;
    // Only one that a signal ended has not cleared up after itself.
    if (child.signalCode !== null) this.#removeDrafts((name) => name.startsWith(basename(path)));
    if (signal.aborted) throw new Error("the program stops, and the backup was not whole in time");
    throw new Error(said.trim() || `the backup was ended by ${child.signalCode ?? `exit code ${exitCode}`}`);
  }

  /** One that a wrong clock dated ahead takes nobody's place: else each new backup would be the oldest of all. */
  async #removeOld(latest: string): Promise<number> {
    const { place, keep } = this.#plan;
    const all = await place.names(this.#begin);
    const old = all.filter((name) => name <= latest && this.#isOurs(name, /^\.db$/)).slice(0, -keep);
    for (const name of old) await place.remove(name);
    return old.length;
  }

  #removeDrafts(isLeft: (name: string) => boolean): void {
    const { draftFolder } = this.#plan.place;
    for (const name of readdirSync(draftFolder)) {
      if (isLeft(name) && this.#isOurs(name, DRAFT)) rmSync(join(draftFolder, name));
    }
  }

  /** Only what this made: anything else in that place is somebody else's. */
  #isOurs(name: string, ending: RegExp): boolean {
    const rest = name.slice(this.#begin.length);
    return name.startsWith(this.#begin) && STAMP.test(rest) && ending.test(rest.slice(STAMP_CHARACTERS));
  }

  get #begin(): string {
    return `${this.#stem}-`;
  }

  get #stem(): string {
    return basename(this.#database).replace(/\.(?:db|sqlite3?)$/, "");
  }
}

/** A copy that waits to go into a bucket, or one that is not whole. */
const DRAFT = /^\.db(?:\.upload|(?:\.upload)?\.[0-9a-f]{12}\.part(?:-journal)?)$/;
const STAMP = /^\d{8}T\d{6}Z/;
const STAMP_CHARACTERS = "20260104T030000Z".length;

function stamp(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
}

/** How to start this program once more; from source, not by way of a `.env` that may lie about. */
function ourselves(): readonly string[] {
  return Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, "--no-env-file", MAIN];
}

const MAIN = join(import.meta.dir, "main.ts");
