import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { OPERATOR } from "../../../src/core/actor.ts";
import { Fault } from "../../../src/core/fault.ts";
import { failureOf } from "../../support/failure.ts";
import { S3_KEY, startS3 } from "../../support/s3-server.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import { dataOf, failure, formOf, newcomer, SETTINGS, signUp, signUpAdmin } from "./people.ts";

const IMAGES = join(import.meta.dir, "../../fixtures/images");
const image = (name: string) => new Blob([readFileSync(join(IMAGES, name))]);
const NAME = /^[0-9a-f]{32}\.(jpg|png|webp)$/;
/** A JPEG that goes over its pixels so many times: its first scan stands in it again and again, without data. */
async function jpegOfScans(count: number): Promise<Blob> {
  const jpeg = Buffer.from(
    await new Bun.Image(await image("text.png").bytes()).jpeg({ progressive: true }).bytes(),
  );
  const first = jpeg.indexOf(START_OF_SCAN);
  const header = jpeg.subarray(first, first + 2 + jpeg.readUInt16BE(first + 2));
  const more = count - (jpeg.toString("latin1").split(START_OF_SCAN.toString("latin1")).length - 1);
  return new Blob([
    jpeg.subarray(0, first),
    ...Array.from({ length: more }, () => header),
    jpeg.subarray(first),
  ]);
}
const START_OF_SCAN = Buffer.from([0xff, 0xda]);

