import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latchkey, scratchFolder } from "../support/process.ts";
import { startS3 } from "../support/s3-server.ts";

const s3 = startS3("copies");
const folder = scratchFolder();
const SETTINGS = { DATABASE_URL: "sqlite:///app.db", ...s3.settings };
const run = (args: readonly string[], settings: Record<string, string> = {}) =>
  latchkey(args, { cwd: folder, settings: { ...SETTINGS, ...settings } });
const leftovers = () => readdirSync(folder).filter((file) => /copy|part/.test(file));
const ADDRESS = "s3://copies/by/hand.db";

function usersIn(file: string): number {
  using database = new Database(join(folder, file), { readonly: true });
  return Number(Object(database.query("SELECT COUNT(*) AS total FROM users").get()).total);
}

beforeAll(async () => {
  expect((await run(["seed", "--users", "3", "--todos", "1"])).exitCode).toBe(0);
});
beforeEach(() => {
  Object.assign(s3, { refuses: null, damages: false });
  s3.objects.clear();
});
afterAll(() => s3.stop());

describe("backup into a bucket, and restore from there", () => {
  test("bring the database back, and leave nothing beside it", async () => {
    const done = await run(["backup", ADDRESS]);
    expect(done).toMatchObject({ exitCode: 0, stderr: "" });
    expect(done.stdout).toStartWith(`${ADDRESS}: 0.`);
    expect([...s3.objects.keys()]).toEqual(["by/hand.db"]);
    const back = await run(["restore", ADDRESS], { DATABASE_URL: "sqlite:///back.db" });
    expect(back).toMatchObject({ exitCode: 0, stderr: "" });
    expect(usersIn("back.db")).toBe(usersIn("app.db"));
    expect(leftovers()).toEqual([]);
  });

  test("take nobody's place without --force", async () => {
    s3.objects.set("by/hand.db", { content: new Uint8Array(1), type: null });
    const refused = await run(["backup", ADDRESS]);
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain(`${ADDRESS} is there already: --force overwrites it`);
    expect((await run(["backup", ADDRESS, "--force"])).exitCode).toBe(0);
    expect(s3.objects.get("by/hand.db")?.content.byteLength).toBeGreaterThan(1_000);
    expect((await run(["restore", ADDRESS])).stderr).toContain("there is a database at app.db: --force");
    expect(leftovers()).toEqual([]);
  });

  test("copy the file that --from names, with the key of the settings", async () => {
    const done = await run(["backup", ADDRESS, "--from", "app.db"], { DATABASE_URL: "sqlite:///none.db" });
    expect(done.exitCode).toBe(0);
    expect(s3.objects.has("by/hand.db")).toBe(true);
  });

  test("restore nothing that is no backup, and call it by its address", async () => {
    s3.objects.set("by/hand.db", { content: new Uint8Array(4_096).fill(65), type: null });
    const refused = await run(["restore", ADDRESS], { DATABASE_URL: "sqlite:///kept.db" });
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toStartWith(`latchkey: ${ADDRESS} `);
    expect(readdirSync(folder)).not.toContain("kept.db");
    expect(leftovers()).toEqual([]);
  });

  test.each([
    [["backup", "s3://copies"], {}, 64, "s3://copies is no file in a bucket"],
    [["backup", "s3://copies/by/"], {}, 64, "is no file in a bucket"],
    [["backup", "s3://Copies/a.db"], {}, 64, "is no file in a bucket"],
    [["restore", "s3://copies/../a.db"], {}, 64, "is no file in a bucket"],
    [["backup", ADDRESS], { S3_SECRET_ACCESS_KEY: "" }, 78, "a bucket needs a key"],
    [["backup", ADDRESS, "--from", "app.db"], { PORT: "many" }, 78, "PORT: "],
    [["backup", ADDRESS], { S3_SECRET_ACCESS_KEY: "wrong-secret" }, 74, `${ADDRESS} cannot be `],
    [["restore", ADDRESS], { DATABASE_URL: "sqlite:///new.db" }, 74, `${ADDRESS} cannot be read`],
    [["backup", "s3://others/a.db"], {}, 74, "s3://others/a.db cannot be "],
    [
      ["restore", ADDRESS],
      { DATABASE_URL: "sqlite:///app.db/new.db" },
      74,
      `${ADDRESS} cannot be read: ENOTDIR`,
    ],
  ])("%j with %j is refused in one line", async (args, settings, exitCode, words) => {
    const refused = await run(args, settings);
    expect(refused.exitCode).toBe(exitCode);
    expect(refused.stderr).toContain(words);
    expect(refused.stderr).not.toMatch(/wrong-secret|^ +at /m);
    expect(leftovers()).toEqual([]);
  });

  test("of damage on the way are told, and leave nothing in the bucket", async () => {
    s3.damages = true;
    const refused = await run(["backup", ADDRESS]);
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain("is not what was written");
    expect([s3.objects.size, leftovers()]).toEqual([0, []]);
  });
});

test("doctor looks for the bucket of scheduled backups, and for their folder", async () => {
  const scheduled = { BACKUP_SCHEDULE: "@daily", BACKUP_URL: "s3://copies/nightly" };
  expect((await run(["doctor"], scheduled)).stdout).toMatch(
    /^ok +backups +s3:\/\/copies\/nightly\/ answers, with 0 of them$/m,
  );
  s3.refuses = /^GET/;
  const refused = await run(["doctor"], scheduled);
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(
    /^failed +backups +s3:\/\/copies\/nightly\/.* cannot be listed: AccessDenied/m,
  );
  expect((await run(["doctor"], { BACKUP_SCHEDULE: "@daily" })).stdout).toMatch(
    /^ok +backups +backups can be written$/m,
  );
  writeFileSync(join(folder, "taken"), "");
  const blocked = await run(["doctor"], { BACKUP_SCHEDULE: "@daily", BACKUP_DIR: "taken/below" });
  expect(blocked.stdout).toMatch(/^failed +backups +nothing can be written in .*\n +-> see BACKUP_DIR/m);
});

test("PostgreSQL is backed up by its own tools, into a file", async () => {
  const said = await run(["backup", ADDRESS], { DATABASE_URL: "postgres://somebody@db.invalid/app" });
  expect(said.exitCode).toBe(1);
  expect(said.stderr).toContain("--file=hand.db ");
});

test("what is said for a shell holds nothing that a shell would run", async () => {
  const url = "postgres://a%24b@[2001:db8::1]:5433/my%20app";
  const said = await run(["backup", "it's; reboot"], { DATABASE_URL: url });
  expect(said.stderr).toContain(String.raw`--file='it'\''s; reboot' `);
  expect(said.stderr).toContain("--host=2001:db8::1 --port=5433 --username='a$b' --dbname='my app'");
});
