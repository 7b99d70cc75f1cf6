import { expect, test } from "bun:test";
import { boolean, bytes, integer, integerOrNull, text, textOrNull } from "../../src/storage/rows.ts";

test("columns read alike however the engine sent them", () => {
  expect(integer({ n: 7 }, "n")).toBe(7);
  expect(integer({ n: "-9007199254740991" }, "n")).toBe(Number.MIN_SAFE_INTEGER);
  expect(boolean({ b: 1 }, "b")).toBe(true);
  expect(boolean({ b: false }, "b")).toBe(false);
  expect(integerOrNull({ n: null }, "n")).toBeNull();
  expect(textOrNull({ t: null }, "t")).toBeNull();
});

test("a column that is not what was asked for is named, and its value is not", () => {
  const wrong: readonly (() => unknown)[] = [
    () => integer({ c: "9007199254740993" }, "c"),
    () => integer({ c: "1e3" }, "c"),
    () => integer({ c: "" }, "c"),
    () => integer({ c: 1.5 }, "c"),
    () => integer({ c: true }, "c"),
    () => integer({ c: null }, "c"),
    () => integerOrNull({}, "c"),
    () => text({ c: 9007199254740 }, "c"),
    () => text({ c: null }, "c"),
    () => boolean({ c: 2 }, "c"),
    () => boolean({ c: "t" }, "c"),
    () => bytes({ c: "9007199254740993" }, "c"),
  ];
  for (const read of wrong) {
    expect(read).toThrow(/column c\b/);
    expect(read).not.toThrow(/9007199254740/);
  }
});
