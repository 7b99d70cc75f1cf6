import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import type { LogFields } from "../core/log.ts";
import { keyValues, spanKinds } from "./otlp.ts";
import type { KeyValues, Span, SpanKind } from "./otlp.ts";
import { requestAttributes, requestName } from "./request-span.ts";
import { isSampled } from "./sampler.ts";
import type { Sampler } from "./sampler.ts";
import { readTraceParent, readTraceState, traceParentText } from "./trace-context.ts";
import type { TraceParent } from "./trace-context.ts";

/** What is the same for all spans of one request. */
interface Trace {
  readonly id: string;
  readonly state: string | null;
  readonly isSampled: boolean;
  /** What to add to the process's own count of milliseconds, to have those since 1970. */
  readonly clockOffsetMs: number;
  /** The line that the log was told of the request, once it was. */
  line: LogFields | null;
  /** What its request has set going may go on, and is nothing of it any more. */
  isOver: boolean;
}

/** Where in a trace the program is just now. */
interface Place {
  readonly trace: Trace;
  readonly spanId: string;
  readonly startedMs: number;
}

export interface Step {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: KeyValues;
}

/** Knows for which request something is done, wherever in the program that is, and hands out a span of it once it is over. */
export class Tracer {
  readonly #here = new AsyncLocalStorage<Place>();
  readonly #sampler: Sampler;
  readonly #clock: Clock;
  readonly #onSpan: (span: Span) => void;

  constructor(parts: { sampler: Sampler; clock: Clock; onSpan: (span: Span) => void }) {
    this.#sampler = parts.sampler;
    this.#clock = parts.clock;
    this.#onSpan = parts.onSpan;
  }

  /** The trace that the request being worked on belongs to; null beside the requests. */
  get traceId(): string | null {
    const trace = this.#here.getStore()?.trace;
    return trace === undefined || trace.isOver ? null : trace.id;
  }

  /** How the next program is told of it. */
  outgoingHeaders(): Readonly<Record<string, string>> {
    const place = this.#here.getStore();
    if (place === undefined) return {};
    const { state } = place.trace;
    return { traceparent: parentText(place), ...(state === null ? {} : { tracestate: state }) };
  }

  /** What a request is answered, with its place in the trace beside it. */
  async follow(request: Request, answer: () => Promise<Response>): Promise<Response> {
    const parent = readTraceParent(request.headers.get("traceparent"));
    const startedMs = performance.now();
    const place = { trace: this.#traceOf(request, parent, startedMs), spanId: newSpanId(), startedMs };
    const response = await this.#here.run(place, answer);
    place.trace.isOver = true;
    response.headers.set("traceresponse", parentText(place));
    if (place.trace.isSampled) this.#endRequest(place, parent, request, response.status);
    return response;
  }

  /** Runs one step of what is done for the request; beside the requests it is not told. */
  step<T>(step: Step, work: () => Promise<T>, resultOf?: (value: T) => Result): Promise<T> {
    const outer = this.#here.getStore();
    if (outer === undefined || !outer.trace.isSampled) return work();
    return this.#step(outer, step, work, resultOf);
  }

  /** Tells of a step that has just ended. */
  stepped(step: Step, durationMs: number, result = DONE): void {
    const outer = this.#here.getStore();
    if (outer === undefined || !outer.trace.isSampled) return;
    // Durations in whole milliseconds would begin before what they are a part of.
    const startedMs = Math.max(outer.startedMs, performance.now() - durationMs);
    this.#end({ trace: outer.trace, spanId: newSpanId(), startedMs }, outer.spanId, step, result);
  }

  /** Bound to the place where this is called: for work that somebody else will do. */
  bound<A extends readonly unknown[], T>(work: (...given: A) => T): (...given: A) => T {
    const place = this.#here.getStore();
    return place === undefined ? work : (...given) => this.#here.run(place, () => work(...given));
  }

  /** What the log is told of the request tells most of its span as well. */
  heardRequest(line: LogFields): void {
    const place = this.#here.getStore();
    if (place !== undefined) place.trace.line = line;
  }

  async #step<T>(
    outer: Place,
    step: Step,
    work: () => Promise<T>,
    resultOf: ((value: T) => Result) | undefined,
  ): Promise<T> {
    const place = { trace: outer.trace, spanId: newSpanId(), startedMs: performance.now() };
    let result = DONE;
    try {
      const value = await this.#here.run(place, work);
      if (resultOf !== undefined) result = resultOf(value);
      return value;
    } catch (error) {
      result = failureOf(error);
      throw error;
    } finally {
      this.#end(place, outer.spanId, step, result);
    }
  }

  #traceOf(request: Request, parent: TraceParent | null, nowMs: number): Trace {
    const id = parent?.traceId ?? newTraceId();
    return {
      id,
      state: parent === null ? null : readTraceState(request.headers.get("tracestate")),
      isSampled: isSampled(this.#sampler, id, parent),
      clockOffsetMs: this.#clock.nowMs() - nowMs,
      line: null,
      isOver: false,
    };
  }

  #endRequest(place: Place, parent: TraceParent | null, request: Request, status: number): void {
    const told = { request, status, line: place.trace.line ?? {} };
    this.#onSpan({
      ...spanOf(place),
      parentSpanId: parent?.spanId ?? null,
      isParentRemote: parent !== null,
      name: requestName(told),
      kind: spanKinds.server,
      attributes: keyValues(requestAttributes(told)),
      hasFailed: status >= 500,
    });
  }

  #end(place: Place, parentSpanId: string, { name, kind, attributes }: Step, result: Result): void {
    this.#onSpan({
      ...spanOf(place),
      parentSpanId,
      isParentRemote: false,
      name,
      kind,
      attributes: [...attributes, ...result.attributes],
      hasFailed: result.hasFailed,
    });
  }
}

/** What is known of a step only when it is over. */
export interface Result {
  readonly attributes: KeyValues;
  /** Something was out of order; what is refused as it should be is none. */
  readonly hasFailed: boolean;
}

const DONE: Result = { attributes: [], hasFailed: false };

/** `type` is a word of the program's own, never the text of an error. */
export function failed(type: string, hasFailed = true): Result {
  return { attributes: keyValues({ "error.type": type }), hasFailed };
}

const TROUBLE = new Set(["internal", "unavailable", "overloaded"]);

function failureOf(error: unknown): Result {
  if (error instanceof Fault) return failed(error.what.kind, TROUBLE.has(error.what.kind));
  return failed(error instanceof Error ? error.name : "other");
}

function parentText({ trace, spanId }: Place): string {
  return traceParentText({ traceId: trace.id, spanId, isSampled: trace.isSampled });
}

/** As it stands at this moment, which is its end. */
function spanOf({ trace, spanId, startedMs }: Place) {
  return {
    traceId: trace.id,
    spanId,
    traceState: trace.state,
    startedAtMs: startedMs + trace.clockOffsetMs,
    endedAtMs: performance.now() + trace.clockOffsetMs,
  };
}

const randomTrace = Buffer.alloc(16);
const randomSpan = Buffer.alloc(8);

function newTraceId(): string {
  return crypto.getRandomValues(randomTrace).toString("hex");
}

function newSpanId(): string {
  return crypto.getRandomValues(randomSpan).toString("hex");
}
