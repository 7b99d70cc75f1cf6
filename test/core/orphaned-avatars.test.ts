import { afterAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Realm } from "../../src/core/accounts.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/clock.ts";
import { failureOf } from "../support/failure.ts";
import { forEachEngine } from "../support/program.ts";
import type { Settings, Start, TestProgram } from "../support/program.ts";
import { startS3 } from "../support/s3-server.ts";
import { someone } from "../support/someone.ts";

const PICTURE = new Uint8Array(readFileSync(join(import.meta.dir, "../fixtures/images/small.png")));
const SETTINGS = { RATE_LIMIT_ENABLED: "false" };

const folder = mkdtempSync(join(tmpdir(), "latchkey-orphans-"));
const s3 = startS3("pictures");
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await s3.stop();
});

/** Where avatars are kept, seen past the program. */
interface Place {
  readonly settings: Settings;
  put(name: string, storedAtMs: number): void;
  names(): readonly string[];
}

let made = 0;

function folderPlace(): Place {
  made += 1;
  const uploads = join(folder, String(made));
  mkdirSync(uploads);
  return {
    settings: { ...SETTINGS, UPLOAD_DIR: uploads },
    put(name, storedAtMs) {
      writeFileSync(join(uploads, name), PICTURE);
      utimesSync(join(uploads, name), storedAtMs / 1_000, storedAtMs / 1_000);
    },
    names: () => readdirSync(uploads).toSorted(),
  };
}

function bucketPlace(): Place {
  made += 1;
  const prefix = `avatars${made}/`;
  return {
    settings: {
      ...SETTINGS,
      UPLOAD_URL: `s3://pictures/${prefix}`,
      ...s3.settings,
    },
    put(name, storedAtMs) {
      s3.objects.set(prefix + name, { content: PICTURE, type: "image/png" });
      s3.storedAtMs.set(prefix + name, storedAtMs);
    },
    names: () =>
      [...s3.objects.keys()]
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length))
        .toSorted(),
  };
}

function avatarName(extension = "png"): string {
  return `${crypto.randomUUID().replaceAll("-", "")}.${extension}`;
}

async function named(program: TestProgram, realm: Realm, avatar: string): Promise<void> {
  const { account } = await someone(program, realm);
  const { store } = program.core;
  await store.write((tx) => tx.accounts(realm).update(account.id, { avatar }, program.clock.nowMs()));
}

/** With an account, so that there is somebody's database, and a moment before which files are another's. */
async function begun(start: Start, { settings }: Place): Promise<{ program: TestProgram; nowMs: number }> {
  const program = await start(settings);
  await someone(program, "user");
  return { program, nowMs: program.clock.nowMs() };
}

