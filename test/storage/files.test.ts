import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileStore, StoredFile } from "../../src/core/avatars.ts";
import { Fault } from "../../src/core/fault.ts";
import { openFiles } from "../../src/storage/files.ts";
import { s3Files } from "../../src/storage/s3-files.ts";
import { failureOf } from "../support/failure.ts";
import { S3_KEY, startS3 } from "../support/s3-server.ts";

const folder = mkdtempSync(join(tmpdir(), "latchkey-files-"));
const s3 = startS3("pictures");
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await s3.stop();
});

const bucket = {
  bucket: "pictures",
  prefix: "some/where/",
  endpoint: s3.url,
  region: "eu-north-1",
  ...S3_KEY,
  sessionToken: null,
};
const uploadDir = join(folder, "made", "when-needed");
const stores: readonly (readonly [string, FileStore])[] = [
  ["a folder", openFiles({ uploadDir, uploadS3: null })],
  ["a bucket", openFiles({ uploadDir, uploadS3: bucket })],
];
const CONTENT = new Uint8Array([0, 1, 2, 255]);

async function portionsOf(files: FileStore): Promise<readonly (readonly StoredFile[])[]> {
  return Array.fromAsync(files.list());
}

for (const [title, files] of stores) {
  describe(`files in ${title}`, () => {
    test("are read as they were put, until they are deleted", async () => {
      expect(await files.get("a.png")).toBeNull();
      await files.put("a.png", CONTENT, "image/png");
      expect(new Uint8Array((await (await files.get("a.png"))?.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(
        CONTENT,
      );
      await files.put("a.png", new Uint8Array([7]), "image/png");
      const found = await files.get("a.png");
      await files.delete("a.png");
      // What was found can be sent, whatever becomes of the file meanwhile.
      expect(await found?.bytes()).toEqual(new Uint8Array([7]));
      expect(await files.get("a.png")).toBeNull();
      await files.delete("a.png");
    });

    test("are listed with their time, as long as they are there", async () => {
      const beforeMs = Date.now();
      await files.put("a.png", CONTENT, "image/png");
      await files.put("b.png", CONTENT, "image/png");
      const listed = (await portionsOf(files)).flat().toSorted((a, b) => a.name.localeCompare(b.name));
      expect(listed.map(({ name, putAs }) => [name, putAs])).toEqual([
        ["a.png", "a.png"],
        ["b.png", "b.png"],
      ]);
      // A file system may count in steps of some milliseconds.
      for (const { storedAtMs } of listed) expect(storedAtMs).toBeWithin(beforeMs - 50, Date.now() + 50);
      await files.delete("a.png");
      await files.delete("b.png");
      expect((await portionsOf(files)).flat()).toEqual([]);
    });
  });
}

test("a folder is listed in portions, with what is unfinished, without folders and links", async () => {
  const full = join(folder, "full");
  mkdirSync(join(full, "below"), { recursive: true });
  writeFileSync(join(full, "below", "deep.png"), "");
  symlinkSync(join(full, "below", "deep.png"), join(full, "link.png"));
  const names = Array.from({ length: 450 }, (_, nth) => `${nth}.png`);
  for (const name of names) writeFileSync(join(full, name), "");
  const unfinished = ".0.png.01234567";
  writeFileSync(join(full, unfinished), "");
  utimesSync(join(full, unfinished), 1_000, 1_000);
  const portions = await portionsOf(openFiles({ uploadDir: full, uploadS3: null }));
  const listed = portions.flat();
  expect(listed.map(({ name }) => name).toSorted()).toEqual([unfinished, ...names].toSorted());
  expect(listed.find(({ name }) => name === unfinished)).toEqual({
    name: unfinished,
    putAs: "0.png",
    storedAtMs: 1_000_000,
  });
  expect(Math.max(...portions.map(({ length }) => length))).toBeLessThanOrEqual(200);
});

test("a folder that nobody has made yet holds nothing, and one that cannot be read is `unavailable`", async () => {
  const list = (uploadDir: string) => portionsOf(openFiles({ uploadDir, uploadS3: null }));
  expect((await list(join(folder, "not-yet"))).flat()).toEqual([]);
  const file = join(folder, "no-folder");
  writeFileSync(file, "");
  expect(Fault.is(await failureOf(list(file)), "unavailable")).toBe(true);
});

test("a bucket is listed page by page, and not outside of its prefix", async () => {
  const [, files] = stores[1] ?? [];
  if (files === undefined) throw new Error("the bucket stands second");
  const names = ["a.png", "b.png", "c.png", "d.png", "e.png"];
  for (const name of names) await files.put(name, CONTENT, "image/png");
  s3.storedAtMs.set("some/where/a.png", 1_000_000);
  const others = ["some/a.png", "some/where-else/a.png", "some/where/deeper/a.png"];
  for (const key of others) s3.objects.set(key, { content: CONTENT, type: null });
  s3.pageKeys = 2;
  const portions = await portionsOf(files);
  s3.pageKeys = 1_000;
  expect(portions.map((portion) => portion.map(({ name }) => name))).toEqual([
    ["a.png", "b.png"],
    ["c.png", "d.png"],
    ["e.png"],
  ]);
  expect(portions[0]?.[0]).toEqual({ name: "a.png", putAs: "a.png", storedAtMs: 1_000_000 });
  for (const key of [...others, ...names.map((name) => `some/where/${name}`)]) s3.objects.delete(key);
});

test("a folder holds nothing but whole files", async () => {
  const [, files] = stores[0] ?? [];
  await files?.put("b.png", CONTENT, "image/png");
  expect(readdirSync(uploadDir)).toEqual(["b.png"]);
});

test("S34 a folder that cannot be made is `unavailable`, and nothing stays", async () => {
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  chmodSync(blocked, 0o600);
  const files = openFiles({ uploadDir: join(blocked, "below"), uploadS3: null });
  const failure = await failureOf(files.put("a.png", CONTENT, "image/png"));
  expect(Fault.is(failure, "unavailable")).toBe(true);
  expect(existsSync(join(blocked, "below"))).toBe(false);
});

test("S34 a file that cannot be put in its place is `unavailable`, and nothing of it stays", async () => {
  const inTheWay = join(folder, "in-the-way");
  mkdirSync(join(inTheWay, "a.png"), { recursive: true });
  const files = openFiles({ uploadDir: inTheWay, uploadS3: null });
  expect(Fault.is(await failureOf(files.put("a.png", CONTENT, "image/png")), "unavailable")).toBe(true);
  expect(readdirSync(inTheWay)).toEqual(["a.png"]);
});

test("a bucket keeps files below its prefix, with their type", async () => {
  await stores[1]?.[1].put("c.webp", CONTENT, "image/webp");
  expect(s3.objects.get("some/where/c.webp")).toEqual({ content: CONTENT, type: "image/webp" });
});

test("a bucket that refuses, hangs or is not there is `unavailable`", async () => {
  const refused = s3Files({ ...bucket, secretAccessKey: "wrong" });
  const gone = s3Files({ ...bucket, endpoint: "http://127.0.0.1:1" });
  const hanging = s3Files({ ...bucket, timeoutMs: 50 });
  expect(Fault.is(await failureOf(refused.put("d.png", CONTENT, "image/png")), "unavailable")).toBe(true);
  expect(await failureOf(refused.get("c.webp"))).toMatchObject({
    what: { kind: "unavailable" },
    cause: { message: "S3 answered 403 SignatureDoesNotMatch" },
  });
  expect(Fault.is(await failureOf(gone.get("c.webp")), "unavailable")).toBe(true);
  expect(Fault.is(await failureOf(portionsOf(refused)), "unavailable")).toBe(true);
  expect(Fault.is(await failureOf(portionsOf(gone)), "unavailable")).toBe(true);
  s3.hangs = true;
  expect(Fault.is(await failureOf(hanging.get("c.webp")), "unavailable")).toBe(true);
  expect(Fault.is(await failureOf(hanging.put("d.png", CONTENT, "image/png")), "unavailable")).toBe(true);
  expect(Fault.is(await failureOf(portionsOf(hanging)), "unavailable")).toBe(true);
  s3.hangs = false;
  expect(s3.objects.has("some/where/d.png")).toBe(false);
});
