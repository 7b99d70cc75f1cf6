import { REALMS } from "./core/accounts.ts";
import { SECOND_MS } from "./core/clock.ts";
import type { Clock } from "./core/clock.ts";
import type { Log, LogFields } from "./core/log.ts";
import { Metrics } from "./core/metrics.ts";
import { VERSION } from "./version.ts";

/**
 * What the program counts, for Prometheus. Most of it is derived from what the log is told anyway, whatever of that
 * is shown: where something is decided, it is said once.
 */
export class Meters {
  readonly #metrics = new Metrics();
  readonly #clock: Clock;
  readonly #requests = this.#metrics.counter(
    "latchkey_http_requests_total",
    "Requests answered, by route template.",
    ["method", "route", "status"],
  );
  readonly #requestSeconds = this.#metrics.histogram(
    "latchkey_http_request_duration_seconds",
    "Time from a request's headers to its answer.",
    ["method", "route"],
  );
  readonly #rateLimited = this.#metrics.counter(
    "latchkey_rate_limited_total",
    "Requests refused because their client had spent its budget.",
    ["route"],
  );
  readonly #logins = this.#metrics.counter("latchkey_logins_total", "Logins judged, by outcome.", [
    "realm",
    "outcome",
  ]);
  readonly #lockouts = this.#metrics.counter(
    "latchkey_lockouts_total",
    "Accounts and names locked after too many failed logins.",
    ["realm"],
  );
  readonly #registrations = this.#metrics.counter("latchkey_registrations_total", "Accounts made.", [
    "realm",
  ]);
  readonly #tokensRefused = this.#metrics.counter(
    "latchkey_tokens_refused_total",
    "Access tokens that were not accepted.",
  );
  readonly #refreshes = this.#metrics.counter("latchkey_session_refreshes_total", "Sessions refreshed.");
  readonly #reuses = this.#metrics.counter(
    "latchkey_refresh_reuse_total",
    "Refresh tokens presented a second time: stolen, or a client that does not keep what it is given.",
  );
  readonly #errors = this.#metrics.counter("latchkey_errors_total", "Errors told to the log, by event.", [
    "event",
  ]);
  readonly #removed = this.#metrics.counter(
    "latchkey_housekeeping_removed_total",
    "Rows removed because their time was up.",
    ["task"],
  );
  readonly #hashSeconds = this.#metrics.histogram(
    "latchkey_password_hash_duration_seconds",
    "Time that a password took to hash or to verify, without the wait for its turn.",
  );
  readonly #statementSeconds = this.#metrics.histogram(
    "latchkey_database_statement_duration_seconds",
    "Time that the database took for a statement.",
  );
  readonly #writeSeconds = this.#metrics.histogram(
    "latchkey_database_write_duration_seconds",
    "Time from asking for a write to its commit, the wait for its turn included.",
  );
  readonly #loopDelaySeconds = this.#metrics.histogram(
    "latchkey_event_loop_delay_seconds",
    "How late a timer of the program's fires: what everything else waits too.",
  );
  #housekeepingAtMs = 0;
  #backupAtMs = 0;
  #loopTimer: ReturnType<typeof setInterval> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    // Known beforehand, so there from the start: to `increase` a series that begins with its first event has had none.
    for (const realm of REALMS) {
      this.#lockouts.add([realm], 0);
      this.#registrations.add([realm], 0);
      for (const outcome of LOGIN_OUTCOMES) this.#logins.add([realm, outcome], 0);
    }
  }

  render(): Promise<string> {
    return this.#metrics.render();
  }

  /** The same log, with an ear on it. */
  listeningTo(log: Log): Log {
    return {
      debug: (event, fields) => log.debug(event, fields),
      info: (event, fields) => {
        if (fields !== undefined) this.#hear(event, fields);
        log.info(event, fields);
      },
      warning: (event, fields) => {
        if (fields !== undefined) this.#hear(event, fields);
        log.warning(event, fields);
      },
      error: (event, fields, cause) => {
        this.#errors.add([event]);
        log.error(event, fields, cause);
      },
    };
  }

  readonly onStatement = (_sql: string, durationMs: number): void =>
    this.#statementSeconds.observe(durationMs / SECOND_MS);
  readonly onWrite = (durationMs: number): void => this.#writeSeconds.observe(durationMs / SECOND_MS);
  readonly onHash = (durationMs: number): void => this.#hashSeconds.observe(durationMs / SECOND_MS);

  /** From here on the event loop's delay is measured, until `stop`. */
  start(): void {
    let lastMs = performance.now();
    this.#loopTimer ??= setInterval(() => {
      const nowMs = performance.now();
      this.#loopDelaySeconds.observe(Math.max(0, nowMs - lastMs - LOOP_SAMPLE_MS) / SECOND_MS);
      lastMs = nowMs;
    }, LOOP_SAMPLE_MS).unref();
  }

  stop(): void {
    if (this.#loopTimer !== null) clearInterval(this.#loopTimer);
    this.#loopTimer = null;
  }

  /** What is read off when somebody asks. */
  watch(parts: Watched): void {
    const { hasher, connections, inFlight, sessionsOpen, rateLimitWindows, spans, engine } = parts;
    const metrics = this.#metrics;
    metrics.gauge("latchkey_http_requests_in_flight", "Requests being worked on.", inFlight);
    metrics.gauge("latchkey_password_hashes_running", "Passwords being hashed.", () => hasher.running());
    metrics.gauge("latchkey_password_hashes_queued", "Passwords waiting to be hashed.", () =>
      hasher.queued(),
    );
    metrics.samples(
      "gauge",
      "latchkey_database_connections",
      "Connections to PostgreSQL; on SQLite the one writer.",
      ["state"],
      () => {
        const { busy, idle } = connections();
        return [
          { labels: ["busy"], value: busy },
          { labels: ["idle"], value: idle },
        ];
      },
    );
    metrics.gauge("latchkey_database_connections_max", "The most there may be.", () => connections().max);
    metrics.gauge(
      "latchkey_database_waiting",
      "Who waits for a connection; on SQLite the writes that wait for their turn.",
      () => connections().waiting,
    );
    metrics.gauge(
      "latchkey_sessions_open",
      "Sessions that nobody has ended and whose time is not long up; counted once a minute at most.",
      cachedFor(SESSIONS_COUNTED_EVERY_MS, this.#clock, sessionsOpen),
    );
    metrics.gauge(
      "latchkey_rate_limit_windows",
      "Clients whose requests are being counted.",
      rateLimitWindows,
    );
    metrics.gauge(
      "latchkey_housekeeping_last_run_timestamp_seconds",
      "When all that is expired was last removed; 0 for not yet.",
      () => this.#housekeepingAtMs / SECOND_MS,
    );
    metrics.gauge(
      "latchkey_backup_last_success_timestamp_seconds",
      "When this process last made a backup by its schedule; 0 for not yet.",
      () => this.#backupAtMs / SECOND_MS,
    );
    if (spans !== null) this.#watchSpans(spans);
    this.#watchProcess(engine);
  }

  #watchSpans(spans: NonNullable<Watched["spans"]>): void {
    const one = (value: number) => [{ labels: [], value }];
    const metrics = this.#metrics;
    metrics.samples("counter", "latchkey_trace_spans_sent_total", "Spans that the collector took.", [], () =>
      one(spans().sent),
    );
    metrics.samples(
      "counter",
      "latchkey_trace_spans_dropped_total",
      "Spans that were lost: the collector was away for too long, or refused them.",
      [],
      () => one(spans().dropped),
    );
  }

  #watchProcess(engine: string): void {
    const metrics = this.#metrics;
    const startedAtSeconds = (Date.now() - performance.now()) / SECOND_MS;
    metrics.gauge("process_resident_memory_bytes", "Memory of the process.", () => process.memoryUsage.rss());
    metrics.gauge(
      "latchkey_heap_used_bytes",
      "Memory that the program's own objects take.",
      () => process.memoryUsage().heapUsed,
    );
    metrics.gauge("process_start_time_seconds", "When the process started.", () => startedAtSeconds);
    metrics.samples("counter", "process_cpu_seconds_total", "Time on the processor.", [], () => {
      const { user, system } = process.cpuUsage();
      return [{ labels: [], value: (user + system) / 1_000_000 }];
    });
    metrics.samples("gauge", "latchkey_build_info", "What runs.", ["version", "bun", "database"], () => [
      { labels: [VERSION, Bun.version, engine], value: 1 },
    ]);
  }

  #hear(event: string, fields: LogFields): void {
    switch (event) {
      case "request":
        return this.#hearRequest(fields);
      case "request.rate_limited":
        return this.#rateLimited.add([word(fields["route"])]);
      case "login.succeeded":
        return this.#logins.add([word(fields["realm"]), "succeeded"]);
      case "login.refused":
        return this.#logins.add([word(fields["realm"]), word(fields["why"])]);
      case "login.locked":
        return this.#lockouts.add([word(fields["realm"])]);
      case "account.registered":
        return this.#registrations.add([word(fields["realm"])]);
      case "token.refused":
        return this.#tokensRefused.add();
      case "session.refreshed":
        return this.#refreshes.add();
      case "session.refresh_reused":
        return this.#reuses.add();
      case "backup.done":
        this.#backupAtMs = this.#clock.nowMs();
        return;
      case "housekeeping.done":
        return this.#hearHousekeeping(fields);
    }
  }

  #hearRequest({ method, route, status, ms }: LogFields): void {
    const verb = METHODS.has(word(method)) ? word(method) : "other";
    this.#requests.add([verb, word(route), String(status)]);
    if (typeof ms === "number") this.#requestSeconds.observe(ms / SECOND_MS, [verb, word(route)]);
  }

  #hearHousekeeping(report: LogFields): void {
    // A task that fails leaves what has expired: its alert goes by this time.
    const isWhole = Object.values(report).every((removed) => removed !== null);
    if (isWhole) this.#housekeepingAtMs = this.#clock.nowMs();
    for (const [task, removed] of Object.entries(report)) {
      if (typeof removed === "number") this.#removed.add([task], removed);
    }
  }
}

