import { describe, expect, test } from "bun:test";
import { configOf, expectMistake, mistakesOf, mustLoad, reportOf } from "./support.ts";

const COLLECTOR = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };
const tracing = (settings: Record<string, string> = {}) => configOf({ ...COLLECTOR, ...settings }).tracing;

describe("OTEL_EXPORTER_OTLP_ENDPOINT", () => {
  test("turns tracing on, and nothing else does", () => {
    expect(configOf({ OTEL_SERVICE_NAME: "x", OTEL_EXPORTER_OTLP_HEADERS: "a=b" }).tracing).toBeNull();
    expect(tracing()).toEqual({
      url: "http://127.0.0.1:4318/v1/traces",
      headers: {},
      resource: { "service.name": "latchkey" },
      sampler: { followsParent: true, ratio: 1 },
    });
  });

  test.each([
    ["https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"],
    ["http://[::1]:4318", "http://[::1]:4318/v1/traces"],
  ])("%s is posted to at %s", (endpoint, url) => {
    expect(tracing({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })?.url).toBe(url);
  });

  test("gives way to the address of traces alone, which is taken as it is", () => {
    const alone = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://other:4318/here" };
    expect(tracing(alone)?.url).toBe("http://other:4318/here");
    expect(configOf(alone).tracing?.url).toBe("http://other:4318/here");
  });

  test.each(["localhost:4318", "grpc://h:4317", "http://", "http://u:hunter2@h", "http://h?key=1"])(
    "refuses %j",
    (bad) => {
      for (const name of ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]) {
        expectMistake({ [name]: bad }, `${name}: `);
        expect(mistakesOf({ [name]: bad }).join()).not.toContain("hunter2");
      }
    },
  );
});

describe("OTEL_EXPORTER_OTLP_HEADERS", () => {
  test.each([
    ["Authorization=Bearer%20abc", { Authorization: "Bearer abc" }],
    ["x-key = a=b== , other=%2C,", { "x-key": "a=b==", other: "," }],
    ["empty=", { empty: "" }],
  ])("takes %j", (text, headers) => {
    expect(tracing({ OTEL_EXPORTER_OTLP_HEADERS: text })?.headers).toEqual(headers);
  });

  test.each(["hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0d%0ab: c", "a=hunter2%zz", "a=hunter2%C3%A9"])(
    "refuses %j, and does not repeat it",
    (bad) => {
      expectMistake({ OTEL_EXPORTER_OTLP_HEADERS: bad }, "OTEL_EXPORTER_OTLP_HEADERS: ");
      expect(mistakesOf({ OTEL_EXPORTER_OTLP_HEADERS: bad }).join()).not.toContain("hunter2");
    },
  );

  test("are shown to nobody", () => {
    const { report } = mustLoad({ environment: { OTEL_EXPORTER_OTLP_HEADERS: "a=hunter2" } });
    expect(reportOf(report, "OTEL_EXPORTER_OTLP_HEADERS").value).toBe("********");
  });
});

describe("what traces are told of the server", () => {
  test("comes from the attributes and the name, which wins", () => {
    const attributes = { OTEL_RESOURCE_ATTRIBUTES: "service.name=one,team=a%20team" };
    expect(tracing(attributes)?.resource).toEqual({ "service.name": "one", team: "a team" });
    expect(tracing({ ...attributes, OTEL_SERVICE_NAME: "two" })?.resource).toEqual({
      "service.name": "two",
      team: "a team",
    });
  });

  test.each(["name", "=value", "a=b%zz", "a=b%0ac"])("refuses %j", (bad) => {
    expectMistake({ OTEL_RESOURCE_ATTRIBUTES: bad }, "OTEL_RESOURCE_ATTRIBUTES: ");
  });
});

describe("OTEL_TRACES_SAMPLER", () => {
  test.each([
    ["always_on", false, 1],
    ["always_off", false, 0],
    ["traceidratio", false, 0.25],
    ["parentbased_always_on", true, 1],
    ["parentbased_always_off", true, 0],
    ["parentbased_traceidratio", true, 0.25],
  ])("%s with the share 0.25", (name, followsParent, ratio) => {
    const settings = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: "0.25" };
    expect(tracing(settings)?.sampler).toEqual({ followsParent, ratio });
  });

  test("takes all where no share is given", () => {
    expect(tracing({ OTEL_TRACES_SAMPLER: "traceidratio" })?.sampler.ratio).toBe(1);
  });

  test.each(["xray", "jaeger_remote", "constructor"])("refuses %j", (bad) => {
    expectMistake({ OTEL_TRACES_SAMPLER: bad }, "OTEL_TRACES_SAMPLER: ");
  });

  test.each(["2", "-1", "half", "1e-3", "0x1", "."])("refuses the share %j", (bad) => {
    expectMistake({ OTEL_TRACES_SAMPLER_ARG: bad }, "OTEL_TRACES_SAMPLER_ARG: ");
  });
});
