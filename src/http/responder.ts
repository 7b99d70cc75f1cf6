import { trustedAddress } from "../core/client-address.ts";
import { Fault } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import { corsHeaders, isPreflight, preflightReply } from "./cors.ts";
import { Departures } from "./departures.ts";
import type { Peer } from "./departures.ts";
import { Exchange } from "./exchange.ts";
import type { Services } from "./exchange.ts";
import { requireSoundHost } from "./host.ts";
import { InFlight } from "./in-flight.ts";
import type { Work } from "./in-flight.ts";
import type { Reply } from "./reply.ts";
import type { Target } from "./router.ts";

export interface ResponderPolicy {
  readonly requestTimeoutMs: number;
  /** How many proxies' entries in `X-Forwarded-For` are believed. */
  readonly trustedProxies: number;
  /** Tells browsers to come back by HTTPS only. */
  readonly strictTransport: boolean;
}

/** Not of the standard, but what nginx calls it. */
const CLIENT_CLOSED_REQUEST = 499;

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** An answer of an API loads nothing; pages say for themselves what they need. */
const API_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** Carries one request from its route to its response, and tells the log how it went. */
export class Responder {
  readonly #services: Services;
  readonly #policy: ResponderPolicy;
  readonly #log: Log;
  /** What every answer carries. Copied whole into each, which is twice as fast as to name them one by one. */
  readonly #everyHeader: Headers;
  readonly #everyJsonHeader: Headers;
  readonly #departures = new Departures();
  readonly inFlight: InFlight<Reply>;
  #isClosing = false;

