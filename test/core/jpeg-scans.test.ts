import { expect, test } from "bun:test";
import { countScans } from "../../src/core/jpeg-scans.ts";

const START = [0xff, 0xd8];
const END = [0xff, 0xd9];
const segment = (marker: number, ...data: number[]) => [0xff, marker, 0, data.length + 2, ...data];
/** A scan's header, and pixels in which an escaped FF stands. */
const SCAN = [...segment(0xda, 1, 1, 0, 0, 63, 0), 7, 0xff, 0x00, 8];
const SCAN_OF_NOTHING = segment(0xda, 1, 1, 0, 0, 63, 0);

const counted = (...bytes: number[]) => countScans(Uint8Array.from([...START, ...bytes]));

test("S30 the scans of a JPEG are counted, however they stand", () => {
  const tables = segment(0xc4, 0, 1, 2);
  expect(counted(...tables, ...SCAN, ...END)).toBe(1);
  expect(counted(...tables, ...SCAN, ...tables, ...SCAN, ...END)).toBe(2);
  expect(counted(...SCAN_OF_NOTHING, ...SCAN_OF_NOTHING, ...SCAN_OF_NOTHING)).toBe(3);
  // Filled up with FF, behind what restarts a scan, or behind a marker that a decoder steps over.
  expect(counted(...SCAN, 0xff, 0xff, ...SCAN, 0xff, ...SCAN)).toBe(3);
  expect(counted(...SCAN, 0xff, 0xd3, 5, ...SCAN, 0xff, 0x02, ...SCAN)).toBe(3);
});

test("S30 what is no scan of the picture itself is not counted", () => {
  const thumbnail = segment(0xe1, ...START, ...SCAN, ...SCAN, ...END);
  expect(counted(...thumbnail, ...segment(0xfe, ...SCAN), ...SCAN, ...END)).toBe(1);
  // What lies behind its end: the film of a moving picture, or a second picture.
  expect(counted(...SCAN, ...END, ...START, ...SCAN, ...SCAN, ...END)).toBe(1);
  expect(counted(...SCAN, 0xff, 0x00, 0xda, 0xff, 0xd0, 0xda)).toBe(1);
});

test("S30 a JPEG that is cut off anywhere has its scans counted", () => {
  const whole = [...segment(0xe1, 1, 2), ...SCAN, ...segment(0xc4, 9), ...SCAN, ...END];
  for (let length = 0; length <= whole.length; length += 1) {
    expect(counted(...whole.slice(0, length))).toBeWithin(0, 3);
  }
  expect(countScans(new Uint8Array())).toBe(0);
  expect(counted(0xff, 0xe1, 0, 0, ...SCAN)).toBe(1);
});
