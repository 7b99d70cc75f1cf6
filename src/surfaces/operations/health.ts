import { Fault } from "../../core/fault.ts";
import { ok } from "../../http/reply.ts";
import type { Reply } from "../../http/reply.ts";
import { route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";

/** What the process knows of itself. */
export interface Health {
  /** By name, what the server leans on; each fails with `unavailable` where it cannot be reached. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** Whether the migrations are applied, by this process or another. */
  isStarted(): Promise<boolean>;
  isStopping(): boolean;
}

const Status = t.Object({ status: t.String({ example: "ok" }) }, { $id: "Health" });
const Readiness = t.Object(
  {
    status: t.String({ example: "ready" }),
    checks: t.Record(t.String(), t.String(), { example: { database: "ok" } }),
  },
  { $id: "Readiness" },
);

export function healthRoutes(health: Health): readonly Route[] {
  return [
    route("GET", "/health", {
      summary: "Whether the server answers",
      operation: "health",
      takes: {},
      returns: { 200: Status },
      run: () => ok({ status: "ok" }),
    }),

    route("GET", "/health/liveness", {
      summary: "Whether the process is alive, database or not",
      operation: "liveness",
      takes: {},
      returns: { 200: Status },
      run: () => ok({ status: "alive" }),
    }),

    route("GET", "/health/startup", {
      summary: "Whether the migrations are applied",
      operation: "startup",
      takes: {},
      returns: { 200: Status, 503: Status },
      run: async () =>
        (await health.isStarted())
          ? ok({ status: "started" })
          : { status: 503, body: { status: "starting" } },
    }),

    route("GET", "/health/readiness", {
      summary: "Whether requests can be served now",
      operation: "readiness",
      takes: {},
      returns: { 200: Readiness, 503: Readiness },
      run: () => readiness(health),
    }),
  ];
}

async function readiness(health: Health): Promise<Reply> {
  const results = await Promise.all(
    Object.entries(health.checks).map(async ([name, check]) => [name, await outcome(check)] as const),
  );
  const checks = Object.fromEntries(results);
  if (health.isStopping()) return { status: 503, body: { status: "stopping", checks } };
  const isReady = results.every(([, result]) => result === "ok") && (await health.isStarted());
  return isReady ? ok({ status: "ready", checks }) : { status: 503, body: { status: "unavailable", checks } };
}

async function outcome(check: () => Promise<void>): Promise<"ok" | "unavailable"> {
  try {
    await check();
    return "ok";
  } catch (error) {
    if (Fault.is(error, "unavailable")) return "unavailable";
    throw error;
  }
}
