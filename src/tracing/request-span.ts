import type { LogFields } from "../core/log.ts";
import type { Attributes } from "./otlp.ts";

/** What is known of a request once it is answered. `line` is what the log was told of it. */
export interface AnsweredRequest {
  readonly request: { readonly method: string; readonly url: string };
  readonly status: number;
  readonly line: LogFields;
}

/** A route that takes any method must not give each word that somebody makes up a name of its own. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const OTHER_METHOD = "_OTHER";

/** By the route's template: names are few, whatever clients ask for. */
export function requestName({ request, line }: AnsweredRequest): string {
  const verb = METHODS.has(request.method) ? request.method : "HTTP";
  return typeof line["route"] === "string" ? `${verb} ${line["route"]}` : verb;
}

/**
 * https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server, without what a client could have put a
 * secret into: no query, no header, and of the path only what is the route's own or a number.
 */
export function requestAttributes({ request, status, line }: AnsweredRequest): Attributes {
  const { route, client, request: requestId } = line;
  // Refused requests are told too, and one may have been refused for its host.
  const url = URL.parse(request.url);
  return {
    "http.request.method": METHODS.has(request.method) ? request.method : OTHER_METHOD,
    ...(url === null ? {} : { "url.scheme": url.protocol.slice(0, -1) }),
    "http.response.status_code": status,
    ...(typeof route === "string"
      ? { "http.route": route, "url.path": soundPath(route, url?.pathname ?? "") }
      : {}),
    ...(typeof client === "string" ? { "client.address": client } : {}),
    ...(typeof requestId === "string" ? { "latchkey.request_id": requestId } : {}),
    ...(status >= 500 ? { "error.type": String(status) } : {}),
  };
}

/** The route with its parameters filled in where they are numbers: people do put tokens and names into paths. */
export function soundPath(route: string, path: string): string {
  const asked = path.split("/");
  return route
    .split("/")
    .map((part, place) => {
      const given = asked[place] ?? "";
      return part.startsWith(":") && /^[0-9]+$/.test(given) ? given : part;
    })
    .join("/");
}
