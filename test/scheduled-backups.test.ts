import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bucketPlace, folderPlace } from "../src/backup-places.ts";
import type { BackupPlace } from "../src/backup-places.ts";
import { createLog } from "../src/log.ts";
import type { Program } from "../src/program.ts";
import { ScheduledBackups } from "../src/scheduled-backups.ts";
import { BackupBucket } from "../src/storage/s3-backups.ts";
import { inspectSqlite } from "../src/storage/sqlite-backup.ts";
import { eventually } from "./support/eventually.ts";
import { latchkey, MAIN, scratchFolder, serve } from "./support/process.ts";
import { MovableClock, starter } from "./support/program.ts";
import { S3_KEY, startS3 } from "./support/s3-server.ts";

const here = scratchFolder();
const database = join(here, "app.db");
const HOUR_MS = 3_600_000;

function scheduled(name: string, { from = database, keep = 2 } = {}) {
  const folder = join(here, name);
  return { ...scheduledTo(folderPlace(folder), from, keep), folder };
}

function scheduledTo(place: BackupPlace, from: string, keep: number) {
  const clock = new MovableClock();
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    json: true,
    colors: false,
    clock,
    write: (line) => lines.push(line),
  });
  const plan = { schedule: "0 3 * * *", place, keep };
  return { backups: new ScheduledBackups({ database: from, plan, clock, log }), clock, lines };
}

function latestChildOf(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  const child = Number(children.at(-1));
  // A signal to 0 goes to all of this program's own group.
  if (child === 0) throw new Error(`process ${pid} has no child`);
  return child;
}

beforeAll(async () => {
  const settings = { DATABASE_URL: "sqlite:///app.db" };
  const seeded = await latchkey(["seed", "--users", "1", "--todos", "5"], { cwd: here, settings });
  expect(seeded.exitCode).toBe(0);
});

