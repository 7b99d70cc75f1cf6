/**
 * Conditional requests (RFC 9110, section 13): an `ETag` names the state of one resource, so that a client can
 * change what it saw and nothing newer, and need not fetch again what it has.
 */
import type { ExpectedVersion } from "../core/versions.ts";
import type { Exchange } from "./exchange.ts";
import { ok } from "./reply.ts";
import type { Reply } from "./reply.ts";
import type { Part } from "./route.ts";

/** What a route documents that answers one resource, which its clients may change. */
export const TAGGED = { ETag: "For `If-None-Match`, and `If-Match`" };

/** And one that answers what they may not. */
export const CACHED = { ETag: "Names the version, for `If-None-Match`" };

/** Taken by every route that answers 304. */
export const IF_NONE_MATCH = {
  name: "If-None-Match",
  description: "The `ETag` of what the client has; 304 where it has not changed since",
};

interface Versioned {
  readonly id: number;
  readonly version: number;
}

/** A strong one: each change of the resource makes another. */
export function etag({ id, version }: Versioned): string {
  return `"${id}.${version}"`;
}

const TAG = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

/**
 * Which versions of the resource the request may change, by its `If-Match`; any, where it has none. A tag that was
 * weakened on the way, or is of another resource, allows nothing.
 */
export function ifMatch(idParameter: string): Part<ExpectedVersion> {
  return {
    kind: "input",
    documents: {
      fails: ["precondition_failed"],
      header: {
        name: "If-Match",
        description: "The `ETag` of what is to be changed; 412 where it has changed since",
      },
    },
    read(exchange) {
      const given = exchange.header("if-match");
      if (given === null || given.trim() === "*") return "any";
      const id = exchange.params[idParameter];
      return tagsOf(given).flatMap(({ isWeak, opaque }) => {
        const [, taggedId, version] = /^([0-9]+)\.([0-9]+)$/.exec(opaque) ?? [];
        return isWeak || taggedId !== id || version === undefined ? [] : [Number(version)];
      });
    },
  };
}

/** The resource with its tag, or 304 to a client that names this very tag in `If-None-Match`. */
export function unlessKnown(exchange: Exchange, resource: Versioned, body: unknown): Reply {
  const headers = { etag: etag(resource) };
  return isKnown(exchange.request, headers.etag) ? { status: 304, headers } : ok(body, headers);
}

/** Whether `If-None-Match` names this tag: weak or strong makes no difference there (RFC 9110, section 13.1.2). */
export function isKnown(request: Request, tag: string): boolean {
  const given = request.headers.get("if-none-match");
  if (given === null) return false;
  const quoted = tag.replace(/^W\//, "");
  return given.trim() === "*" || tagsOf(given).some(({ opaque }) => `"${opaque}"` === quoted);
}

function tagsOf(list: string): readonly { readonly isWeak: boolean; readonly opaque: string }[] {
  return [...list.matchAll(TAG)].map(([, weak, opaque = ""]) => ({ isWeak: weak !== undefined, opaque }));
}
