import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { DAY_MS } from "./core/clock.ts";
import type { Clock } from "./core/clock.ts";
import type { Log } from "./core/log.ts";

export interface BackupPlan {
  /** When, in the words of cron. */
  readonly schedule: string;
  readonly folder: string;
  /** So many of the latest stay. */
  readonly keep: number;
}

/**
 * Backs an SQLite database up by the clock, into a folder, as `app-20260104T030000Z.db`. A process of its own does the
 * copying, by the command that an operator would give: it keeps this one's requests from nothing.
 */
export class ScheduledBackups {
  readonly #database: string;
  readonly #plan: BackupPlan;
  readonly #clock: Clock;
  readonly #log: Log;
  #job: Bun.CronJob | null = null;
  #running: Promise<void> | null = null;

  constructor(parts: { database: string; plan: BackupPlan; clock: Clock; log: Log }) {
    this.#database = parts.database;
    this.#plan = parts.plan;
    this.#clock = parts.clock;
    this.#log = parts.log;
  }

  start(): void {
    this.#job ??= Bun.cron(this.#plan.schedule, () => this.run()).unref();
  }

  /** Starts nothing more, and fulfils once a backup under way is whole. */
  async stop(): Promise<void> {
    this.#job?.stop();
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
    const { folder } = this.#plan;
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const nowMs = this.#clock.nowMs();
    const file = join(folder, `${this.#stem}-${stamp(nowMs)}.db`);
    const startedMs = performance.now();
    const child = Bun.spawn([...ourselves(), "backup", file, "--from", this.#database], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await child.stderr.text();
    if ((await child.exited) !== 0) throw new Error(said.trim());
    const removed = this.#removeOld();
    this.#removeLeftovers(stamp(nowMs - DAY_MS));
    this.#log.info("backup.done", { file, removed, ms: Math.round(performance.now() - startedMs) });
  }

  #removeOld(): number {
    const old = this.#ours(/^\.db$/).slice(0, -this.#plan.keep);
    for (const file of old) rmSync(join(this.#plan.folder, file));
    return old.length;
  }

  /** What is left of backups that were cut off, as by a loss of power. */
  #removeLeftovers(before: string): void {
    for (const file of this.#ours(/^\.db\.[0-9a-f]{12}\.part$/)) {
      if (file < `${this.#stem}-${before}`) rmSync(join(this.#plan.folder, file));
    }
  }

  /** Only what this made, the oldest first: any other file in the folder is somebody else's. */
  #ours(ending: RegExp): readonly string[] {
    const begin = `${this.#stem}-`;
    const isOurs = (file: string) =>
      file.startsWith(begin) &&
      STAMP.test(file.slice(begin.length)) &&
      ending.test(file.slice(begin.length + STAMP_CHARACTERS));
    return readdirSync(this.#plan.folder).filter(isOurs).toSorted();
  }

  get #stem(): string {
    return basename(this.#database).replace(/\.(?:db|sqlite3?)$/, "");
  }
}

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