  constructor(services: Services, policy: ResponderPolicy, log: Log) {
    this.#services = services;
    this.#policy = policy;
    this.#log = log;
    this.inFlight = new InFlight(policy.requestTimeoutMs);
    this.#everyHeader = new Headers({
      "cache-control": "no-store",
      "content-security-policy": API_CONTENT_POLICY,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      ...(policy.strictTransport
        ? { "strict-transport-security": "max-age=31536000; includeSubDomains" }
        : {}),
    });
    this.#everyJsonHeader = new Headers(this.#everyHeader);
    this.#everyJsonHeader.set("content-type", "application/json");
  }

  async respond(
    target: Target,
    request: Request,
    params: Readonly<Record<string, string | undefined>>,
    peer: Peer | null,
  ): Promise<Response> {
    const startedMs = performance.now();
    if (peer === null) return this.#abandoned(target, request);
    this.#departures.announce(peer, startedMs);
    const exchange = this.#exchange(request, params, peer.address);
    const reply = isPreflight(request)
      ? preflightReply(request)
      : ((await this.#reply(target, exchange)) ?? this.#late(target, exchange));
    const readyMs = performance.now();
    this.#log.info("request", {
      request: exchange.id,
      method: request.method,
      route: target.route,
      status: reply.status,
      ms: Math.round((readyMs - startedMs) * 100) / 100,
      client: exchange.clientAddress,
      account: exchange.accountId,
    });
    const response = this.#response(exchange, reply);
    const departure = this.#departures.next(readyMs);
    if (departure !== null) await departure;
    return response;
  }

  /**
   * Whoever resets the connection behind their request has no address any more, and hears no answer. Nothing is done for
   * them: it would be counted as nobody's, and stand in the audit trail as from nowhere.
   */
  #abandoned({ route }: Target, { method }: Request): Response {
    this.#log.info("request.abandoned", { method, route });
    return new Response(null, { status: CLIENT_CLOSED_REQUEST, headers: this.#everyHeader });
  }

  /** For what throws around an answer, where the request is not at hand: what it was is for the operator alone. */
  lastResort(error: unknown, dialect: Target["dialect"]): Response {
    const id = crypto.randomUUID();
    this.#log.error("request.internal", { request: id }, error);
    const { status, body } = dialect.answer({ kind: "internal" });
    const response = new Response(JSON.stringify(body), { status, headers: this.#everyJsonHeader });
    response.headers.set("x-request-id", id);
    return response;
  }

  /** From now on each answer asks its client to connect anew, elsewhere if there is an elsewhere. */
  closeConnections(): void {
    this.#isClosing = true;
  }

  #exchange(
    request: Request,
    params: Readonly<Record<string, string | undefined>>,
    socketAddress: string,
  ): Exchange {
    const given = request.headers.get("x-request-id");
    const { trustedProxies } = this.#policy;
    const forwarded = trustedProxies === 0 ? null : request.headers.get("x-forwarded-for");
    return new Exchange({
      request,
      params,
      id: given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID(),
      clientAddress: trustedAddress(socketAddress, forwarded, trustedProxies),
      services: this.#services,
    });
  }

  /** Null at the deadline. */
  #reply(target: Target, exchange: Exchange): Promise<Reply | null> {
    const work = this.inFlight.begin();
    void this.#work(work, target, exchange);
    return work.outcome.promise;
  }

  /** Gives the work its outcome, whatever becomes of it. */
  async #work(work: Work<Reply>, target: Target, exchange: Exchange): Promise<void> {
    try {
      requireSoundHost(exchange.request);
      this.inFlight.fulfil(work, await target.handle(exchange));
    } catch (error) {
      this.#refuse(work, target, exchange, error);
    }
  }

  #refuse(work: Work<Reply>, target: Target, exchange: Exchange, error: unknown): void {
    try {
      this.inFlight.fulfil(work, target.dialect.answer(this.#explain(error, target, exchange).what));
    } catch (unforeseen) {
      this.inFlight.fail(work, unforeseen);
    }
  }

  #late(target: Target, exchange: Exchange): Reply {
    if (!exchange.isBodyAwaited) {
      const overdue = Fault.of({ kind: "unavailable" }, new Error("deadline"));
      return target.dialect.answer(this.#explain(overdue, target, exchange).what);
    }
    const reply = target.dialect.answer({ kind: "malformed", reason: "The body did not arrive in time" });
    // Else the connection would stay open for the rest, however slowly it comes.
    return { ...reply, headers: { ...reply.headers, connection: "close" } };
  }

  /** What the client is told, and, where that hides something, what the operator is. */
  #explain(error: unknown, { route }: Target, exchange: Exchange): Fault {
    const fault = error instanceof Fault ? error : Fault.of({ kind: "internal" }, error);
    const { kind } = fault.what;
    if (kind === "internal" || kind === "unavailable") {
      this.#log.error(`request.${kind}`, { request: exchange.id }, fault.cause);
    } else if (kind === "invalid_token") {
      const why = fault.cause instanceof Error ? fault.cause.message : "unknown";
      this.#log.info("token.refused", { request: exchange.id, client: exchange.clientAddress, why });
    } else if (kind === "rate_limited" || kind === "overloaded") {
      this.#log.warning(`request.${kind}`, { request: exchange.id, route, client: exchange.clientAddress });
    }
    return fault;
  }

  #response(exchange: Exchange, reply: Reply): Response {
    const { status, body, content = null } = reply;
    const response =
      body === undefined
        ? new Response(content, { status, headers: this.#everyHeader })
        : new Response(JSON.stringify(body), { status, headers: this.#everyJsonHeader });
    const { headers } = response;
    headers.set("x-request-id", exchange.id);
    if (this.#isClosing) headers.set("connection", "close");
    addHeaders(headers, corsHeaders(exchange.request, this.#services.cors.origins));
    addHeaders(headers, reply.headers);
    // Not before: an answer that is kept for a retry may be sent again from below another path than it was made at.
    const location = reply.headers?.["location"];
    if (location !== undefined) headers.set("location", exchange.publicPath(location));
    if (reply.cookies !== undefined) {
      for (const cookie of reply.cookies) headers.append("set-cookie", cookie);
    }
    return response;
  }
}

/** Each takes the place of one of its name. */
function addHeaders(headers: Headers, more: Readonly<Record<string, string>> | undefined): void {
  if (more === undefined) return;
  for (const [name, value] of Object.entries(more)) headers.set(name, value);
}
