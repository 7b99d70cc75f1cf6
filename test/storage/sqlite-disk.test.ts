import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, silentLog } from "../../src/core/log.ts";
import type { Database } from "../../src/storage/database.ts";
import { SqliteDisk } from "../../src/storage/sqlite-disk.ts";
import type { Disk } from "../../src/storage/sqlite-disk.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { failureOf } from "../support/failure.ts";

/** A page in the log, and how many it may hold before it is begun anew: where nobody waits, and where somebody does. */
const LOGGED_PAGE_BYTES = 4_096 + 24;
const QUIET_LOG_PAGES = 1_000;
/** At least, and as long as a checkpoint takes its time. */
const BUSY_LOG_PAGES = 4_000;
/** What is left of a longer file then. */
const LOG_FILE_BYTES = 16_000 * 4_096;

const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The disk as it is, behind a gate: what it is asked waits until it is let through, or is failed instead. */
class GatedDisk implements Disk {
  readonly #disk: Disk;
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #isOpen = true;
  checkpoints = 0;
  /** How long each is said to have taken. */
  checkpointMs = 1_000;
  syncs = 0;

  constructor(path: string) {
    this.#disk = new SqliteDisk(path);
  }

  shut(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    for (const asked of this.#waiting.splice(0)) asked.resolve();
  }

  fail(error: Error): void {
    for (const asked of this.#waiting.splice(0)) asked.reject(error);
  }

  async sync(): Promise<number> {
    this.syncs += 1;
    if (!this.#isOpen) {
      const asked = Promise.withResolvers<void>();
      this.#waiting.push(asked);
      await asked.promise;
    }
    return this.#disk.sync();
  }

  async checkpoint(): Promise<number> {
    this.checkpoints += 1;
    await this.#disk.checkpoint();
    return this.checkpointMs;
  }

  release(): Promise<unknown> {
    return this.#disk.release();
  }
}

interface Opened {
  readonly database: Database;
  readonly disk: GatedDisk;
  readonly path: string;
}

async function opened(name: string, log: Log = silentLog): Promise<Opened> {
  const path = join(folder, name);
  const disk = new GatedDisk(path);
  const database = openSqlite({ path, disk, log, watchdogMs: 20 });
  await database.write((connection) => connection.run("CREATE TABLE lines (text TEXT)"));
  return { database, disk, path };
}

const add = (database: Database, text: string) =>
  database.write((connection) => connection.run("INSERT INTO lines VALUES ($1)", [text]));

async function lines(database: Database): Promise<number> {
  return (await database.reader.all("SELECT text FROM lines")).length;
}

/** Long enough for a promise that waits for nothing but the event loop. */
async function someTurns(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A database with nothing in it, and a log beside it that can be synced. */
function emptyFile(name: string): string {
  const path = join(folder, name);
  for (const file of [path, `${path}-wal`]) writeFileSync(file, "");
  return path;
}

/** A program of its own: the thread is one for all files of a process, and its end is that of this one's tests. */
async function programOnDisk(path: string, lines: string): Promise<{ exitCode: number; stdout: string }> {
  const disk = JSON.stringify(join(import.meta.dir, "../../src/storage/sqlite-disk.ts"));
  const program = `
    import { SqliteDisk } from ${disk};
    const disk = new SqliteDisk(${JSON.stringify(path)});
    void (async () => { ${lines} })();`;
  const child = Bun.spawn([process.execPath, "--no-env-file", "-e", program], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    timeout: 4_000,
  });
  const stdout = await child.stdout.text();
  return { exitCode: await child.exited, stdout };
}

describe("the disk beneath SQLite", () => {
  test("S31 nobody learns of a write before the disk has it, neither who wrote nor who reads", async () => {
    const { database, disk } = await opened("kept.db");
    disk.shut();
    const learnt: string[] = [];
    const writes = ["one", "two"].map(async (text) => {
      await add(database, text);
      learnt.push(text);
    });
    await someTurns();
    expect(learnt).toEqual([]);
    expect(await lines(database)).toBe(0);
    // The snapshot of before outlives the turn in which the write began.
    await someTurns();
    expect(await lines(database)).toBe(0);

    disk.open();
    await Promise.all(writes);
    expect(learnt).toEqual(["one", "two"]);
    expect(await lines(database)).toBe(2);
    await database.close();
  });

  test("S31 each kind of write waits for it, but for the one that said that it need not", async () => {
    const { database, disk } = await opened("kinds.db");
    const sql = "INSERT INTO lines VALUES ('a')";
    const syncsOf = async (write: () => Promise<unknown>) => {
      const before = disk.syncs;
      await write();
      return disk.syncs - before;
    };
    expect(await syncsOf(() => database.write((connection) => connection.run(sql)))).toBe(1);
    expect(await syncsOf(() => database.writeOne((connection) => connection.run(sql)))).toBe(1);
    expect(await syncsOf(() => database.writeAlone((connection) => connection.script(sql)))).toBe(1);
    const unsynced = () => database.writeUnsynced((connection) => connection.run(sql));
    expect(await syncsOf(unsynced)).toBe(0);
    expect(await syncsOf(() => Promise.all([unsynced(), unsynced()]))).toBe(0);
    // One that waits makes all wait that share its commit.
    expect(await syncsOf(() => Promise.all([unsynced(), add(database, "b")]))).toBe(1);
    expect(await lines(database)).toBe(8);
    await database.close();
  });

  test("a disk that takes its time holds up neither reads nor the rest of the event loop", async () => {
    const told: string[] = [];
    const { database, disk } = await opened("slow.db", {
      ...silentLog,
      error: (event) => void told.push(event),
    });
    disk.shut();
    const write = add(database, "slow");
    // Longer than the watchdog lets a job await something foreign: that is no concern of this one.
    await Bun.sleep(60);
    expect(await lines(database)).toBe(0);
    disk.open();
    expect(await write).toBe(1);
    expect(told).toEqual([]);
    await database.close();
  });

  test("who was just answered and writes again comes along with those who waited meanwhile", async () => {
    const { database, disk } = await opened("together.db");
    const before = disk.syncs;
    disk.shut();
    const again = add(database, "first").then(async () => {
      // As long as an answer takes to its client, and the next request back.
      await someTurns(2);
      return add(database, "again");
    });
    await someTurns();
    const meanwhile = add(database, "meanwhile");
    disk.open();
    await Promise.all([again, meanwhile]);
    expect(disk.syncs - before).toBe(2);
    await database.close();
  });

  test("S34 where the disk fails to keep a commit nobody is told that it is kept, and nothing is written behind it", async () => {
    const told: string[] = [];
    const { database, disk, path } = await opened("failing.db", {
      ...silentLog,
      error: (event) => void told.push(event),
    });
    await add(database, "kept");
    disk.shut();
    const writes = [add(database, "one"), add(database, "two")];
    await someTurns();
    const behind = add(database, "behind");
    disk.fail(new Error("EIO: i/o error, fdatasync"));
    for (const write of [...writes, behind]) {
      expect(await failureOf(write)).toMatchObject({
        what: { kind: "unavailable" },
        cause: { message: "EIO: i/o error, fdatasync" },
      });
    }
    disk.open();
    const unavailable = { what: { kind: "unavailable" } };
    expect(await failureOf(add(database, "later"))).toMatchObject(unavailable);
    expect(await failureOf(database.ping())).toMatchObject(unavailable);
    expect(told).toEqual(["sqlite.sync_failed", "sqlite.commit_failed"]);
    expect(await lines(database)).toBeGreaterThanOrEqual(1);
    await someTurns();
    await database.close();
    // What of it is sound only the next start can tell: nothing has written it into the database.
    expect(disk.checkpoints).toBe(0);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);

    const again = openSqlite({ path });
    expect(await add(again, "after a restart")).toBe(1);
    await again.close();
  });

  test("a link to a database is as good as the file itself", async () => {
    const real = join(mkdtempSync(join(folder, "real-")), "app.db");
    const link = join(folder, "link.db");
    symlinkSync(real, link);
    const database = openSqlite({ path: link });
    await database.write((connection) => connection.run("CREATE TABLE lines (text TEXT)"));
    expect(await add(database, "kept")).toBe(1);
    await database.close();
    const found = openSqlite({ path: real });
    expect(await lines(found)).toBe(1);
    await found.close();
  });

  test("it is the log of this very file that is synced", async () => {
    const path = join(folder, "whose.db");
    writeFileSync(path, "");
    // A device that can be opened and cannot be synced.
    symlinkSync("/dev/null", `${path}-wal`);
    const disk = new SqliteDisk(path);
    expect(await failureOf(disk.sync())).toMatchObject({ message: expect.stringContaining("fdatasync") });
    await disk.release();
    rmSync(`${path}-wal`);
    expect(await failureOf(disk.sync())).toMatchObject({ message: expect.stringContaining("ENOENT") });
    writeFileSync(`${path}-wal`, "");
    await disk.sync();
    await disk.release();
  });

  test("S31 of several asked at once each hears of its own file", async () => {
    const sound = new SqliteDisk(emptyFile("sound.db"));
    const missing = new SqliteDisk(join(folder, "missing.db"));
    const outcomes = await Promise.allSettled([sound.sync(), missing.sync(), sound.sync(), sound.sync()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    await sound.release();
  });

  test("a program lives until the disk has answered, and no longer", async () => {
    const said = await programOnDisk(emptyFile("alive.db"), 'await disk.sync(); console.log("kept");');
    expect(said).toEqual({ exitCode: 0, stdout: "kept\n" });
  });

  test("S31 where the thread ends, whoever waits for it is told, and the next begins another", async () => {
    const said = await programOnDisk(
      emptyFile("ended.db"),
      `
      const createObjectURL = URL.createObjectURL;
      URL.createObjectURL = () => createObjectURL(new Blob(["throw new Error('out of memory')"]));
      const outcomes = await Promise.allSettled([disk.sync(), disk.sync()]);
      URL.createObjectURL = createObjectURL;
      for (const { reason } of outcomes) console.log(reason.message.split(":")[0]);
      await disk.sync();
      console.log("kept");`,
    );
    const told = "the thread that waits for the disk ended\n";
    expect(said).toEqual({ exitCode: 0, stdout: `${told}${told}kept\n` });
  });

  // 40,000 lines of 1,000 bytes, and each of 400 batches writes its last page again: some 43 MB.
  test.each([
    [
      "as soon as it may be",
      "growing.db",
      { checkpointMs: 1_000, checkpoints: 2, mostPages: BUSY_LOG_PAGES, leastBytes: 25_000_000 },
    ],
    [
      "put off where it is done at once",
      "put-off.db",
      { checkpointMs: 1, checkpoints: 1, mostPages: 8_000, leastBytes: 12_000_000 },
    ],
  ])("a log is written into the database and begun anew: %s", async (_, name, expected) => {
    const { database, disk, path } = await opened(name);
    disk.checkpointMs = expected.checkpointMs;
    const text = "x".repeat(1_000);
    let most = 0;
    for (let batch = 0; batch < 400; batch += 1) {
      await Promise.all(Array.from({ length: 100 }, () => add(database, text)));
      most = Math.max(most, statSync(`${path}-wal`).size);
    }
    expect(disk.checkpoints).toBe(expected.checkpoints);
    expect(most).toBeLessThan(expected.mostPages * LOGGED_PAGE_BYTES + 200_000);
    expect(statSync(path).size).toBeGreaterThan(expected.leastBytes);
    expect(await lines(database)).toBe(40_000);
    await database.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  test("where nobody waits, a log is begun anew sooner", async () => {
    const { database, disk } = await opened("quiet.db");
    const addPages = (pages: number) => add(database, "x".repeat(pages * 4_080));

    await addPages(QUIET_LOG_PAGES - 20);
    await someTurns();
    expect(disk.checkpoints).toBe(0);

    // It still waits when the one before it is kept.
    const [next] = await Promise.all([addPages(30).then(() => add(database, "next")), addPages(30)]);
    expect(next).toBe(1);
    expect(disk.checkpoints).toBe(0);

    await someTurns();
    await database.close();
    expect(disk.checkpoints).toBe(1);
  });

  test("a log that somebody left long, as when killed, is begun anew with the first write", async () => {
    const { database, disk, path } = await opened("left.db");
    const left = openSqlite({
      path,
      disk: { ...disk, sync: async () => 0, checkpoint: async () => 0, release: async () => 0 },
    });
    await left.write(async (connection) => {
      await connection.run("INSERT INTO lines VALUES ($1)", ["x".repeat(LOG_FILE_BYTES + 4_096)]);
    });
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(LOG_FILE_BYTES);
    await add(database, "first");
    await add(database, "second");
    expect(disk.checkpoints).toBe(1);
    expect(statSync(`${path}-wal`).size).toBe(LOG_FILE_BYTES);
    expect(await lines(database)).toBe(3);
    await left.close();
    await database.close();
  });

  test("a log that was begun anew is left alone until a sync says that it has grown again", async () => {
    const { database, disk } = await opened("once.db");
    await add(database, "x".repeat(QUIET_LOG_PAGES * 4_096));
    for (let write = 0; write < 3; write += 1) {
      await someTurns();
      await database.writeUnsynced((connection) => connection.run("INSERT INTO lines VALUES ('unsynced')"));
    }
    await database.close();
    expect(disk.checkpoints).toBe(1);
  });

  test("S34 after a sync that failed a long log is left as it is, for whoever opens the file anew", async () => {
    let checkpoints = 0;
    const behind: Promise<unknown>[] = [];
    const syncs: (() => Promise<number>)[] = [
      async () => 0,
      async () => {
        behind.push(failureOf(add(database, "behind")));
        return BUSY_LOG_PAGES;
      },
    ];
    const database = openSqlite({
      path: join(folder, "left-alone.db"),
      disk: {
        sync: () => syncs.shift()?.() ?? Promise.reject(new Error("the disk is gone")),
        checkpoint: async () => (checkpoints += 1),
        release: async () => 0,
      },
    });
    await database.write((connection) => connection.run("CREATE TABLE lines (text TEXT)"));
    await add(database, "kept");
    expect(await Promise.all(behind)).toMatchObject([{ what: { kind: "unavailable" } }]);
    await someTurns();
    expect(checkpoints).toBe(0);
    await database.close();
  });

  test("a checkpoint that fails loses nothing, and is told", async () => {
    const told: string[] = [];
    const database = openSqlite({
      path: join(folder, "unwritable.db"),
      log: { ...silentLog, error: (event) => void told.push(event) },
      disk: {
        sync: async () => BUSY_LOG_PAGES + 1,
        checkpoint: () => Promise.reject(new Error("the disk is full")),
        release: async () => 0,
      },
    });
    await database.write((connection) => connection.run("CREATE TABLE lines (text TEXT)"));
    await add(database, "kept");
    await database.close();
    expect(told).toEqual(["sqlite.checkpoint_failed", "sqlite.checkpoint_failed"]);
    const again = openSqlite({ path: join(folder, "unwritable.db") });
    expect(await lines(again)).toBe(1);
    await again.close();
  });
});
