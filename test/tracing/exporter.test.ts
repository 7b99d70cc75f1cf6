import { afterEach, beforeEach, describe, expect, mock, spyOn, test } from "bun:test";
import type { Log } from "../../src/core/log.ts";
import { silentLog } from "../../src/core/log.ts";
import { SpanExporter } from "../../src/tracing/exporter.ts";
import type { Pace } from "../../src/tracing/exporter.ts";
import { spanKinds } from "../../src/tracing/otlp.ts";
import type { Span } from "../../src/tracing/otlp.ts";
import { type Collector, startCollector } from "../support/collector.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";

const QUICK: Partial<Pace> = { everyMs: 5, restMs: 5, longestRestMs: 10 };

let collector: Collector;
let told: string[];
let exporters: SpanExporter[];

beforeEach(() => {
  collector = startCollector();
  told = [];
  exporters = [];
});

afterEach(async () => {
  mock.restore();
  await Promise.all(exporters.map((each) => each.close(0)));
  await collector.stop();
});

function exporter(pace: Partial<Pace> = {}, url = `${collector.url}/v1/traces`): SpanExporter {
  const line = (event: string, fields: object = {}) => void told.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: line, warning: line };
  const origin = { resource: [], scope: { name: "test", version: "1" } };
  const made = new SpanExporter({
    url,
    headers: { authorization: "Bearer collectors" },
    origin,
    log,
    pace: { ...QUICK, ...pace },
  });
  made.start();
  exporters.push(made);
  return made;
}

function span(name: string): Span {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: null,
    isParentRemote: false,
    traceState: null,
    name,
    kind: spanKinds.internal,
    startedAtMs: 1_767_520_800_000,
    endedAtMs: 1_767_520_800_001,
    attributes: [],
    hasFailed: false,
  };
}

const add = (to: SpanExporter, count: number) => {
  for (let number = 0; number < count; number += 1) to.add(span(String(number)));
};
/** Time that passes at once, for whoever reads how much has passed. */
function movableTime(): { forwardMs(ms: number): void } {
  const now = performance.now.bind(performance);
  let aheadMs = 0;
  spyOn(performance, "now").mockImplementation(() => now() + aheadMs);
  return { forwardMs: (ms) => void (aheadMs += ms) };
}

/** Long enough for many of the looks that it takes every few milliseconds at what is due. */
const someLooks = () => Bun.sleep(60);

const names = () => collector.spans.map(({ name }) => name);

