import { expect, test } from "bun:test";

import { holds, row, slower, type Row } from "../../bench/report.ts";

function ratio(...rounds: readonly number[]): Row {
  return row("GET one todo", rounds, { wanted: 0.75, better: "more", detail: "" });
}

function milliseconds(...rounds: readonly number[]): Row {
  return row("start", rounds, { wanted: 100, better: "less", unit: " ms", detail: "" });
}

function compared(now: Row, earlier: Row): readonly string[] {
  return slower({ rows: [now], leftOut: [] }, { rows: [earlier], leftOut: [] });
}

test("a row is its median, and holds on the better side of what is wanted", () => {
  expect(ratio(0.9, 0.7, 0.8)).toMatchObject({ value: 0.8, spread: [0.7, 0.9] });
  expect(holds(ratio(0.75))).toBe(true);
  expect(holds(ratio(0.74))).toBe(false);
  expect(holds(milliseconds(100))).toBe(true);
  expect(holds(milliseconds(101))).toBe(false);
});

test("a ratio whose best round is below the worst of before is named with both", () => {
  expect(compared(ratio(0.6, 0.65, 0.7), ratio(0.8, 0.85, 0.9))).toEqual(["GET one todo: 0.65, was 0.85"]);
});

test("a time whose best round is above the worst of before is named", () => {
  expect(compared(milliseconds(60, 70), milliseconds(40, 50))).toEqual(["start: 70.00, was 50.00"]);
});

test("rounds that meet, or come within 5 %, are noise; faster is no news", () => {
  expect(compared(ratio(0.6, 0.8), ratio(0.8, 0.9))).toEqual([]);
  expect(compared(ratio(0.77), ratio(0.8))).toEqual([]);
  expect(compared(milliseconds(52), milliseconds(50))).toEqual([]);
  expect(compared(ratio(0.9), ratio(0.8))).toEqual([]);
  expect(compared(milliseconds(30), milliseconds(50))).toEqual([]);
});

test("a row that the earlier report does not have is not compared", () => {
  expect(slower({ rows: [ratio(0.1)], leftOut: [] }, { rows: [], leftOut: [] })).toEqual([]);
});