export interface Watched {
  readonly engine: string;
  readonly hasher: { running(): number; queued(): number };
  readonly connections: () => Connections;
  readonly inFlight: () => number;
  readonly sessionsOpen: () => Promise<number>;
  readonly rateLimitWindows: () => number;
  /** Null where requests are not traced. */
  readonly spans: (() => { readonly sent: number; readonly dropped: number }) | null;
}

interface Connections {
  readonly max: number;
  readonly busy: number;
  readonly idle: number;
  readonly waiting: number;
}

const LOGIN_OUTCOMES = ["succeeded", "login_failed", "locked", "deactivated"] as const;

const LOOP_SAMPLE_MS = 200;
const SESSIONS_COUNTED_EVERY_MS = 60 * SECOND_MS;

/** A route that takes any method must not give each word that somebody makes up a series of its own. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function word(value: LogFields[string]): string {
  return typeof value === "string" ? value : "other";
}

/** Those who ask meanwhile get the same answer, also the ones who ask while it is being found. */
function cachedFor(lifetimeMs: number, clock: Clock, read: () => Promise<number>): () => Promise<number> {
  let known: { readonly value: Promise<number>; readonly atMs: number } | null = null;
  return () => {
    if (known !== null && clock.nowMs() - known.atMs < lifetimeMs) return known.value;
    const reading = { value: read(), atMs: clock.nowMs() };
    known = reading;
    reading.value.catch(() => {
      if (known === reading) known = null;
    });
    return reading.value;
  };
}
