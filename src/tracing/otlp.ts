/** Spans in the JSON of OTLP (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). */

import { SECOND_MS } from "../core/clock.ts";

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** Attributes as they are sent: those that many spans share are made so once. */
export type KeyValues = readonly { readonly key: string; readonly value: object }[];

export const spanKinds = { internal: 1, server: 2, client: 3 } as const;
export type SpanKind = (typeof spanKinds)[keyof typeof spanKinds];

/** Something that was done for a request, and is over. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** Whether that parent is a span of another program. */
  readonly isParentRemote: boolean;
  readonly traceState: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  /** Since 1970. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: KeyValues;
  readonly hasFailed: boolean;
}

export interface Origin {
  /** What the spans come from. */
  readonly resource: KeyValues;
  /** What has made them. */
  readonly scope: { readonly name: string; readonly version: string };
}

const STATUS_ERROR = 2;
const FLAG_SAMPLED = 0x001;
const FLAG_KNOWS_WHERE_PARENT_IS = 0x100;
const FLAG_PARENT_IS_REMOTE = 0x200;

/** The body of one request to a collector. */
export function traceRequest({ resource, scope }: Origin, spans: readonly Span[]): string {
  return JSON.stringify({
    resourceSpans: [
      { resource: { attributes: resource }, scopeSpans: [{ scope, spans: spans.map(spanJson) }] },
    ],
  });
}

function spanJson(span: Span): object {
  const { traceId, spanId, parentSpanId, traceState, name, kind } = span;
  return {
    traceId,
    spanId,
    ...(traceState === null ? {} : { traceState }),
    ...(parentSpanId === null ? {} : { parentSpanId }),
    flags: FLAG_SAMPLED | FLAG_KNOWS_WHERE_PARENT_IS | (span.isParentRemote ? FLAG_PARENT_IS_REMOTE : 0),
    name,
    kind,
    startTimeUnixNano: nanoseconds(span.startedAtMs),
    endTimeUnixNano: nanoseconds(span.endedAtMs),
    attributes: span.attributes,
    status: span.hasFailed ? { code: STATUS_ERROR } : {},
  };
}

export function keyValues(attributes: Attributes): KeyValues {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

/** A 64-bit integer is text there, since JavaScript's numbers cannot hold each. */
function anyValue(value: Attributes[string]): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Too large for a number: seconds and the rest apart, both small enough to be written fast. */
function nanoseconds(ms: number): string {
  const seconds = Math.floor(ms / SECOND_MS);
  const rest = Math.floor((ms - seconds * SECOND_MS) * 1_000_000);
  return String(seconds) + String(rest).padStart(9, "0");
}
