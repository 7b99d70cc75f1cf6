const FF = 0xff;
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;

/** Whether a segment of data belongs to the marker. RST0 to RST7, the start and the end of an image have none. */
const hasSegment = (marker: number) =>
  marker >= 0xc0 && marker !== FF && !(marker >= 0xd0 && marker <= END_OF_IMAGE);

/**
 * How often a JPEG goes over its pixels. A scan takes ten bytes in the file and, however little stands in it, as long
 * as the picture is large: the size of neither tells how long the decoding takes.
 *
 * This walks through what a stranger sent, as a decoder does: from marker to marker, over the data of segments and
 * around that of scans, up to the end of the image. It reads on where a decoder gives up, and counts rather too many.
 */
export function countScans(jpeg: Uint8Array): number {
  let scans = 0;
  for (let at = 0; at + 1 < jpeg.length; at += 1) {
    if (jpeg[at] !== FF) continue;
    const marker = jpeg[at + 1] ?? 0;
    if (marker === END_OF_IMAGE) break;
    if (marker === START_OF_SCAN) scans += 1;
    if (hasSegment(marker)) at += 1 + lengthAt(jpeg, at + 2);
  }
  return scans;
}

/** A segment's length counts its own two bytes. */
function lengthAt(jpeg: Uint8Array, at: number): number {
  return Math.max(2, (jpeg[at] ?? 0) * 256 + (jpeg[at + 1] ?? 0));
}