describe("spans", () => {
  test("arrive, in batches, with the headers that the collector wants", async () => {
    const sending = exporter({ batchSpans: 10, everyMs: 60_000 });
    add(sending, 25);
    await eventually(() => expect(sending.sent).toBe(25));
    expect(names()).toEqual(Array.from({ length: 25 }, (_, number) => String(number)));
    expect(collector.asked).toBe(3);
    expect(collector.headers.get("authorization")).toBe("Bearer collectors");
    expect({ problems: collector.problems, told, dropped: sending.dropped }).toEqual({
      problems: [],
      told: [],
      dropped: 0,
    });
  });

  test("that wait for a full batch are sent when their time is up", async () => {
    const sending = exporter({ batchSpans: 1_000 });
    add(sending, 1);
    await eventually(() => expect(sending.sent).toBe(1));
  });

  test.each([429, 502, 503, 504])("are sent again after a %i, which is told once", async (status) => {
    collector.instead = () => new Response(null, { status });
    const sending = exporter();
    add(sending, 3);
    await eventually(() => expect(collector.asked).toBeGreaterThan(3));
    expect(told).toEqual([`tracing.lost {"reason":"the collector answered ${status}"}`]);
    collector.instead = null;
    await eventually(() => expect(sending.sent).toBe(3));
    expect(names()).toEqual(["0", "1", "2"]);
    expect(told.slice(1)).toEqual(['tracing.back {"dropped":0}']);
  });

  test.each([
    ["in seconds", () => "60"],
    ["as a date", () => new Date(Date.now() + 60_000).toUTCString()],
  ])("wait for as long as the collector says, %s", async (_, retryAfter) => {
    collector.instead = () => new Response(null, { status: 503, headers: { "retry-after": retryAfter() } });
    const sending = exporter();
    add(sending, 1);
    await eventually(() => expect(told).toHaveLength(1));
    // Many times the rest that it would take by itself.
    await Bun.sleep(200);
    expect(collector.asked).toBe(1);
    collector.instead = null;
    await sending.close(1_000);
    expect(sending.sent).toBe(1);
  });

  test("wait for no longer than ten minutes, whatever the collector says", async () => {
    const time = movableTime();
    collector.instead = () => new Response(null, { status: 503, headers: { "retry-after": "86400" } });
    const sending = exporter();
    add(sending, 1);
    await eventually(() => expect(told).toHaveLength(1));
    time.forwardMs(9 * 60_000);
    await someLooks();
    expect(collector.asked).toBe(1);
    collector.instead = null;
    time.forwardMs(60_000);
    await eventually(() => expect(sending.sent).toBe(1));
  });

  test("rest twice as long after each failure in a row, up to the longest, and by chance up to as much again", async () => {
    const time = movableTime();
    const chance = spyOn(Math, "random").mockReturnValue(0);
    // What is no time to wait leaves the rest as it is.
    collector.instead = () => new Response(null, { status: 503, headers: { "retry-after": "soon" } });
    const sending = exporter({ restMs: 60_000, longestRestMs: 200_000 });
    const restsFor = async (ms: number) => {
      const { asked } = collector;
      time.forwardMs(ms - 10_000);
      await someLooks();
      expect(collector.asked).toBe(asked);
      time.forwardMs(10_000);
      await eventually(() => expect(collector.asked).toBe(asked + 1));
      // The answer has come, and the next rest has begun.
      await someLooks();
    };
    add(sending, 1);
    await eventually(() => expect(told).toHaveLength(1));
    await restsFor(60_000);
    await restsFor(120_000);
    chance.mockReturnValue(0.5);
    await restsFor(200_000);
    await restsFor(300_000);

    collector.instead = null;
    await restsFor(300_000);
    expect(sending.sent).toBe(1);
    collector.instead = () => new Response(null, { status: 503 });
    chance.mockReturnValue(0);
    add(sending, 1);
    await eventually(() => expect(told).toHaveLength(3));
    await restsFor(60_000);
  });

  test.each([400, 401, 404, 307, 500])(
    "that are refused with %i are dropped and not sent again",
    async (status) => {
      collector.instead = () =>
        new Response("no", { status, headers: { location: `${collector.url}/elsewhere` } });
      const sending = exporter();
      add(sending, 2);
      await eventually(() => expect(sending.dropped).toBe(2));
      expect(told).toEqual([`tracing.lost {"reason":"the collector answered ${status}"}`]);
      collector.instead = null;
      add(sending, 1);
      await eventually(() => expect(sending.sent).toBe(1));
      expect(told.slice(1)).toEqual(['tracing.back {"dropped":2}']);
      expect(collector.asked).toBe(2);
    },
  );

  test.each([
    ["2", [3, 2], ['tracing.lost {"reason":"the collector rejected some of the spans"}']],
    ["7", [0, 5], ['tracing.lost {"reason":"the collector rejected some of the spans"}']],
    ["0", [5, 0], []],
  ])(
    "of which a collector takes a part are counted so: %s of 5 rejected",
    async (rejectedSpans, counts, lines) => {
      collector.partialSuccess = { rejectedSpans, errorMessage: "too old" };
      const sending = exporter();
      add(sending, 5);
      await eventually(() => expect([sending.sent, sending.dropped]).toEqual(counts));
      expect(told).toEqual(lines);
    },
  );

  test("wait 4,096 at most, and go 512 at a time", async () => {
    const sending = exporter();
    add(sending, 5_000);
    expect(sending.dropped).toBe(904);
    await eventually(() => expect(sending.sent).toBe(4_096));
    expect(collector.asked).toBe(8);
  });

  test("wait for a collector that is gone, and what is too much is dropped and told once", async () => {
    const port = await freePort();
    const sending = exporter({ queueSpans: 4, batchSpans: 2 }, `http://127.0.0.1:${port}/v1/traces`);
    add(sending, 10);
    expect(sending.dropped).toBe(6);
    await eventually(() => expect(told).toHaveLength(2));
    expect(told[0]).toBe('tracing.full {"waiting":4}');
    expect(told[1]).toStartWith("tracing.lost");
    const back = startCollector(port);
    await eventually(() => expect(sending.sent).toBe(4));
    expect(back.spans.map(({ name }) => name)).toEqual(["0", "1", "2", "3"]);
    expect(told.slice(2)).toEqual(['tracing.back {"dropped":0}']);
    // It had room again: that there is none any more is news.
    add(sending, 5);
    expect(told.slice(3)).toEqual(['tracing.full {"waiting":4}']);
    await back.stop();
  });

  test("are sent anew where a collector does not answer in time", async () => {
    collector.instead = "hang";
    const sending = exporter({ timeoutMs: 50 });
    add(sending, 1);
    await eventually(() => expect(told).toHaveLength(1));
    expect(told[0]).toContain("tracing.lost");
    collector.instead = null;
    await eventually(() => expect(sending.sent).toBe(1));
  });

  test("that are left at the end are sent, rest or no rest", async () => {
    const sending = exporter({ everyMs: 60_000, batchSpans: 2, queueSpans: 100 });
    add(sending, 7);
    await sending.close(1_000);
    expect(sending.sent).toBe(7);
    expect(collector.spans).toHaveLength(7);
  });

  test("keep nobody waiting at the end for longer than they may", async () => {
    collector.instead = "hang";
    const sending = exporter({ everyMs: 60_000, timeoutMs: 60_000 });
    add(sending, 7);
    const startedMs = performance.now();
    await sending.close(50);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect([sending.sent, sending.dropped]).toEqual([0, 7]);
    expect(told).toHaveLength(1);
  });
});
