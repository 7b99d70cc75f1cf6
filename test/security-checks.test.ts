import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checksIn, page } from "../scripts/security-checks.ts";

const ROOT = join(import.meta.dir, "..");

test("the page of security checks is what the tests' names say", () => {
  expect(readFileSync(join(ROOT, "docs/security-checks.md"), "utf8")).toBe(page(ROOT));
});

test("a check is found however its test is declared", () => {
  // Put together, lest they are found here.
  const number = (text: string) => text.replaceAll("N", "S");
  const source = [
    'test("N1 plain", () => {});',
    "describe('N2 N30 a group', () => {});",
    "test.each([f(1), f(2)])(`N4 of ${name}`, () => {});",
    'test(\n  "N5 says \\"no\\"",\n  async () => {});',
    'test("none at all", () => {});',
  ].join("\n");
  expect(checksIn("a.test.ts", number(source)).map(({ numbers, name }) => [numbers, name])).toEqual([
    [[1], "plain"],
    [[2, 30], "everything under: a group"],
    [[4], "of …"],
    [[5], 'says "no"'],
  ]);
});
