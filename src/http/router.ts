import { Elysia } from "elysia";
import { Fault } from "../core/fault.ts";
import type { Reply } from "./reply.ts";
import type { Exchange } from "./exchange.ts";
import type { Method, Route } from "./route.ts";
import type { Surface } from "./surface.ts";

/** What a request turned out to be for. `route` is the template for the log: never the text of the URL. */
export interface Target {
  readonly route: string;
  readonly dialect: Surface["dialect"];
  readonly handle: (exchange: Exchange) => Promise<Reply>;
}

export type Answer = (
  target: Target,
  request: Request,
  params: Readonly<Record<string, string | undefined>>,
) => Promise<Response>;

const METHODS: readonly Method[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Hands the surfaces' routes to Elysia, which finds the one that a request is for.
 *
 * Elysia is asked for nothing else. Its hooks run in an order that does not suit an API which must refuse a
 * stranger before it reads a byte: docs/decisions/0003-routes-are-data.md tells what was measured.
 */
export function createRouter(
  surfaces: readonly Surface[],
  fallback: Surface["dialect"],
  answer: Answer,
  lastResort: (error: unknown) => Response,
): Elysia {
  // `standardHostname` would find the path by the shortest host name there can be, and `Host: a` shifts it.
  const app = new Elysia({ handler: { standardHostname: false }, systemRouter: false });
  app.onError(({ error }) => lastResort(error));
  const serve = (method: string, path: string, target: Target) => {
    app.route(method, path, ({ request, params }) => answer(target, request, params), { parse: "none" });
  };

  for (const { routes, dialect, prefixes } of surfaces) {
    for (const route of routes) serve(route.method, route.path, targetOf(route, route.dialect ?? dialect));
    for (const [path, allow] of methodsByPath(routes)) {
      const target = refusal(path, dialect, Fault.of({ kind: "method_not_allowed", allow }));
      // Else a parameter of another route, asked with that method, would catch what is fixed in this one. A path that is
      // fixed as a whole is looked for before all others.
      if (path.includes(":"))
        for (const method of METHODS) if (!allow.includes(method)) serve(method, path, target);
      serve("ALL", path, target);
    }
    for (const prefix of prefixes) {
      const target = refusal(`${prefix}/*`, dialect, Fault.of({ kind: "unknown_route" }));
      serve("ALL", `${prefix}/*`, target);
      serve("ALL", prefix, target);
    }
  }
  const nowhere = refusal("*", fallback, Fault.of({ kind: "unknown_route" }));
  serve("ALL", "/*", nowhere);
  return app;
}

function targetOf(route: Route, dialect: Surface["dialect"]): Target {
  return { route: route.path, dialect: route.dialect ?? dialect, handle: route.handle };
}

function refusal(route: string, dialect: Surface["dialect"], fault: Fault): Target {
  return { route, dialect, handle: () => Promise.reject(fault) };
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { method, path } of routes) {
    const allow = methods.get(path) ?? [];
    allow.push(...(method === "GET" ? ["GET", "HEAD"] : [method]));
    methods.set(path, allow);
  }
  return methods;
}