forEachEngine("orphaned avatars", (start) => {
  for (const [where, newPlace] of [
    ["a folder", folderPlace],
    ["a bucket", bucketPlace],
  ] as const) {
    describe(`in ${where}`, () => {
      test("a file goes a day after it was stored, unless a user or an administrator has it", async () => {
        const place = newPlace();
        const { program, nowMs } = await begun(start, place);
        const [ofUser, ofAdmin, earlier, later] = [
          avatarName("jpg"),
          avatarName("webp"),
          avatarName(),
          avatarName(),
        ];
        for (const name of [ofUser, ofAdmin, earlier]) place.put(name, nowMs);
        place.put(later, nowMs + 1_000);
        await named(program, "user", ofUser);
        await named(program, "admin", ofAdmin);

        program.clock.forwardMs(DAY_MS - 1);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 0, failed: 0 });
        program.clock.forwardMs(1);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 1, failed: 0 });
        expect(place.names()).toEqual([ofUser, ofAdmin, later].toSorted());
        program.clock.forwardMs(1_000);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 1, failed: 0 });
        expect(place.names()).toEqual([ofUser, ofAdmin].toSorted());
      });

      test("what this program would not have named so is nobody's to delete", async () => {
        const place = newPlace();
        const { program, nowMs } = await begun(start, place);
        const strangers = [
          "note.png",
          "app-20260104T030000Z.db",
          avatarName("gif"),
          avatarName().toUpperCase(),
          `x${avatarName()}`,
          `${avatarName()}.bak`,
          `.${avatarName()}`,
          ".note.png.01234567",
        ];
        for (const name of strangers) place.put(name, nowMs);
        program.clock.forwardMs(30 * DAY_MS);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 0, failed: 0 });
        expect(place.names()).toEqual(strangers.toSorted());
      });

      test("what is older than the first account is another database's", async () => {
        const place = newPlace();
        const { program } = await begun(start, place);
        const read = program.core.store.read;
        const firstMs = (await read.accounts("user").firstAtMs()) ?? NaN;
        const [older, own] = [avatarName(), avatarName()];
        place.put(older, firstMs - HOUR_MS - 1_000);
        place.put(own, firstMs - HOUR_MS);
        program.clock.forwardMs(30 * DAY_MS);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 1, failed: 0 });
        expect(place.names()).toEqual([older]);
      });

      test("of more than a statement or a page holds, each is judged by itself, by two instances at once", async () => {
        const place = newPlace();
        const { program, nowMs } = await begun(start, place);
        const other = await start(place.settings);
        const { account } = await someone(program, "user");
        const names = Array.from({ length: 450 }, () => avatarName()).toSorted();
        for (const name of names) place.put(name, nowMs);
        const kept = names.filter((_, nth) => nth % 2 === 0);
        await program.database.write(async (connection) => {
          for (const [nth, name] of kept.entries()) {
            await connection.run(
              `INSERT INTO admins (email, avatar, password_hash, role, created_at_ms) VALUES ($1, $2, 'x', 'admin', $3)`,
              [`keeper${nth}-${account.id}@example.com`, name, nowMs],
            );
          }
        });
        for (const each of [program, other]) each.clock.forwardMs(2 * DAY_MS);
        s3.pageKeys = 100;
        const reports = await Promise.all([program, other].map(({ core }) => core.orphanedAvatars.remove()));
        s3.pageKeys = 1_000;
        expect(reports.map(({ failed }) => failed)).toEqual([0, 0]);
        expect(place.names()).toEqual(kept);
        expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 0, failed: 0 });
      });
    });
  }

  test("in a folder a file that was never finished goes as well", async () => {
    const place = folderPlace();
    const { program, nowMs } = await begun(start, place);
    const name = avatarName();
    await named(program, "user", name);
    for (const each of [name, `.${name}.01234567`, `.${avatarName()}.89abcdef`]) place.put(each, nowMs);
    program.clock.forwardMs(DAY_MS);
    expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 2, failed: 0 });
    expect(place.names()).toEqual([name]);
  });

  test("a picture that a person took away is served no more, though its deletion failed then", async () => {
    const place = bucketPlace();
    const { program, nowMs } = await begun(start, place);
    const { client, token } = await someone(program, "user");
    const raw = new FormData();
    raw.set("avatar", new Blob([PICTURE]), "me.png");
    await client.send("PUT", "/users/me", { raw, token });
    const [name = "none"] = place.names();
    place.put(name, nowMs);
    const served = async () =>
      (await program.app.handle(new Request(`http://localhost/uploads/${name}`), "198.51.100.1")).status;
    s3.refuses = /^DELETE /;
    expect((await client.put("/users/me", { avatar: null }, { token })).status).toBe(200);
    s3.refuses = null;
    expect(await served()).toBe(200);
    program.clock.forwardMs(DAY_MS);
    expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 1, failed: 0 });
    expect(await served()).toBe(404);
  });

  test("S36 one that cannot be deleted is told, and the others go", async () => {
    const place = bucketPlace();
    const { program, nowMs } = await begun(start, place);
    const names = [avatarName(), avatarName(), avatarName()].toSorted();
    for (const name of names) place.put(name, nowMs);
    program.clock.forwardMs(DAY_MS);
    const [first = "none"] = names;
    s3.refuses = new RegExp(`^DELETE .*${first}$`);
    expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 2, failed: 1 });
    s3.refuses = null;
    expect(place.names()).toEqual([first]);
    const told = program.log.filter((line) => line.includes("avatar.not_deleted"));
    expect(told).toEqual([expect.stringContaining(first)]);
    expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 1, failed: 0 });
  });

  test("S36 a bucket that refuses its list is unavailable, and nothing goes", async () => {
    const place = bucketPlace();
    const { program, nowMs } = await begun(start, place);
    place.put(avatarName(), nowMs);
    program.clock.forwardMs(DAY_MS);
    s3.refuses = /^GET $/;
    const failure = await failureOf(program.core.orphanedAvatars.remove());
    s3.refuses = null;
    expect(failure).toMatchObject({ what: { kind: "unavailable" } });
    expect(place.names()).toHaveLength(1);
  });
});

forEachEngine("a database without accounts", (start) => {
  test("has no avatars, and takes none for its own", async () => {
    const place = folderPlace();
    const program = await start(place.settings);
    const name = avatarName();
    place.put(name, program.clock.nowMs());
    program.clock.forwardMs(30 * DAY_MS);
    expect(await program.core.orphanedAvatars.remove()).toEqual({ removed: 0, failed: 0 });
    expect(place.names()).toEqual([name]);
  });
});
