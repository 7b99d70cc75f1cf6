import type { Core } from "../../core/core.ts";
import { Fault } from "../../core/fault.ts";
import { ok } from "../../http/reply.ts";
import { route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { instant, instantOrNull } from "../../http/time.ts";
import { HealthView } from "./schemas.ts";

/** What the program says of itself. */
export interface About {
  readonly version: string;
  readonly environment: string;
}

export function healthRoutes({ store, clock }: Core, { version, environment }: About): readonly Route[] {
  return [
    route("GET", "/health", {
      summary: "Whether the server answers, and its database",
      operation: "healthWithDatabase",
      takes: {},
      returns: { 200: HealthView, 503: HealthView },
      run: async () => {
        const currentTimeMs = await store.currentTimeMs().catch(nullIfUnavailable);
        const isConnected = currentTimeMs !== null;
        const body = {
          status: isConnected ? "healthy" : "unhealthy",
          version,
          environment,
          timestamp: instant(clock.nowMs()),
          database: {
            status: isConnected ? "connected" : "disconnected",
            current_time: instantOrNull(currentTimeMs),
          },
        };
        return isConnected ? ok(body) : { status: 503, body };
      },
    }),
  ];
}

function nullIfUnavailable(error: unknown): null {
  if (Fault.is(error, "unavailable")) return null;
  throw error;
}
