import { hostname } from "node:os";
import type { Clock } from "../core/clock.ts";
import { SECOND_MS } from "../core/clock.ts";
import type { Log, LogFields } from "../core/log.ts";
import type { Hasher } from "../core/passwords.ts";
import type { Database } from "../storage/database.ts";
import type { Outgoing } from "../storage/s3-files.ts";
import { VERSION } from "../version.ts";
import { SpanExporter } from "./exporter.ts";
import { keyValues, spanKinds } from "./otlp.ts";
import type { Attributes } from "./otlp.ts";
import { tracedOutgoing } from "./outgoing.ts";
import type { Sampler } from "./sampler.ts";
import { tracedDatabase } from "./traced-database.ts";
import { hashingStep, tracedHasher } from "./traced-hasher.ts";
import { failed, Tracer } from "./tracer.ts";
import type { Step } from "./tracer.ts";

export interface TracingOptions {
  /** Where spans are posted to, with its whole path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the spans come from, beside what is known anyway. */
  readonly resource: Readonly<Record<string, string>>;
  readonly sampler: Sampler;
}

const LAST_SPANS_MS = 3 * SECOND_MS;

const redisStep: Step = {
  name: "EVAL",
  kind: spanKinds.client,
  attributes: keyValues({ "db.system.name": "redis", "db.operation.name": "EVAL" }),
};

/** Follows requests through the program, and tells a collector how each went. */
export class Tracing {
  readonly #tracer: Tracer;
  readonly #exporter: SpanExporter;

  constructor(options: TracingOptions, { clock, log }: { clock: Clock; log: Log }) {
    const { url, headers, resource, sampler } = options;
    const exporter = new SpanExporter({
      url,
      headers,
      origin: {
        resource: keyValues({ ...aboutThisProcess(), ...resource }),
        scope: { name: "latchkey", version: VERSION },
      },
      log,
    });
    this.#exporter = exporter;
    this.#tracer = new Tracer({ sampler, clock, onSpan: (span) => exporter.add(span) });
  }

  readonly follow = (request: Request, answer: () => Promise<Response>): Promise<Response> =>
    this.#tracer.follow(request, answer);

  /** The same log, each of whose lines names the trace that it belongs to. */
  named(log: Log): Log {
    const traced = (fields: LogFields | undefined): LogFields | undefined => {
      const { traceId } = this.#tracer;
      return traceId === null ? fields : { ...fields, traceId };
    };
    return {
      debug: (event, fields) => log.debug(event, traced(fields)),
      info: (event, fields) => {
        if (event === "request" && fields !== undefined) this.#tracer.heardRequest(fields);
        log.info(event, traced(fields));
      },
      warning: (event, fields) => log.warning(event, traced(fields)),
      error: (event, fields, cause) => log.error(event, traced(fields), cause),
    };
  }

  database(database: Database): Database {
    return tracedDatabase(database, this.#tracer);
  }

  hasher(hasher: Hasher): Hasher {
    return tracedHasher(hasher, this.#tracer);
  }

  outgoing(): Outgoing {
    return tracedOutgoing(this.#tracer);
  }

  readonly onHash = (durationMs: number): void => this.#tracer.stepped(hashingStep, durationMs);

  readonly onRedis = (durationMs: number, hasAnswer: boolean): void =>
    this.#tracer.stepped(redisStep, durationMs, hasAnswer ? undefined : failed("unavailable"));

  spans(): { readonly sent: number; readonly dropped: number } {
    return { sent: this.#exporter.sent, dropped: this.#exporter.dropped };
  }

  start(): void {
    this.#exporter.start();
  }

  close(): Promise<void> {
    return this.#exporter.close(LAST_SPANS_MS);
  }
}

function aboutThisProcess(): Attributes {
  return {
    "service.version": VERSION,
    "service.instance.id": crypto.randomUUID(),
    "host.name": hostname(),
    "process.pid": process.pid,
    "process.runtime.name": "bun",
    "process.runtime.version": Bun.version,
  };
}
