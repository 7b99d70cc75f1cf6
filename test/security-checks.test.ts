import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { page, properties } from "../scripts/security-checks.ts";
import { checksIn } from "../scripts/security-checks/checks.ts";
import { resultOf, runsInReport, runsInSmoke } from "../scripts/security-checks/results.ts";

const ROOT = join(import.meta.dir, "..");

/** Names are put together, lest they are found here. */
const numbered = (text: string) => text.replaceAll("N", "S");

test("the page of security checks is what the tests' names say, and each of them has passed", () => {
  const wanted = page(properties(ROOT, () => "passed"));
  expect(readFileSync(join(ROOT, "docs/security-checks.md"), "utf8")).toBe(wanted);
});

test("a check is found however its test is declared", () => {
  const source = [
    'test("N1 plain", () => {});',
    "describe('N2 N30 a group', () => {});",
    "test.each([f(1), f(2)])(`N4 of ${name}`, () => {});",
    'test(\n  "N5 says \\"no\\"",\n  async () => {});',
    'test("none at all", () => {});',
  ].join("\n");
  const found = checksIn("a.test.ts", numbered(source));
  expect(found.map(({ numbers, name, isGroup }) => [numbers, name, isGroup])).toEqual([
    [[1], "plain", false],
    [[2, 30], "a group", true],
    [[4], "of …", false],
    [[5], 'says "no"', false],
  ]);
});

describe("what became of a check", () => {
  const report = numbered(`<?xml version="1.0"?>
    <testsuites><testsuite name="a.test.ts">
      <testcase name="N1 plain" classname="on SQLite" file="a.test.ts" line="1" />
      <testcase name="N1 plain" classname="on PostgreSQL" file="a.test.ts" line="1">
        <failure type="AssertionError" />
      </testcase>
      <testcase name="N1 plain" classname="" file="b.test.ts" line="1" />
      <testcase name="N4 of 3 &lt; 4" classname="" file="a.test.ts" line="2" />
      <testcase name="N5 says &quot;no&quot;" classname="" file="a.test.ts" line="3"><skipped /></testcase>
      <testcase name="some" classname="N2 a group &gt; within" file="a.test.ts" line="4" />
      <testcase name="N6 and more" classname="" file="a.test.ts" line="5" />
    </testsuite></testsuites>`);
  const runs = [
    ...runsInReport(report),
    ...runsInSmoke(numbered("ok - N40 a file\nnot ok - N40 a mode: it is 7\n")),
  ];

  test.each([
    ["a.test.ts", 'test("N1 plain"', "failed"],
    ["b.test.ts", 'test("N1 plain"', "passed"],
    ["a.test.ts", "test(`N4 of ${name}`", "passed"],
    ["a.test.ts", "test('N5 says \"no\"'", "skipped"],
    ["a.test.ts", 'describe("N2 a group"', "passed"],
    ["a.test.ts", 'test("N6 and"', "not run"],
    ["b.test.ts", 'test("N4 of 3 < 4"', "not run"],
    ["scripts/smoke.ts", 'step("N40 a file"', "passed"],
    ["scripts/smoke.ts", 'step("N40 a mode"', "failed"],
  ] as const)("in %s, %s: %s", (file, source, result) => {
    const results = checksIn(file, numbered(source)).map((check) => resultOf(check, runs));
    expect(results).toEqual([result]);
  });
});