/** A PNG of one colour. */
function png(width: number, height: number): Blob {
  const chunk = (name: string, data: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    const named = Buffer.concat([Buffer.from(name), data]);
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(Bun.hash.crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const rows = deflateSync(Buffer.alloc((width + 1) * height));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return new Blob([signature, chunk("IHDR", header), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

forEachEngine("root avatars", (start) => {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-avatars-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const uploads = join(folder, "uploads");
  const program = shared(start, {
    ...SETTINGS,
    UPLOAD_DIR: uploads,
    MAX_UPLOAD_MB: "1",
    PUBLIC_URL: "https://api.example/base/",
  });
  const stored = () => (existsSync(uploads) ? readdirSync(uploads) : []);

  beforeEach(() => rmSync(uploads, { recursive: true, force: true }));

  const register = (avatar: Blob, fields: Record<string, string> = {}) =>
    program()
      .client()
      .post("/auth/register", undefined, { raw: formOf({ ...newcomer(), ...fields, avatar }) });

  async function served(program: TestProgram, file: string): Promise<Response> {
    return program.app.handle(new Request(`http://localhost/uploads/${file}`), "198.51.100.1");
  }

  describe("S30 what is uploaded", () => {
    for (const [name, type, width, height] of [
      ["gps-and-archive.jpg", "jpeg", 341, 512],
      ["text.png", "png", 300, 200],
      ["gps.webp", "webp", 512, 384],
      ["small.png", "png", 8, 8],
    ] as const) {
      test(`is encoded anew, and nothing that was hidden in it stays: ${name}`, async () => {
        const answer = await register(image(name));
        expect(answer.status).toBe(201);
        const { avatar, avatar_url } = dataOf(answer);
        const file = String(avatar);
        expect(file).toMatch(NAME);
        expect(avatar_url).toBe(`https://api.example/base/uploads/${file}`);
        expect(stored()).toEqual([file]);
        const response = await served(program(), file);
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe(`image/${type}`);
        expect(response.headers.get("x-content-type-options")).toBe("nosniff");
        expect(response.headers.get("content-security-policy")).toContain("sandbox");
        expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
        expect(response.headers.get("content-disposition")).toBeNull();
        const bytes = new Uint8Array(await response.arrayBuffer());
        const { format, ...size } = await new Bun.Image(bytes).metadata();
        expect({ format, ...size }).toEqual({ format: type, width, height });
        const text = Buffer.from(bytes).toString("latin1");
        for (const hidden of [
          "HIDDEN",
          "Exif",
          "ICC_PROFILE",
          "iCCP",
          "ICCP",
          "EXIF",
          "XMP",
          "<script",
          "PK\u0003",
        ]) {
          expect([hidden, text.includes(hidden)]).toEqual([hidden, false]);
        }
      });
    }

    for (const name of [
      "palette.gif",
      "plain.bmp",
      "plain.avif",
      "drawing.svg",
      "page.jpg",
      "animated.webp",
      "half.png",
      "bomb.jpg",
    ]) {
      test(`is refused, whatever its name or declared type says: ${name}`, async () => {
        const answer = await register(new Blob([await image(name).arrayBuffer()], { type: "image/png" }));
        expect(answer.status).toBe(400);
        expect(answer.body).toEqual(failure("BAD_REQUEST"));
        expect(stored()).toEqual([]);
      });
    }

    test("is refused at 60,000 by 60,000 pixels, without the memory for them", async () => {
      const bomb = Bun.gunzipSync(new Uint8Array(await image("bomb.png.gz").arrayBuffer()));
      expect((await new Bun.Image(bomb, { maxPixels: 4e9 }).metadata()).width).toBe(60_000);
      const before = process.memoryUsage.rss();
      expect((await register(new Blob([bomb]))).status).toBe(400);
      expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
    });

    test("is refused above 50 megapixels, however few its bytes are", async () => {
      expect((await register(png(8_000, 6_251))).status).toBe(400);
      expect(stored()).toEqual([]);
    });

    test("is refused where it goes over its pixels again and again", async () => {
      expect((await register(await jpegOfScans(100))).status).toBe(201);
      for (const scans of [101, 30_000]) {
        const answer = await register(await jpegOfScans(scans));
        expect([scans, answer.status]).toEqual([scans, 400]);
        expect(answer.body).toEqual(failure("BAD_REQUEST"));
      }
      expect(stored()).toHaveLength(1);
    });

    test("is refused where it is longer than any picture", async () => {
      for (const [width, height] of [
        [65_535, 1],
        [1, 65_535],
      ] as const) {
        expect((await register(png(width, height))).status).toBe(201);
      }
      for (const [width, height] of [
        [65_536, 1],
        [1, 65_536],
        [1, 50_000_000],
      ] as const) {
        const answer = await register(png(width, height));
        expect([width, height, answer.status]).toEqual([width, height, 400]);
        expect(answer.body).toEqual(failure("BAD_REQUEST"));
      }
      expect(stored()).toHaveLength(2);
    });

    test("is refused above the limit, by its declared length and by the counted one", async () => {
      const padded = new Blob([image("small.png"), new Uint8Array(1024 * 1024)]);
      const tooLarge = await register(padded);
      expect(tooLarge.status).toBe(413);
      expect(tooLarge.body).toEqual(failure("PAYLOAD_TOO_LARGE"));
      let readBytes = 0;
      const chunked = new ReadableStream<Uint8Array>({
        pull(controller) {
          readBytes += 64 * 1024;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
      });
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      const endless = await program().client().post("/auth/register", undefined, { raw: chunked, headers });
      expect(endless.status).toBe(413);
      // A megabyte for the picture, another for all else, and what was on its way by then.
      expect(readBytes).toBeLessThan(3 * 1024 * 1024);
      expect(stored()).toEqual([]);
    });

    test("may be nothing: a form without a chosen file sends an empty one", async () => {
      const answer = await register(new Blob([]));
      expect(answer.status).toBe(201);
      expect(dataOf(answer)["avatar"]).toBeNull();
      const text = await program()
        .client()
        .post("/auth/register", undefined, { raw: formOf({ ...newcomer(), avatar: "no file" }) });
      expect(text.status).toBe(422);
    });
  });

  test("S30 one is decoded at a time, 16 wait, and one more is refused at once", async () => {
    const picture = await image("small.png").bytes();
    const { avatars } = program().core;
    const kept = await Promise.allSettled(
      Array.from({ length: 18 }, () => avatars.keep(picture, (file) => Promise.resolve(file))),
    );
    expect(kept.filter(({ status }) => status === "fulfilled")).toHaveLength(17);
    expect(kept.at(-1)).toMatchObject({ reason: { what: { kind: "overloaded" } } });
  });

  test("a file in any other field than the one for it is not looked at", async () => {
    const raw = formOf({ ...newcomer(), picture: image("small.png") });
    const answer = await program().client().post("/auth/register", undefined, { raw });
    expect(answer.status).toBe(201);
    expect(dataOf(answer)["avatar"]).toBeNull();
    expect(stored()).toEqual([]);
  });

  test("a registration that fails leaves no file", async () => {
    const { email } = await signUp(program());
    expect((await register(image("small.png"), { email })).status).toBe(409);
    expect((await register(image("small.png"), { password: "x" })).status).toBe(422);
    expect(stored()).toEqual([]);
  });

  test("a file stays where nobody knows whether what names it was kept", async () => {
    const upload = await image("small.png").bytes();
    const { avatars } = program().core;
    const lost = avatars.keep(upload, () => Promise.reject(Fault.of({ kind: "unavailable" })));
    expect(await failureOf(lost)).toMatchObject({ what: { kind: "unavailable" } });
    expect(stored()).toHaveLength(1);
  });

  test("the file of an avatar that is replaced, removed or deleted goes, and of no other", async () => {
    const { client, token, id } = await signUp(program());
    const other = String(dataOf(await register(image("small.png")))["avatar"]);
    const put = (raw: FormData) => client.send("PUT", "/users/me", { raw, token });
    const first = dataOf(await put(formOf({ avatar: image("text.png") })));
    const second = dataOf(await put(formOf({ avatar: image("gps.webp"), name: "Also Changed" })));
    expect(second["name"]).toBe("Also Changed");
    expect(stored().toSorted()).toEqual([other, String(second["avatar"])].toSorted());
    expect((await served(program(), String(first["avatar"]))).status).toBe(404);
    expect((await client.put("/users/me", { avatar: other }, { token })).status).toBe(422);
    const wrong = formOf({
      avatar: image("small.png"),
      password: "another phrase",
      current_password: "wrong",
    });
    expect((await put(wrong)).status).toBe(403);
    expect(stored()).toHaveLength(2);
    const removed = await client.put("/users/me", { avatar: null }, { token });
    expect(dataOf(removed)).toMatchObject({ avatar: null, avatar_url: null });
    expect(stored()).toEqual([other]);
    await put(formOf({ avatar: image("small.png") }));
    expect(stored()).toHaveLength(2);
    await client.delete("/users/me", { token });
    expect(stored()).toEqual([other]);
    const admin = await signUpAdmin(program());
    const restored = await client.patch(`/admin/users/${id}/restore`, undefined, { token: admin.token });
    expect(dataOf(restored)["avatar"]).toBeNull();
    const byAdmin = await admin.client.send("PUT", `/admin/users/${id}`, {
      raw: formOf({ avatar: image("small.png") }),
      token: admin.token,
    });
    expect(stored()).toContain(String(dataOf(byAdmin)["avatar"]));
    const own = await admin.client.send("PUT", "/admin/me", {
      raw: formOf({ avatar: image("small.png") }),
      token: admin.token,
    });
    expect(stored()).toContain(String(dataOf(own)["avatar"]));
  });

  test("the file of an avatar that a deleted account was given goes with the account", async () => {
    const { client, token, id } = await signUp(program());
    await client.delete("/users/me", { token });
    const { accounts, avatars } = program().core;
    const deleted = await accounts.get("user", id);
    const { avatar } = await avatars.keep(await image("small.png").bytes(), (file) =>
      accounts.update(deleted, { avatar: file ?? null }, null, OPERATOR),
    );
    expect(stored()).toEqual([String(avatar)]);
    await accounts.purge(deleted, OPERATOR);
    expect(stored()).toEqual([]);
  });

  test("of avatars that replace one another at the same moment one file stays", async () => {
    const { client, token } = await signUp(program());
    const answers = await Promise.all(
      Array.from({ length: 6 }, () =>
        client.send("PUT", "/users/me", { raw: formOf({ avatar: image("small.png") }), token }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(stored()).toEqual([String(dataOf(await client.get("/users/me", { token }))["avatar"])]);
  });

  test("nothing but an avatar is served, however its path is spelt", async () => {
    const { avatar } = dataOf(await register(image("small.png")));
    const named = "0123456789abcdef0123456789abcdef.png";
    for (const file of ["beside.png", named]) writeFileSync(join(uploads, "..", file), "not for everybody");
    writeFileSync(join(uploads, "note.png"), "not for everybody");
    for (const file of [
      named,
      `..%2f${named}`,
      `%2e%2e%2f${named}`,
      `${avatar}%2f..%2f..%2f${named}`,
      "note.png",
      "..%2fbeside.png",
      "%2e%2e%2fbeside.png",
      `${avatar}%2f..%2f..%2fbeside.png`,
      "..%2f..%2fetc%2fpasswd",
      "%2e%2e%2fuploads",
      `.${avatar}`,
      `${avatar}%00`,
      String(avatar).toUpperCase(),
      "",
    ]) {
      const response = await served(program(), file);
      expect([file, response.status]).toEqual([file, 404]);
      expect(await response.json()).toEqual({ detail: expect.any(String) });
    }
  });

  test("with UPLOAD_URL they are kept in a bucket, served from there, and go from there", async () => {
    const s3 = startS3("pictures");
    const inBucket = await start({
      ...SETTINGS,
      UPLOAD_DIR: join(folder, "unused"),
      UPLOAD_URL: "s3://pictures/avatars",
      ...s3.settings,
    });
    const { client, token } = await signUp(inBucket);
    const put = () => client.send("PUT", "/users/me", { raw: formOf({ avatar: image("small.png") }), token });
    await put();
    const { avatar, avatar_url } = dataOf(await put());
    expect(avatar_url).toBe(`/uploads/${avatar}`);
    expect([...s3.objects.keys()]).toEqual([`avatars/${avatar}`]);
    const response = await served(inBucket, String(avatar));
    expect(response.headers.get("content-type")).toBe("image/png");
    expect((await new Bun.Image(await response.arrayBuffer()).metadata()).width).toBe(8);
    await s3.stop();
    expect((await served(inBucket, String(avatar))).status).toBe(503);
    expect((await put()).status).toBe(503);
    expect((await client.delete("/users/me", { token })).status).toBe(200);
    expect(inBucket.log.join("\n")).toContain("avatar.not_deleted");
    expect(inBucket.log.join("\n")).not.toContain(S3_KEY.secretAccessKey);
    expect(existsSync(join(folder, "unused"))).toBe(false);
  });
});
