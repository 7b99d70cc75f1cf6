import { describe, expect, test } from "bun:test";
import { readFlag, readInstant } from "../../src/core/import/values.ts";

describe("values of another backend's database", () => {
  test.each([
    ["2026-01-04 10:00:00.123456", "2026-01-04T10:00:00.123Z"],
    ["2026-01-04 10:00:00", "2026-01-04T10:00:00.000Z"],
    ["2026-01-04 10:00:00.1", "2026-01-04T10:00:00.100Z"],
    ["2026-01-04", "2026-01-04T00:00:00.000Z"],
    ["2026-01-04T10:00:00Z", "2026-01-04T10:00:00.000Z"],
    ["2026-01-04 10:00:00.123456+00", "2026-01-04T10:00:00.123Z"],
    ["2026-01-04 10:00:00+05:30", "2026-01-04T04:30:00.000Z"],
    ["2026-01-04 10:00:00-0800", "2026-01-04T18:00:00.000Z"],
  ])("the time %s is %s", (text, time) => {
    expect(new Date(readInstant(text) ?? NaN).toISOString()).toBe(time);
  });

  test.each([
    "",
    "infinity",
    "-infinity",
    "last week",
    "2026-13-01",
    "2026-01-04 25:00:00",
    "1767520800",
    "0044-03-15 BC",
  ])("%j is no time", (text) => {
    expect(readInstant(text)).toBeNull();
  });

  test("yes and no are what either engine and SQLAlchemy make of them", () => {
    expect(["1", "t", "true", "TRUE"].map(readFlag)).toEqual([true, true, true, true]);
    expect(["0", "f", "false", "FALSE"].map(readFlag)).toEqual([false, false, false, false]);
    expect([null, undefined, "", "2", "maybe"].map(readFlag)).toEqual([null, null, null, null, null]);
  });
});
