/**
 * Takes out of an encoded image whatever is not needed to show it: colour profiles, EXIF, XMP and comments, in any
 * of which something can hide. It is given what our own encoder wrote, so that its structure can be relied on.
 */
export type ImageFormat = "jpeg" | "png" | "webp";

export function withoutMetadata(format: ImageFormat, image: Uint8Array): Uint8Array {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  switch (format) {
    case "jpeg":
      return strippedJpeg(bytes);
    case "png":
      return strippedPng(bytes);
    case "webp":
      return strippedWebp(bytes);
  }
}

const JPEG_START_OF_SCAN = 0xda;
const JPEG_COMMENT = 0xfe;
/** APP1 to APP15; APP0 says how the pixels are to be read. */
const isApplicationData = (marker: number) => marker >= 0xe1 && marker <= 0xef;

/** Segments (`FF`, marker, length, data) up to the first scan, and the rest as it is. */
function strippedJpeg(bytes: Buffer): Uint8Array {
  const kept = [bytes.subarray(0, 2)];
  let at = 2;
  while (bytes.readUInt8(at + 1) !== JPEG_START_OF_SCAN) {
    const marker = bytes.readUInt8(at + 1);
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (!isApplicationData(marker) && marker !== JPEG_COMMENT) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return Buffer.concat([...kept, bytes.subarray(at)]);
}

const PNG_SIGNATURE_BYTES = 8;
const PNG_CHUNKS = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

/** Chunks: length, name, data, checksum. */
function strippedPng(bytes: Buffer): Uint8Array {
  const kept = [bytes.subarray(0, PNG_SIGNATURE_BYTES)];
  for (let at = PNG_SIGNATURE_BYTES; at < bytes.length;) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (PNG_CHUNKS.has(bytes.toString("latin1", at + 4, at + 8))) kept.push(bytes.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

const RIFF_HEADER_BYTES = 12;
const WEBP_METADATA = new Set(["ICCP", "EXIF", "XMP "]);
/** The bits of a VP8X chunk that announce them. */
const WEBP_METADATA_FLAGS = 0b0010_1100;

/** Chunks: name, length, data, filled up to an even length. */
function strippedWebp(bytes: Buffer): Uint8Array {
  const kept = [Buffer.from(bytes.subarray(0, RIFF_HEADER_BYTES))];
  for (let at = RIFF_HEADER_BYTES; at + 8 <= bytes.length;) {
    const name = bytes.toString("latin1", at, at + 4);
    const lengthBytes = bytes.readUInt32LE(at + 4);
    const chunk = Buffer.from(bytes.subarray(at, at + 8 + lengthBytes + (lengthBytes % 2)));
    if (name === "VP8X") chunk.writeUInt8(chunk.readUInt8(8) & ~WEBP_METADATA_FLAGS, 8);
    if (!WEBP_METADATA.has(name)) kept.push(chunk);
    at += chunk.length;
  }
  const stripped = Buffer.concat(kept);
  stripped.writeUInt32LE(stripped.length - 8, 4);
  return stripped;
}
