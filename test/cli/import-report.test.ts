import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ImportReport } from "../../src/cli/import-report.ts";
import { leftOut } from "../../src/core/import/findings.ts";
import { scratchFolder } from "../support/process.ts";

const finding = (id: string) => leftOut("users", id, "email_missing", "it has no e-mail address");

test("a report tells once of rows whose write was tried again", () => {
  const path = join(scratchFolder(), "report.jsonl");
  const report = new ImportReport(path);
  report.write([finding("1")]);
  report.count(finding("1"));
  report.write([finding("2"), finding("3")]);
  report.write([finding("2")]);
  report.count(finding("2"));
  report.write([]);
  report.write([finding("4")]);
  report.close();
  const lines = readFileSync(path, "utf8").trim().split("\n");
  expect(lines.map((line) => Object(JSON.parse(line)).id)).toEqual(["1", "2", "4"]);
});
