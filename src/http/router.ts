import { Elysia } from "elysia";
import { type AnyFault, Fault } from "../core/fault.ts";
import type { Reply } from "./reply.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./route.ts";
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

/**
 * Hands the surfaces' routes to Elysia, which finds the one that a request is for.
 *
 * Elysia is asked for nothing else. Its hooks run in an order that does not suit an API which must refuse a
 * stranger before it reads a byte: docs/decisions/0003-routes-are-data.md tells what was measured. It finds the path;
 * which of a path's methods there are is looked up here, so that each has its 405, and Elysia half as much to compile.
 * So is a path in which nothing varies, as in most: by name, where Elysia would write a case for each and compile them.
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
  const unvarying = new Map<string, Targets>();
  const serve = (template: string, targets: Targets) => {
    if (!/[:*]/.test(template)) {
      unvarying.set(template, targets);
      // With a slash behind it, it is the same path: so Elysia has it for those that vary.
      if (template !== "/") unvarying.set(`${template}/`, targets);
      return;
    }
    app.all(
      template,
      ({ request, path, params }) => {
        // Elysia knows of none of them, and takes `/users/me` for `/users/:user_id`.
        const { byMethod, refusal } = unvarying.get(path) ?? targets;
        return answer(byMethod.get(request.method) ?? refusal, request, params);
      },
      { parse: "none" },
    );
  };

  for (const { routes, dialect, prefixes } of surfaces) {
    for (const prefix of prefixes) {
      const nowhere = nothingAt(`${prefix}/*`, dialect);
      serve(prefix, nowhere);
      serve(`${prefix}/*`, nowhere);
    }
    for (const [path, targets] of targetsByPath(routes, dialect)) serve(path, targets);
  }
  serve("/*", nothingAt("*", fallback));
  return app;
}

/** What one path answers: a target for each method that it has, and one for all others. */
interface Targets {
  readonly byMethod: ReadonlyMap<string, Target>;
  readonly refusal: Target;
}

function targetsByPath(routes: readonly Route[], dialect: Surface["dialect"]): ReadonlyMap<string, Targets> {
  const routesByPath = Map.groupBy(routes, ({ path }) => path);
  return new Map([...routesByPath].map(([path, ofPath]) => [path, targetsOf(path, ofPath, dialect)]));
}

function targetsOf(path: string, routes: readonly Route[], dialect: Surface["dialect"]): Targets {
  const byMethod = new Map<string, Target>();
  for (const route of routes) {
    const target = { route: path, dialect: route.dialect ?? dialect, handle: route.handle };
    byMethod.set(route.method, target);
    if (route.method === "GET") byMethod.set("HEAD", target);
  }
  const allow = [...byMethod.keys()];
  return { byMethod, refusal: refusal(path, dialect, { kind: "method_not_allowed", allow }) };
}

function nothingAt(route: string, dialect: Surface["dialect"]): Targets {
  return { byMethod: new Map(), refusal: refusal(route, dialect, { kind: "unknown_route" }) };
}

/** Made when it is first needed, and one for all: an error costs a stack, of which a start would take one for each path. */
function refusal(route: string, dialect: Surface["dialect"], what: AnyFault): Target {
  let fault: Fault | undefined;
  return { route, dialect, handle: () => Promise.reject((fault ??= Fault.of(what))) };
}
