import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog } from "../src/log.ts";
import { ScheduledBackups } from "../src/scheduled-backups.ts";
import { inspectSqlite } from "../src/storage/sqlite-backup.ts";
import { latchkey, scratchFolder } from "./support/process.ts";
import { MovableClock } from "./support/program.ts";

const here = scratchFolder();
const database = join(here, "app.db");
const HOUR_MS = 3_600_000;

function scheduled(name: string, { from = database, keep = 2 } = {}) {
  const folder = join(here, name);
  const clock = new MovableClock();
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    json: true,
    colors: false,
    clock,
    write: (line) => lines.push(line),
  });
  const plan = { schedule: "0 3 * * *", folder, keep };
  return { backups: new ScheduledBackups({ database: from, plan, clock, log }), folder, clock, lines };
}

describe("backups by the clock", () => {
  beforeAll(async () => {
    const settings = { DATABASE_URL: "sqlite:///app.db" };
    expect((await latchkey(["seed", "--users", "1", "--todos", "5"], { cwd: here, settings })).exitCode).toBe(
      0,
    );
  });

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
    const others = ["app-20200101T000000Z.db.old", "other-20200101T000000Z.db", "app.db", "app-by-hand.db"];
    for (const file of others) writeFileSync(join(folder, file), "");
    writeFileSync(join(folder, "app-20200101T000000Z.db"), "");
    rmSync(join(folder, "app-20260104T100000Z.db"));
    await backups.run();
    expect(readdirSync(folder).toSorted()).toEqual([...others, "app-20260104T100000Z.db"].toSorted());
  });

  test("clear away what is left of those that were cut off, and of no others", async () => {
    const { backups, folder } = scheduled("torn");
    await backups.run();
    rmSync(join(folder, "app-20260104T100000Z.db"));
    const late = "app-20260104T090000Z.db.0123456789ab.part";
    const others = [late, "app-20260101T090000Z.db.part", "by-hand.db.0123456789ab.part"];
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

  test("a stop waits for the one under way, and two at once are one", async () => {
    const { backups, folder, lines } = scheduled("stopped");
    backups.start();
    void backups.run();
    void backups.run();
    await backups.stop();
    expect(lines).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(["app-20260104T100000Z.db"]);
  });
});
