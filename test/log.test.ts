import { describe, expect, test } from "bun:test";
import { createLog, lineWriter, WAITING_CHARACTERS } from "../src/log.ts";

const clock = { nowMs: () => Date.parse("2026-01-04T10:00:00Z") };

function logged(json: boolean, level: "debug" | "info" | "warning" | "error" = "debug") {
  const lines: string[] = [];
  return { lines, log: createLog({ level, json, colors: false, clock, write: (line) => lines.push(line) }) };
}

describe("the log", () => {
  test("is one JSON object a line, for machines", () => {
    const { log, lines } = logged(true);
    log.info("request", { route: "/health", status: 200, account: null, ms: 0.5, missing: undefined });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      {
        time: "2026-01-04T10:00:00.000Z",
        level: "info",
        event: "request",
        route: "/health",
        status: 200,
        account: null,
        ms: 0.5,
      },
    ]);
  });

  test("is one line of words, for people", () => {
    const { log, lines } = logged(false);
    log.warning("login.refused", { account: 7, why: "two words", nothing: null });
    expect(lines).toEqual(['2026-01-04T10:00:00.000Z WARNING login.refused account=7 why="two words"']);
  });

  for (const json of [true, false]) {
    test(`S39 no value can forge a line or move a terminal's cursor, ${json ? "JSON" : "pretty"}`, () => {
      const { log, lines } = logged(json);
      const hostile =
        'a\r\n2026-01-04T10:00:00.000Z INFO login.succeeded\u2028x\u2029y\u0085z\u001b[2J\u0000\u009b"';
      log.info(`event\n${hostile}`, { user: hostile });
      log.error("failed", {}, new Error(hostile, { cause: hostile }));
      for (const line of lines) {
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        if (json) expect(() => JSON.parse(line)).not.toThrow();
      }
      expect(lines).toHaveLength(2);
    });
  }

  test("leaves out what is below its level", () => {
    const { log, lines } = logged(true, "warning");
    log.debug("a");
    log.info("b");
    log.warning("c");
    log.error("d");
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(["c", "d"]);
  });

  test("tells an error with its stack and what caused it", () => {
    const { log, lines } = logged(true);
    log.error("request.internal", { request: "r1" }, new Error("outer", { cause: new Error("inner") }));
    const { cause } = JSON.parse(lines[0] ?? "");
    expect(cause).toContain("outer");
    expect(cause).toContain("inner");
    expect(cause).toContain("log.test.ts");
  });
});

describe("lines that wait for their reader", () => {
  /** What a reader got who reads only when told to. */
  function stoppedReader() {
    const written: string[] = [];
    const reads = Promise.withResolvers<void>();
    const sink = { write: (lines: string) => written.push(lines), flush: () => reads.promise };
    return { sink, written, readOn: () => reads.resolve() };
  }

  test("are bounded while it has stopped reading, and come again once it reads", async () => {
    const { sink, written, readOn } = stoppedReader();
    const writer = lineWriter(sink);
    writer.write("before");
    const flushed = writer.flush();
    const line = "x".repeat(1023);
    for (let count = 0; count < (2 * WAITING_CHARACTERS) / 1024; count += 1) writer.write(line);
    expect(written).toEqual(["before\n"]);

    readOn();
    await flushed;
    writer.write("after");
    await writer.flush();
    const [, waited = "", ...others] = written;
    expect(others).toEqual(["after\n"]);
    expect(waited.length).toBeWithin(WAITING_CHARACTERS, WAITING_CHARACTERS + 1024 + 1);
    expect(waited.split("\n").every((each) => each === line || each === "")).toBe(true);
  });
});
