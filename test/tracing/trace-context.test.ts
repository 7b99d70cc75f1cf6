import { describe, expect, test } from "bun:test";
import { isSampled } from "../../src/tracing/sampler.ts";
import { readTraceParent, readTraceState, traceParentText } from "../../src/tracing/trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("traceparent", () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-02`, false],
    [`00-${TRACE}-${SPAN}-ff`, true],
    [` 00-${TRACE}-${SPAN}-01 `, true],
    [`cc-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
    [`01-${TRACE}-${SPAN}-01-`, true],
  ])("%s is taken", (header, isSampled) => {
    expect(readTraceParent(header)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  test.each([
    null,
    "",
    "00",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01.`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN.toUpperCase()}-01`,
    `0A-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-0A`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE}-${SPAN.slice(1)}-01`,
    `00-${TRACE}-${SPAN}g-01`,
    `00_${TRACE}_${SPAN}_01`,
    // As two headers of the name arrive.
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])("%p is none", (header) => {
    expect(readTraceParent(header)).toBeNull();
  });

  test("is written as it is read", () => {
    for (const flags of ["00", "01"]) {
      const header = `00-${TRACE}-${SPAN}-${flags}`;
      const parent = readTraceParent(header);
      expect(parent === null ? null : traceParentText(parent)).toBe(header);
    }
  });
});

describe("tracestate", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(",");

  test.each([
    ["a=1", "a=1"],
    ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"],
    [" a=1 ,\tb=2 ,, ", "a=1,b=2"],
    ["fw529a3039@dt=FfuJd;x y", "fw529a3039@dt=FfuJd;x y"],
    ["0tenant@vendor=1", "0tenant@vendor=1"],
    [many(32), many(32)],
    // Each at the longest that it may be.
    ...[
      `a=${"v".repeat(256)}`,
      `${"k".repeat(256)}=1`,
      `${"t".repeat(241)}@${"v".repeat(14)}=1`,
      `a=${"v".repeat(253)},b=${"v".repeat(254)}`,
    ].map((state) => [state, state]),
  ])("%p is passed on", (header, state) => {
    expect(readTraceState(header)).toBe(state);
  });

  test.each([
    null,
    "",
    ",",
    "a",
    "a=",
    "=1",
    "A=1",
    "0a=1",
    "a=b=c",
    "a=1,a=2",
    "a =1",
    "a@Vendor=1",
    `a@${"v".repeat(15)}=1`,
    `${"k".repeat(257)}=1`,
    `${"t".repeat(242)}@v=1`,
    `a=${"v".repeat(254)},b=${"v".repeat(254)}`,
    `a=${"v".repeat(257)}`,
    "a=\u00e9",
    "a=\u0001b",
    many(33),
    Array.from({ length: 3 }, (_, index) => `k${index}=${"v".repeat(200)}`).join(","),
  ])("%p is not", (header) => {
    expect(readTraceState(header)).toBeNull();
  });
});

describe("sampling", () => {
  const traces = Array.from({ length: 2_000 }, () =>
    Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex"),
  );
  const taken = (ratio: number, followsParent = false) =>
    traces.filter((id) => isSampled({ followsParent, ratio }, id, null));

  test("takes about the share that it is told to, and the same traces each time", () => {
    expect(taken(0)).toEqual([]);
    expect(taken(1)).toEqual(traces);
    expect(taken(0.25).length / traces.length).toBeWithin(0.18, 0.32);
    expect(taken(0.25)).toEqual(taken(0.25, true));
    const more = new Set(taken(0.5));
    expect(taken(0.25).filter((id) => !more.has(id))).toEqual([]);
  });

  test.each([
    ["a caller who records", true, true],
    ["a caller who does not", true, false],
    ["nobody", false, true],
    ["nobody", false, false],
  ])("follows %s where it should", (_, followsParent, parentIsSampled) => {
    const parent = { traceId: TRACE, spanId: SPAN, isSampled: parentIsSampled };
    for (const ratio of [0, 1]) {
      const expected = followsParent ? parentIsSampled : ratio === 1;
      expect(isSampled({ followsParent, ratio }, TRACE, parent)).toBe(expected);
    }
  });
});
