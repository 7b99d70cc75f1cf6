import Ajv from "ajv";

/**
 * A collector of OpenTelemetry's on the loopback address, that takes traces by OTLP/HTTP in JSON and believes nobody:
 * every body is checked against the shape of an ExportTraceServiceRequest (opentelemetry-proto 1.9), with nothing left
 * over. (The real one is a Go program that is neither in Debian nor on npm.)
 */
export interface Collector {
  readonly url: string;
  /** What was taken, in the order in which it came. */
  readonly spans: readonly CollectedSpan[];
  /** Of the latest request. */
  readonly resource: ReadonlyMap<string, unknown>;
  readonly headers: Headers;
  /** What was wrong with what it was sent. */
  readonly problems: readonly string[];
  /** How many requests came, taken or not. */
  readonly asked: number;
  /** What it answers in place of taking anything; null to take, "hang" for no answer at all. */
  instead: (() => Response) | "hang" | null;
  /** Said to whoever is taken. */
  partialSuccess: { readonly rejectedSpans: string; readonly errorMessage: string } | null;
  stop(): Promise<void>;
}

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly traceState: string | undefined;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: ReadonlyMap<string, unknown>;
  readonly isError: boolean;
}

export function startCollector(port = 0): Collector {
  const spans: CollectedSpan[] = [];
  const problems: string[] = [];
  let resource: ReadonlyMap<string, unknown> = new Map();
  let headers = new Headers();
  let asked = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    async fetch(request) {
      asked += 1;
      headers = request.headers;
      if (collector.instead === "hang") await new Promise(() => {});
      if (typeof collector.instead === "function") return collector.instead();
      const { pathname } = new URL(request.url);
      if (request.method !== "POST" || pathname !== "/v1/traces") {
        problems.push(`${request.method} ${pathname}`);
        return new Response(null, { status: 404 });
      }
      const type = request.headers.get("content-type");
      if (type !== "application/json") problems.push(`content type ${type}`);
      const body: unknown = await request.json();
      if (!isTraceRequest(body)) {
        problems.push(
          ...(isTraceRequest.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`),
        );
        return new Response(null, { status: 400 });
      }
      for (const { resource: origin, scopeSpans } of body.resourceSpans) {
        resource = valuesOf(origin.attributes);
        for (const each of scopeSpans) spans.push(...each.spans.map(collected));
      }
      const { partialSuccess } = collector;
      return Response.json(partialSuccess === null ? {} : { partialSuccess });
    },
  });
  const collector: Collector = {
    url: server.url.origin,
    spans,
    problems,
    get resource() {
      return resource;
    },
    get headers() {
      return headers;
    },
    get asked() {
      return asked;
    },
    instead: null,
    partialSuccess: null,
    stop: () => server.stop(true),
  };
  return collector;
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly code?: number };
}

interface TraceRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[];
  }[];
}

/** An object that has these fields and no others. */
function exactly(properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", properties, required, additionalProperties: false };
}

const text = { type: "string", minLength: 1 };
const listOf = (items: object) => ({ type: "array", items });
/** In JSON a 64-bit integer is decimal text, and an id is hexadecimal text: not base64, as bytes are elsewhere. */
const int64 = { type: "string", pattern: "^-?[0-9]{1,19}$" };
const nanoseconds = { type: "string", pattern: "^1[0-9]{18}$" };
const hex = (bytes: number) => ({
  type: "string",
  pattern: `^[0-9a-f]{${2 * bytes}}$`,
  not: { pattern: "^0+$" },
});
const anyValue = {
  oneOf: [
    exactly({ stringValue: { type: "string" } }),
    exactly({ intValue: int64 }),
    exactly({ doubleValue: { type: "number" } }),
    exactly({ boolValue: { type: "boolean" } }),
  ],
};
const attributes = listOf(exactly({ key: text, value: anyValue }));
const span = exactly(
  {
    traceId: hex(16),
    spanId: hex(8),
    parentSpanId: hex(8),
    traceState: text,
    flags: { type: "integer", minimum: 0, maximum: 0x3ff },
    name: text,
    kind: { type: "integer", minimum: 1, maximum: 5 },
    startTimeUnixNano: nanoseconds,
    endTimeUnixNano: nanoseconds,
    attributes,
    status: exactly({ code: { enum: [1, 2] }, message: { type: "string" } }, ["code", "message"]),
  },
  ["parentSpanId", "traceState"],
);
const isTraceRequest = new Ajv({ allErrors: true }).compile<TraceRequest>(
  exactly({
    resourceSpans: listOf(
      exactly({
        resource: exactly({ attributes }),
        scopeSpans: listOf(exactly({ scope: exactly({ name: text, version: text }), spans: listOf(span) })),
      }),
    ),
  }),
);

function collected(given: JsonSpan): CollectedSpan {
  return {
    traceId: given.traceId,
    spanId: given.spanId,
    parentSpanId: given.parentSpanId,
    traceState: given.traceState,
    flags: given.flags,
    name: given.name,
    kind: given.kind,
    startNs: BigInt(given.startTimeUnixNano),
    endNs: BigInt(given.endTimeUnixNano),
    attributes: valuesOf(given.attributes),
    isError: given.status.code === 2,
  };
}

function valuesOf(pairs: readonly KeyValue[]): ReadonlyMap<string, unknown> {
  return new Map(
    pairs.map(({ key, value }) => [
      key,
      "intValue" in value ? Number(value["intValue"]) : Object.values(value)[0],
    ]),
  );
}
