import { Fault } from "../../core/fault.ts";
import { METRICS_TYPE } from "../../core/metrics.ts";
import { isSameSecret } from "../../core/same-secret.ts";
import { bearerToken } from "../../core/tokens.ts";
import { route } from "../../http/route.ts";
import type { Part, Route } from "../../http/route.ts";
import { content } from "../../http/schema.ts";

export interface MetricsAccess {
  render(): Promise<string>;
  /** What opens the route to whoever brings it as Bearer; null where the port itself is out of strangers' reach. */
  readonly token: string | null;
}

/** To whoever does not know the token there is nothing here. */
function knows(token: string): Part<void> {
  return {
    kind: "guard",
    documents: { fails: ["unknown_route"] },
    read(exchange) {
      const given = bearerToken(exchange.header("authorization"));
      if (given === null || !isSameSecret(given, token)) throw Fault.of({ kind: "unknown_route" });
    },
  };
}

export function metricsRoutes({ render, token }: MetricsAccess): readonly Route[] {
  return [
    route("GET", "/metrics", {
      summary: "Counts and durations, for Prometheus",
      operation: "readMetrics",
      takes: token === null ? {} : { token: knows(token) },
      returns: { 200: content("text/plain") },
      run: async () => ({
        status: 200,
        content: await render(),
        headers: { "content-type": METRICS_TYPE },
      }),
    }),
  ];
}
