import { MINUTE_MS, SECOND_MS } from "../core/clock.ts";
import { within } from "../core/deadline.ts";
import type { Log } from "../core/log.ts";
import { traceRequest } from "./otlp.ts";
import type { Origin, Span } from "./otlp.ts";

export interface ExporterOptions {
  /** Where spans are posted to, with its whole path. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly origin: Origin;
  readonly log: Log;
  readonly pace?: Partial<Pace>;
}

export interface Pace {
  /** So many wait at most; what comes beyond is dropped. */
  readonly queueSpans: number;
  readonly batchSpans: number;
  /** A batch that does not fill goes off after so long. */
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** The rest after a first failure; it doubles with each further one, up to the longest. */
  readonly restMs: number;
  readonly longestRestMs: number;
}

const PACE: Pace = {
  queueSpans: 4_096,
  batchSpans: 512,
  everyMs: SECOND_MS / 2,
  timeoutMs: 10 * SECOND_MS,
  restMs: SECOND_MS,
  longestRestMs: 30 * SECOND_MS,
};

/** A collector's word is not taken for longer than this. */
const LONGEST_RETRY_AFTER_MS = 10 * MINUTE_MS;

/** What the specification of OTLP/HTTP wants tried again; whatever else is no success is refused for good. */
const TRY_AGAIN = new Set([429, 502, 503, 504]);

type Outcome =
  | { readonly is: "taken" }
  | { readonly is: "refused"; readonly spans: number; readonly reason: string }
  | { readonly is: "away"; readonly reason: string; readonly retryAfterMs: number };

/**
 * Posts spans to a collector, beside the requests: nobody waits for it, and nobody hears of its failures but the log,
 * once when they begin and once when they are over.
 */
export class SpanExporter {
  readonly #options: ExporterOptions;
  readonly #pace: Pace;
  readonly #queue: Span[] = [];
  #timer: ReturnType<typeof setInterval> | null = null;
  #sending: Promise<void> | null = null;
  #restsUntilMs = 0;
  #failuresInARow = 0;
  readonly #closing = new AbortController();
  #isClosing = false;
  #isToldLost = false;
  #isToldFull = false;
  #sent = 0;
  #dropped = 0;
  #droppedBeforeLoss = 0;

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
  }

  get sent(): number {
    return this.#sent;
  }

  get dropped(): number {
    return this.#dropped;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#sendIfDue(), this.#pace.everyMs).unref();
  }

  add(span: Span): void {
    if (this.#queue.length >= this.#pace.queueSpans) return this.#dropNewest();
    this.#queue.push(span);
    if (this.#queue.length >= this.#pace.batchSpans) this.#sendIfDue();
  }

  /** Sends what is left, for so long at most; the rest is lost. */
  async close(limitMs: number): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#isClosing = true;
    this.#restsUntilMs = 0;
    const sending = (this.#sending ?? Promise.resolve()).then(() => this.#sendAll());
    await within(sending, limitMs, "sending the last spans").catch((error: unknown) =>
      this.#lose(reasonOf(error)),
    );
    this.#closing.abort();
    this.#dropped += this.#queue.splice(0).length;
  }

  #sendIfDue(): void {
    if (this.#isClosing || this.#sending !== null || this.#queue.length === 0) return;
    if (performance.now() < this.#restsUntilMs) return;
    this.#sending = this.#sendAll().finally(() => (this.#sending = null));
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, this.#pace.batchSpans);
      const outcome = await this.#post(batch);
      if (outcome.is === "away") return this.#rest(outcome);
      this.#queue.splice(0, batch.length);
      const refused = outcome.is === "refused" ? Math.min(outcome.spans, batch.length) : 0;
      this.#sent += batch.length - refused;
      if (outcome.is === "refused") this.#lose(outcome.reason);
      else this.#find();
      this.#dropped += refused;
    }
    this.#isToldFull = false;
  }

  async #post(batch: readonly Span[]): Promise<Outcome> {
    const { url, headers, origin } = this.#options;
    try {
      const answer = await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: traceRequest(origin, batch),
        // Whoever is sent elsewhere would take the headers' secrets along.
        redirect: "manual",
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#pace.timeoutMs)]),
      });
      return answer.ok ? taken(await answer.text()) : notTaken(answer, batch.length);
    } catch (error) {
      return { is: "away", reason: reasonOf(error), retryAfterMs: 0 };
    }
  }

  #rest({ reason, retryAfterMs }: { readonly reason: string; readonly retryAfterMs: number }): void {
    const { restMs, longestRestMs } = this.#pace;
    const backoffMs = Math.min(restMs * 2 ** this.#failuresInARow, longestRestMs);
    // By chance up to as much again, so that many programs do not come back at the same moment.
    const spreadMs = backoffMs * (1 + Math.random());
    this.#failuresInARow += 1;
    this.#restsUntilMs =
      performance.now() + Math.max(spreadMs, Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS));
    this.#lose(reason);
  }

  #lose(reason: string): void {
    if (this.#isToldLost) return;
    this.#isToldLost = true;
    this.#droppedBeforeLoss = this.#dropped;
    this.#options.log.warning("tracing.lost", { reason });
  }

  #find(): void {
    this.#failuresInARow = 0;
    if (!this.#isToldLost) return;
    this.#isToldLost = false;
    this.#options.log.info("tracing.back", { dropped: this.#dropped - this.#droppedBeforeLoss });
  }

  #dropNewest(): void {
    this.#dropped += 1;
    if (!this.#isToldFull) this.#options.log.warning("tracing.full", { waiting: this.#queue.length });
    this.#isToldFull = true;
  }
}

function notTaken(answer: Response, spans: number): Outcome {
  const reason = `the collector answered ${answer.status}`;
  if (!TRY_AGAIN.has(answer.status)) return { is: "refused", spans, reason };
  return { is: "away", reason, retryAfterMs: retryAfterMs(answer.headers.get("retry-after")) };
}

/** A collector may say in a 200 that it took a part of the spans only. */
function taken(body: string): Outcome {
  const rejected = /"rejectedSpans"\s*:\s*"?([0-9]+)/.exec(body)?.[1];
  if (rejected === undefined || Number(rejected) === 0) return { is: "taken" };
  return { is: "refused", spans: Number(rejected), reason: "the collector rejected some of the spans" };
}

/** In seconds, or as a date. */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  if (/^[0-9]+$/.test(header)) return Number(header) * SECOND_MS;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - Date.now());
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