describe("backups by the clock", () => {
  test("stand in a folder for their owner alone, the latest few of them", async () => {
    const { backups, folder, clock, lines } = scheduled("kept");
    for (let hour = 0; hour < 3; hour += 1) {
      await backups.run();
      clock.forwardMs(HOUR_MS);
    }
    const files = ["app-20260104T110000Z.db", "app-20260104T120000Z.db"];
    expect(readdirSync(folder).toSorted()).toEqual(files);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const file of files) expect(inspectSqlite(join(folder, file)).rows["todos"]).toBe(5);
    expect(lines.map((line) => Object(JSON.parse(line)))).toMatchObject([
      { event: "backup.done", removed: 0 },
      { event: "backup.done", removed: 0 },
      { event: "backup.done", removed: 1, file: join(folder, "app-20260104T120000Z.db") },
    ]);
  });

  test("never take anybody else's file away", async () => {
    const { backups, folder } = scheduled("shared", { keep: 1 });
    await backups.run();
    const others = [
      "app-20200101T000000Z.db.old",
      "other-20200101T000000Z.db",
      "app.db",
      "app-by-hand.db",
      "app-before-migration.db",
    ];
    for (const file of others) writeFileSync(join(folder, file), "");
    writeFileSync(join(folder, "app-20200101T000000Z.db"), "");
    rmSync(join(folder, "app-20260104T100000Z.db"));
    await backups.run();
    expect(readdirSync(folder).toSorted()).toEqual([...others, "app-20260104T100000Z.db"].toSorted());
  });

  test("are kept although a wrong clock has dated others ahead", async () => {
    const { backups, folder } = scheduled("ahead", { keep: 1 });
    const ahead = ["app-20360101T000000Z.db", "app-20370101T000000Z.db"];
    await backups.run();
    for (const file of [...ahead, "app-20200101T000000Z.db"]) writeFileSync(join(folder, file), "");
    rmSync(join(folder, "app-20260104T100000Z.db"));
    await backups.run();
    expect(readdirSync(folder).toSorted()).toEqual(["app-20260104T100000Z.db", ...ahead]);
  });

  test("clear away what is left of those that were cut off, and of no others", async () => {
    const { backups, folder } = scheduled("torn");
    await backups.run();
    rmSync(join(folder, "app-20260104T100000Z.db"));
    const late = "app-20260104T090000Z.db.0123456789ab.part";
    const others = [
      late,
      "app-20260101T090000Z.db.part",
      "aaa-20260101T090000Z.db.0123456789ab.part",
      "by-hand.db.0123456789ab.part",
    ];
    for (const file of [...others, "app-20260101T090000Z.db.0123456789ab.part"])
      writeFileSync(join(folder, file), "");
    await backups.run();
    expect(readdirSync(folder).toSorted()).toEqual(["app-20260104T100000Z.db", ...others].toSorted());
  });

  test("that fail are told, remove nothing, and are tried again", async () => {
    const gone = join(here, "gone.db");
    const { backups, folder, lines } = scheduled("failing", { from: gone, keep: 1 });
    await backups.run();
    writeFileSync(join(folder, "gone-20200101T000000Z.db"), "");
    await backups.run();
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain(`there is no database ${gone}`);
    expect(lines[0]).toContain('"event":"backup.failed"');
    expect(readdirSync(folder)).toEqual(["gone-20200101T000000Z.db"]);
  });

  test("a stop waits for the one under way, up to its limit, and two at once are one", async () => {
    const { backups, folder, lines } = scheduled("stopped");
    backups.start();
    void backups.run();
    void backups.run();
    await backups.stop(60_000);
    expect(lines).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(["app-20260104T100000Z.db"]);
  });

  test("S35 one that is not whole when the limit is over is given up, and leaves nothing behind", async () => {
    const { backups, folder, lines } = scheduled("given-up");
    const running = backups.run();
    await backups.stop(0);
    await running;
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("the program stops, and the backup was not whole in time");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("one that a signal ended is told as that, and what it left is removed", async () => {
    const { backups, folder, lines } = scheduled("killed");
    mkdirSync(folder);
    const left = "app-20260104T100000Z.db.0123456789ab.part";
    for (const file of [left, `${left}-journal`]) writeFileSync(join(folder, file), "");
    const running = backups.run();
    process.kill(latestChildOf(process.pid), "SIGKILL");
    await running;
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("the backup was ended by SIGKILL");
    expect(readdirSync(folder)).toEqual([]);
  });
});

const start = starter(`sqlite:///${database}`);
const AT_THREE = { BACKUP_SCHEDULE: "0 3 * * *" };

/** The tasks of a program begin an hour before its backup does, by a clock that goes on as it is told. */
function beginTasksAtTwo(program: Program): void {
  jest.useFakeTimers({ now: new Date("2026-01-04T02:00:00Z") });
  program.startTasks();
}

afterEach(() => void jest.useRealTimers());

/** Also where nobody has asked how it ended. */
function isOver(pid: number): boolean {
  return !existsSync(`/proc/${pid}/stat`) || isInState(pid, "Z");
}

function isInState(pid: number, letter: "T" | "Z"): boolean {
  return readFileSync(`/proc/${pid}/stat`, "utf8").includes(`) ${letter} `);
}

/** Once it has stopped: told to go on before, it would stop afterwards, for ever. */
async function heldBackupOf(pid: number): Promise<number> {
  let child = 0;
  await eventually(() => {
    child = latestChildOf(pid);
    expect(isInState(child, "T")).toBe(true);
  });
  return child;
}

describe("backups that the settings ask for", () => {
  test("begin at their hour, and none after the program has closed", async () => {
    const folder = join(here, "asked-for");
    const program = await start({ ...AT_THREE, BACKUP_DIR: folder });
    const told = () => program.log.filter((line) => line.includes('"event":"backup.'));
    beginTasksAtTwo(program);
    jest.advanceTimersByTime(HOUR_MS - 1_000);
    expect(existsSync(folder)).toBe(false);
    jest.advanceTimersByTime(2_000);
    expect(existsSync(folder)).toBe(true);
    // It waits for the one that has just begun.
    await program.close();
    expect(told()).toEqual([expect.stringContaining('"event":"backup.done"')]);
    expect(readdirSync(folder)).toEqual(["app-20260104T100000Z.db"]);

    rmSync(folder, { recursive: true });
    jest.advanceTimersByTime(25 * HOUR_MS);
    expect(existsSync(folder)).toBe(false);
  });

  /** Stops before it begins, until it is told to go on. */
  const HELD = `const { spawn } = Bun;
    Bun.spawn = (command, options) => spawn(["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", ...command], options);`;

  /** A server in a process group of its own, whose hour comes as it starts. */
  function serveAtTheHour(folder: string, backup = "") {
    const hasCome = join(folder, "hour-has-come.js");
    writeFileSync(
      hasCome,
      `const { parse } = Bun.cron;
      const comeAtOnce = (schedule, job) => (job(), { stop() {}, unref() { return this; } });
      Bun.cron = Object.assign(comeAtOnce, { parse });
      ${backup}`,
    );
    const command = ["setsid", process.execPath, "--no-env-file", "--preload", hasCome, MAIN, "serve"];
    return serve(folder, AT_THREE, command);
  }

  test("begin in a program that serves", async () => {
    const served = scratchFolder();
    const server = await serveAtTheHour(served);
    await server.printed("backup.done");
    expect(readdirSync(join(served, "backups"))).toHaveLength(1);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  test("become whole after a Ctrl-C, which every process of the terminal's group gets", async () => {
    const served = scratchFolder();
    const server = await serveAtTheHour(served, HELD);
    const child = await heldBackupOf(server.pid);
    process.kill(-server.pid, "SIGINT");
    await server.printed("server.stopping");
    process.kill(child, "SIGCONT");
    expect(await server.exited).toBe(0);
    expect(server.output()).toContain("backup.done");
    expect(readdirSync(join(served, "backups"))).toEqual([expect.stringMatching(/^app-\w+\.db$/)]);
  });

  test("end with the program at a second Ctrl-C", async () => {
    const served = scratchFolder();
    const server = await serveAtTheHour(served, HELD);
    const child = await heldBackupOf(server.pid);
    server.kill("SIGINT");
    await server.printed("server.stopping");
    server.kill("SIGINT");
    expect(await server.exited).toBe(1);
    // It comes no further until the program is gone.
    process.kill(child, "SIGCONT");
    await eventually(() => expect(isOver(child)).toBe(true));
    expect(readdirSync(join(served, "backups"))).toEqual([]);
  });
});

describe("backups by the clock into a bucket", () => {
  const s3 = startS3("copies");
  const place = {
    bucket: "copies",
    prefix: "nightly/",
    endpoint: s3.url,
    region: "eu-north-1",
    sessionToken: null,
  };
  const toBucket = ({ from = database, keep = 2 } = {}) =>
    scheduledTo(bucketPlace(new BackupBucket({ ...place, ...S3_KEY }), from), from, keep);
  const keys = () => [...s3.objects.keys()].toSorted();
  const drafts = () => readdirSync(here).filter((file) => /upload|part/.test(file));

  beforeEach(() => {
    s3.objects.clear();
    Object.assign(s3, { hangs: false, refuses: null });
  });
  afterAll(() => s3.stop());

  test("begin at their hour where the settings ask for them", async () => {
    const program = await start({
      ...AT_THREE,
      BACKUP_URL: "s3://copies/nightly",
      ...s3.settings,
    });
    beginTasksAtTwo(program);
    jest.advanceTimersByTime(HOUR_MS);
    jest.useRealTimers();
    await eventually(() => expect(keys()).toEqual(["nightly/app-20260104T100000Z.db"]));
    await program.close();
  });

  test("are the latest few, sound, and leave nothing beside the database", async () => {
    const { backups, clock, lines } = toBucket();
    for (let hour = 0; hour < 3; hour += 1) {
      await backups.run();
      clock.forwardMs(HOUR_MS);
    }
    expect(keys()).toEqual(["nightly/app-20260104T110000Z.db", "nightly/app-20260104T120000Z.db"]);
    for (const [key, { content }] of s3.objects) {
      const file = join(here, key.replace("/", "-"));
      writeFileSync(file, content);
      expect(inspectSqlite(file).rows["todos"]).toBe(5);
    }
    expect(drafts()).toEqual([]);
    expect(Object(JSON.parse(lines.at(-1) ?? ""))).toMatchObject({
      event: "backup.done",
      file: "s3://copies/nightly/app-20260104T120000Z.db",
      removed: 1,
    });
  });

  test("never take anybody else's object away", async () => {
    const others = [
      "nightly/app-20200101T000000Z.db.old",
      "nightly/app-20200101T000000Z.db/deeper.db",
      "nightly/other-20200101T000000Z.db",
      "nightly/app-by-hand.db",
      "app-20200101T000000Z.db",
    ];
    for (const key of [...others, "nightly/app-20200101T000000Z.db"])
      s3.objects.set(key, { content: new Uint8Array(1), type: null });
    await toBucket({ keep: 1 }).backups.run();
    expect(keys()).toEqual([...others, "nightly/app-20260104T100000Z.db"].toSorted());
  });

  test("clear away what was cut off beside the database, and nothing else", async () => {
    const ours = ["app-20260101T090000Z.db.upload", "app-20260101T090000Z.db.upload.0123456789ab.part"];
    const others = [
      "app-20260104T093000Z.db.upload",
      "app-20260101T090000Z.db",
      "app-20260101T090000Z.db.uploaded",
    ];
    for (const file of [...ours, ...others]) writeFileSync(join(here, file), "");
    await toBucket().backups.run();
    expect(readdirSync(here)).toEqual(expect.arrayContaining(others));
    expect(readdirSync(here).filter((file) => ours.includes(file))).toEqual([]);
    for (const file of others) rmSync(join(here, file));
  });

  test("that the bucket refuses are told, remove nothing, and are tried again", async () => {
    s3.objects.set("nightly/app-20200101T000000Z.db", { content: new Uint8Array(1), type: null });
    s3.refuses = /^PUT/;
    const { backups, lines } = toBucket({ keep: 1 });
    await backups.run();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"event":"backup.failed"');
    expect(lines[0]).toContain("s3://copies/nightly/app-20260104T100000Z.db cannot be written: AccessDenied");
    expect(lines[0]).not.toContain(S3_KEY.secretAccessKey);
    expect([keys(), drafts()]).toEqual([["nightly/app-20200101T000000Z.db"], []]);
    s3.refuses = null;
    await backups.run();
    expect(keys()).toEqual(["nightly/app-20260104T100000Z.db"]);
  });

  test("hold no stop up where the bucket does not answer", async () => {
    s3.hangs = /^PUT/;
    const { backups, lines } = toBucket();
    void backups.run();
    await eventually(() => expect(s3.asked.at(-1)).toStartWith("PUT"));
    await backups.stop(0);
    expect(lines[0]).toContain("the program stops");
    expect(drafts()).toEqual([]);
  });
});
