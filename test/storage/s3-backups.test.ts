import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackupBucket } from "../../src/storage/s3-backups.ts";
import { PartsHash } from "../../src/storage/s3-parts-hash.ts";
import { BackupRefused } from "../../src/storage/sqlite-backup.ts";
import { eventually } from "../support/eventually.ts";
import { failureOf } from "../support/failure.ts";
import { scratchFolder } from "../support/process.ts";
import { S3_KEY, startS3 } from "../support/s3-server.ts";

const MIB = 1024 * 1024;
const PART_BYTES = 5 * MIB;
const folder = scratchFolder();
const s3 = startS3("copies");
afterAll(() => s3.stop());

const place = {
  bucket: "copies",
  prefix: "of/app/",
  endpoint: s3.url,
  region: "eu-north-1",
  ...S3_KEY,
  sessionToken: null,
};
const bucket = new BackupBucket(place, { partBytes: PART_BYTES });
const stored = (name: string) => s3.objects.get(`of/app/${name}`)?.content;

beforeEach(() => {
  s3.objects.clear();
  Object.assign(s3, { hangs: false, refuses: null, encrypts: false, damages: false, pageKeys: 1_000 });
});

/** A file of which no two parts are alike. */
function file(bytes: number): string {
  const path = join(folder, `${bytes}.db`);
  if (existsSync(path)) return path;
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE(at, at);
  writeFileSync(path, content);
  return path;
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const failure = await failureOf(work);
  if (!(failure instanceof BackupRefused)) throw failure;
  return failure.message;
}

describe("a file in a bucket", () => {
  test.each([0, 1, MIB, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 17 * MIB + 3])(
    "of %i bytes is what was sent, and comes back so",
    async (bytes) => {
      const path = file(bytes);
      await bucket.upload(path, "it.db", { overwrites: false });
      expect(s3.asked.at(-1)).toBe("HEAD of/app/it.db");
      const original = readFileSync(path);
      expect(original.equals(stored("it.db") ?? new Uint8Array(1))).toBe(true);
      const back = join(folder, `back-${bytes}.db`);
      await bucket.download("it.db", back);
      expect(readFileSync(back).equals(original)).toBe(true);
      expect(statSync(back).mode & 0o777).toBe(0o600);
      expect(s3.uploads.size).toBe(0);
    },
  );

  test("is believed where the ETag is its hash, and read where it is not", async () => {
    const readBack = () => s3.asked.filter((question) => question === "GET of/app/it.db").length;
    const before = readBack();
    await bucket.upload(file(17 * MIB + 3), "it.db", { overwrites: true });
    expect(readBack()).toBe(before);
    s3.encrypts = true;
    await bucket.upload(file(17 * MIB + 3), "it.db", { overwrites: true });
    expect(readBack()).toBe(before + 4);
  });

  test.each([MIB, 17 * MIB])("of %i bytes that is not what was sent is removed, and told", async (bytes) => {
    s3.damages = true;
    expect(await refusal(bucket.upload(file(bytes), "it.db", { overwrites: true }))).toBe(
      "s3://copies/of/app/it.db is not what was written: it has been removed",
    );
    expect(s3.objects.size).toBe(0);
  });

  test("takes nobody's place unasked", async () => {
    await bucket.upload(file(1), "it.db", { overwrites: false });
    expect(await refusal(bucket.upload(file(MIB), "it.db", { overwrites: false }))).toContain(
      "s3://copies/of/app/it.db is there already: --force",
    );
    expect(stored("it.db")?.byteLength).toBe(1);
    await bucket.upload(file(MIB), "it.db", { overwrites: true });
    expect(stored("it.db")?.byteLength).toBe(MIB);
  });

  test("that is refused half-way leaves nothing behind", async () => {
    s3.refuses = /^PUT .*partNumber/;
    const impatient = new BackupBucket(place, { partBytes: PART_BYTES });
    expect(await refusal(impatient.upload(file(17 * MIB), "it.db", { overwrites: true }))).toMatch(
      /^s3:\/\/copies\/of\/app\/it\.db cannot be written: AccessDenied/,
    );
    await eventually(() => expect(s3.uploads.size).toBe(0));
    expect(s3.objects.size).toBe(0);
  });

  test.each([
    ["the first part", /^PUT .*partNumber/, 150],
    ["their joining", /^POST .*uploadId/, 250],
    ["whether it is there", /^HEAD/, 150],
  ])("is given up where the bucket does not answer, at %s", async (_, hangs, afterMs) => {
    s3.hangs = hangs;
    const impatient = new BackupBucket(place, { partBytes: PART_BYTES, stallMs: 150, joinMs: 250 });
    const words = await refusal(impatient.upload(file(17 * MIB), "it.db", { overwrites: false }));
    expect(words).toContain(`an answer of the bucket took longer than ${afterMs} ms`);
  });

  test("is given up at once where the program stops", async () => {
    s3.hangs = /^PUT/;
    const stopping = new BackupBucket(place, { partBytes: PART_BYTES });
    const uploading = refusal(stopping.upload(file(17 * MIB), "it.db", { overwrites: true }));
    await eventually(() => expect(s3.asked.at(-1)).toContain("PUT"));
    stopping.close();
    expect(await uploading).toContain("the program stops");
    expect(await refusal(stopping.names(""))).toContain("the program stops");
  });

  test("that is not there, or in nobody's bucket, is refused in one line", async () => {
    const to = join(folder, "nothing.db");
    expect(await refusal(bucket.download("none.db", to))).toMatch(
      /^s3:\/\/copies\/of\/app\/none\.db cannot be read/,
    );
    const wrong = new BackupBucket({ ...place, secretAccessKey: "wrong" });
    expect(await refusal(wrong.upload(file(1), "it.db", { overwrites: true }))).toMatch(
      /cannot be written: .*Signature/,
    );
    const gone = new BackupBucket({ ...place, endpoint: "http://127.0.0.1:1" });
    expect(await refusal(gone.names(""))).toMatch(/^s3:\/\/copies\/of\/app\/ cannot be listed: /);
  });
});

test("a request names the region that it is signed for, and the token of a session", async () => {
  const passing = new BackupBucket({ ...place, sessionToken: "a-token-that-passes" });
  await passing.names("");
  expect(s3.headers.get("authorization")).toContain("/eu-north-1/s3/aws4_request");
  expect(s3.headers.get("x-amz-security-token")).toBe("a-token-that-passes");
});

test("names are those under the prefix alone, however many pages they take", async () => {
  const names = Array.from({ length: 25 }, (_, number) => `app-${String(number).padStart(2, "0")}.db`);
  for (const name of names) await bucket.upload(file(1), name, { overwrites: true });
  for (const key of ["of/app/app-deeper/1.db", "of/app/other.db", "of/apple.db", "app-1.db"])
    s3.objects.set(key, { content: new Uint8Array(), type: null });
  s3.pageKeys = 10;
  expect(await bucket.names("app-")).toEqual(names);
  await bucket.remove("app-03.db");
  expect(await bucket.names("app-0")).toHaveLength(9);
});

test("the hash of parts is that of S3, however the bytes come", () => {
  const content = readFileSync(file(17 * MIB + 3));
  const etags = [1_000_003, 4_096, PART_BYTES, content.byteLength].map((step) => {
    const hash = new PartsHash(PART_BYTES);
    for (let at = 0; at < content.byteLength; at += step) hash.update(content.subarray(at, at + step));
    expect(hash.etag()).toBe(hash.etag());
    return hash.etag();
  });
  expect(new Set(etags).size).toBe(1);
  expect(etags[0]).toMatch(/^[0-9a-f]{32}-4$/);
});
