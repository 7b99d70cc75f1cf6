import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileStore } from "../../src/core/avatars.ts";
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

for (const [title, files] of stores) {
  describe(`files in ${title}`, () => {
    test("are read as they were put, until they are deleted", async () => {
      expect(await files.get("a.png")).toBeNull();
      await files.put("a.png", CONTENT, "image/png");
      expect(new Uint8Array((await (await files.get("a.png"))?.arrayBuffer()) ?? new ArrayBuffer(0))).toEqual(
        CONTENT,
      );
      await files.put("a.png", new Uint8Array([7]), "image/png");
      expect((await files.get("a.png"))?.size).toBe(1);
      await files.delete("a.png");
      expect(await files.get("a.png")).toBeNull();
      await files.delete("a.png");
    });
  });
}

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
  s3.hangs = true;
  expect(Fault.is(await failureOf(hanging.get("c.webp")), "unavailable")).toBe(true);
  expect(Fault.is(await failureOf(hanging.put("d.png", CONTENT, "image/png")), "unavailable")).toBe(true);
  s3.hangs = false;
  expect(s3.objects.has("some/where/d.png")).toBe(false);
});
