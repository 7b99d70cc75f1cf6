import { inUrl } from "../core/ip-address.ts";
import type { Log } from "../core/log.ts";
import type { Peer } from "./departures.ts";
import type { Dialect } from "./dialect.ts";
import type { Services } from "./exchange.ts";
import { withWholeUrl } from "./host.ts";
import { Responder } from "./responder.ts";
import type { ResponderPolicy } from "./responder.ts";
import { createRouter } from "./router.ts";
import type { Answer } from "./router.ts";
import type { Route } from "./route.ts";
import type { Surface } from "./surface.ts";

export type Follow = (request: Request, answer: () => Promise<Response>) => Promise<Response>;

export interface HttpServer {
  /** The map of everything that is served, for the documentation and the tests to walk. */
  readonly surfaces: readonly Surface[];
  /** Speaks where no surface does. */
  readonly fallback: Dialect;
  /** All that it answers, with whole paths: for the documentation, and for tests that walk every route. */
  readonly routes: readonly Route[];
  /** Answers one request, as if it had come by the network from `address`. */
  handle(request: Request, address: string): Promise<Response>;
  listen(at: { host: string; port: number }): { readonly url: URL };
  /** How many requests are being worked on. */
  inFlight(): number;
  /** Serves on for the delay, lets requests in flight finish within the limit, and then cuts off the rest. */
  stop(limitMs: number, delayMs?: number): Promise<void>;
}

/** Bun cuts off larger bodies by itself, without a word: each route's own limit speaks before that. */
const MAX_REQUEST_BYTES = 1024 * 1024 * 1024;

/** A connection on which nothing moves for so long is closed. */
const IDLE_SECONDS = 30;

/** While the last requests finish, the door stays open so long for those who ask whether the server is ready. */
const OPEN_WHILE_STOPPING_MS = 5_000;

/**
 * A balancer keeps connections, and may send a request on one just as it is closed, which it then may not send to
 * another. So all are served for so long while requests come, and each answer ends the connection that it goes by.
 */
const SERVED_WHILE_STOPPING_MS = 1_000;
const QUIET_MS = 100;

/** What has arrived and is unread is cut off as the door is shut: that is done when nothing has come for some turns. */
const STILL_TURNS = 3;
const STILL_LIMIT_MS = 500;

/** The last answers have been made by then, and are on their way out. */
const SENT_WITHIN_MS = 1_000;

export function createServer(parts: {
  surfaces: readonly Surface[];
  /** Speaks where no surface does. */
  fallback: Dialect;
  services: Services;
  policy: ResponderPolicy;
  log: Log;
  /** Runs around each answer, where requests are followed. */
  follow?: Follow | undefined;
}): HttpServer {
  const responder = new Responder(parts.services, parts.policy, parts.log);
  const peers = new WeakMap<Request, Peer>();
  let listening: Bun.Server<undefined> | null = null;
  const peerOf = (request: Request) => listening?.requestIP(request) ?? peers.get(request) ?? null;

  const respond: Answer = (target, request, params) =>
    responder.respond(target, request, params, peerOf(request));
  const lastResort = (error: unknown) => responder.lastResort(error, parts.fallback);
  const answer = followed(respond, parts.follow);
  const app = createRouter(parts.surfaces, parts.fallback, answer, lastResort);

  return {
    surfaces: parts.surfaces,
    fallback: parts.fallback,
    routes: parts.surfaces.flatMap(({ routes }) => routes),

    async handle(request, address) {
      peers.set(request, { address, port: 0 });
      return app.handle(request);
    },

    listen({ host, port }) {
      listening = Bun.serve({
        hostname: host,
        port,
        // A second server on the same port must fail to start, not share its requests.
        reusePort: false,
        idleTimeout: IDLE_SECONDS,
        maxRequestBodySize: MAX_REQUEST_BYTES,
        development: false,
        fetch(request, server) {
          const whole = withWholeUrl(request);
          const peer = whole === request ? null : server.requestIP(request);
          if (peer !== null) peers.set(whole, peer);
          return app.fetch(whole);
        },
        error: lastResort,
      });
      // Written here, since Bun takes longer to make its own `url` than to begin to listen.
      return { url: new URL(`http://${inUrl(host)}:${listening.port}`) };
    },

    inFlight: () => responder.inFlight.size,

    async stop(limitMs, delayMs = 0) {
      responder.closeConnections();
      await Bun.sleep(delayMs);
      const { inFlight } = responder;
      const endsAtMs = performance.now() + limitMs;
      const atMost = (ms: number) => Math.min(ms, Math.max(0, endsAtMs - performance.now()));
      await inFlight.quiet(QUIET_MS, atMost(SERVED_WHILE_STOPPING_MS));
      await Promise.race([inFlight.idle(), Bun.sleep(atMost(OPEN_WHILE_STOPPING_MS))]);
      await inFlight.still(STILL_TURNS, atMost(STILL_LIMIT_MS));
      const closed = listening?.stop();
      await Promise.race([inFlight.idle(), Bun.sleep(atMost(limitMs))]);
      await Promise.race([closed, Bun.sleep(atMost(SENT_WITHIN_MS))]);
      await listening?.stop(true);
      await closed;
    },
  };
}

/** Decided once: a request that nobody follows takes no step more. */
function followed(respond: Answer, follow: Follow | undefined): Answer {
  if (follow === undefined) return respond;
  return (target, request, params) => follow(request, () => respond(target, request, params));
}
