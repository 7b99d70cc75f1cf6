import { expect, test } from "bun:test";
import { withoutMetadata } from "../../src/core/image-metadata.ts";

const HIDDEN = "somewhere on earth";

const joined = (parts: readonly Uint8Array[]) => Buffer.concat(parts);
const uint32 = (value: number, endian: "LE" | "BE") => {
  const bytes = Buffer.alloc(4);
  if (endian === "LE") bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};

test("S30 of a JPEG neither application data nor a comment is kept", () => {
  const segment = (marker: number, data: string) =>
    joined([Buffer.from([0xff, marker, 0, data.length + 2]), Buffer.from(data)]);
  const start = Buffer.from([0xff, 0xd8]);
  const shown = [segment(0xe0, "JFIF"), segment(0xdb, "tables")];
  const scan = joined([segment(0xda, "scan"), Buffer.from([1, 2, 3, 0xff, 0xd9])]);
  for (const marker of [0xe1, 0xe2, 0xed, 0xef, 0xfe]) {
    const image = joined([start, ...shown, segment(marker, HIDDEN), scan]);
    expect(withoutMetadata("jpeg", image)).toEqual(joined([start, ...shown, scan]));
  }
});

test("S30 of a PNG only the chunks that show it are kept", () => {
  const chunk = (name: string, data: string) =>
    joined([uint32(data.length, "BE"), Buffer.from(`${name}${data}sum.`)]);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  const shown = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"].map((name) => chunk(name, "data"));
  for (const name of ["iCCP", "eXIf", "tEXt", "zTXt", "iTXt", "tIME", "prIv"]) {
    const image = joined([signature, ...shown.flatMap((each) => [each, chunk(name, HIDDEN)])]);
    expect(withoutMetadata("png", image)).toEqual(joined([signature, ...shown]));
  }
});

test("S30 of a WebP neither profile, EXIF nor XMP is kept, nor announced", () => {
  const chunk = (name: string, data: Uint8Array) =>
    joined([Buffer.from(name), uint32(data.length, "LE"), data, Buffer.alloc(data.length % 2)]);
  const riff = (chunks: readonly Uint8Array[]) => {
    const body = joined([Buffer.from("WEBP"), ...chunks]);
    return joined([Buffer.from("RIFF"), uint32(body.length, "LE"), body]);
  };
  const announcing = (flags: number) => chunk("VP8X", Buffer.from([flags, 0, 0, 0, 9, 0, 0, 9, 0, 0]));
  const pixels = chunk("VP8L", Buffer.from("odd"));
  for (const name of ["ICCP", "EXIF", "XMP "]) {
    const image = riff([announcing(0b0011_1100), chunk(name, Buffer.from(HIDDEN)), pixels]);
    expect(withoutMetadata("webp", image)).toEqual(riff([announcing(0b0001_0000), pixels]));
  }
});
