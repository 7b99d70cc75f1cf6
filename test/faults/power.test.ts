import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { directoryFiles } from "../../src/storage/directory-files.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { amount, report } from "../support/amount.ts";
import { sayOnce } from "../support/needed.ts";
import { scratchFolder, serve } from "../support/process.ts";
import { signUp, UNLIMITED } from "./people.ts";
import { Storm } from "./storm.ts";

const ROUNDS = amount("POWER_ROUNDS", { short: 3, long: 20 });
const WRITERS = 8;
const DISK_BYTES = 64 * 1_024 * 1_024;

const folder = scratchFolder();
const mounted: string[] = [];
const first = await makeDisk("disk.0");

async function done(...command: readonly string[]): Promise<boolean> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  return (await child.exited) === 0;
}

/** A file system within a file, which holds what was written to the "disk", and not what waits in memory for it. */
async function makeDisk(name: string): Promise<string | null> {
  const image = join(folder, name);
  writeFileSync(image, "");
  truncateSync(image, DISK_BYTES);
  const format = Bun.which("mkfs.ext4") ?? Bun.which("/usr/sbin/mkfs.ext4");
  const isThere = format !== null && (await done(format, "-q", "-F", image)) && (await mount(image)) !== null;
  if (!isThere)
    sayOnce("SKIPPED: a power cut, since a file can be mounted as a disk by root alone, on Linux");
  return isThere ? image : null;
}

async function mount(image: string): Promise<string | null> {
  const path = `${image}.mounted`;
  mkdirSync(path);
  if (!(await done("mount", "-o", "loop", image, path))) return null;
  mounted.push(path);
  return path;
}

describe.if(first !== null)("a power cut", () => {
  // Here, so that it comes before the folder is removed.
  afterAll(async () => {
    for (const path of mounted) await done("umount", "--lazy", path);
  });

  test(
    "S31 in a storm of writes SQLite has on its disk every one that was acknowledged, and is sound",
    async () => {
      const settings = { ...UNLIMITED, DATABASE_URL: "sqlite:///app.db" };
      let image = first ?? "";
      let disk = `${image}.mounted`;
      let server = await serve(disk, settings);
      const storm = new Storm(await signUp(server));
      for (let round = 1; round <= ROUNDS; round += 1) {
        const before = storm.acknowledged;
        storm.start(server, WRITERS);
        await Bun.sleep(150 + Math.random() * 400);
        // While it stands still nobody is answered, and what the disk has now is all that there ever was.
        server.kill("SIGSTOP");
        const copy = join(folder, `disk.${round}`);
        copyFileSync(image, copy);
        server.kill("SIGKILL");
        await server.exited;
        await storm.stop();
        expect(storm.acknowledged).toBeGreaterThan(before);
        expect(await done("umount", disk)).toBe(true);
        image = copy;
        disk = (await mount(image)) ?? "";
        expect(disk).not.toBe("");
        server = await serve(disk, settings);
        expect(await storm.missing(server)).toEqual([]);
        expect(await storm.invented(server)).toEqual([]);
        expect([...storm.statuses.keys()]).toEqual([200]);
      }
      server.kill("SIGTERM");
      expect(await server.exited).toBe(0);
      const database = new Database(join(disk, "app.db"));
      expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
      database.close();
      report(`${ROUNDS} power cuts, ${storm.acknowledged} acknowledged creations, all found again`);
    },
    ROUNDS * 15_000,
  );

  test("S31 a picture that was stored is there", async () => {
    const image = (await makeDisk("pictures")) ?? "";
    const files = (disk: string) => directoryFiles(join(disk, "uploads"));
    await files(`${image}.mounted`).put("picture", new TextEncoder().encode("colours"), "image/png");
    const cut = join(folder, "pictures.cut");
    copyFileSync(image, cut);
    const found = await files((await mount(cut)) ?? "").get("picture");
    expect(await found?.text()).toBe("colours");
  });

  test("S31 what is read after a start has a disk under it, though who wrote it was killed before it had", async () => {
    const image = (await makeDisk("left")) ?? "";
    const path = join(`${image}.mounted`, "left.db");
    // Killed between the commit and its fsync, which such a write leaves to the next one.
    const writer = Bun.spawn([process.execPath, "--no-env-file", join(import.meta.dir, "unsynced.ts"), path]);
    await writer.exited;
    expect(writer.signalCode).toBe("SIGKILL");
    const started = openSqlite({ path });
    expect(await started.reader.all("SELECT text FROM lines")).toEqual([{ text: "left" }]);
    const cut = join(folder, "cut");
    copyFileSync(image, cut);
    await started.close();

    const found = openSqlite({ path: join((await mount(cut)) ?? "", "left.db") });
    expect(await found.reader.all("SELECT text FROM lines")).toEqual([{ text: "left" }]);
    await found.close();
  });
});
