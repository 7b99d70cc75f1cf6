import type { Core } from "../../core/core.ts";
import { cached } from "../../http/cached.ts";
import { CACHED } from "../../http/etag.ts";
import { ok } from "../../http/reply.ts";
import { route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";

const KeySet = t.Object({
  keys: t.Array(t.Record(t.String(), t.String(), { description: "A public key, as RFC 7517 has it" })),
});

const ServerMetadata = t.Object({
  issuer: t.String({ format: "uri" }),
  token_endpoint: t.String({ format: "uri" }),
  revocation_endpoint: t.String({ format: "uri" }),
  jwks_uri: t.String({ format: "uri" }),
  response_types_supported: t.Array(t.String()),
  grant_types_supported: t.Array(t.String()),
  token_endpoint_auth_methods_supported: t.Array(t.String()),
  revocation_endpoint_auth_methods_supported: t.Array(t.String()),
});

/** Verifiers keep what they fetched for so long: a key is announced that long before it signs. */
const MAX_AGE_SECONDS = 300;

/** What lets standard clients and verifiers of tokens configure themselves. */
export function wellKnownRoutes(core: Core, publicUrl: string | null): readonly Route[] {
  return [
    route("GET", "/.well-known/jwks.json", {
      summary: "The public keys that access tokens verify with",
      operation: "readKeySet",
      takes: {},
      returns: { 200: KeySet, 304: null },
      sends: CACHED,
      run: (_, exchange) => cached(exchange, core.publicKeys(), MAX_AGE_SECONDS),
    }),

    route("GET", "/.well-known/oauth-authorization-server", {
      summary: "Where tokens are given out, revoked and explained (RFC 8414)",
      operation: "readServerMetadata",
      takes: {},
      returns: { 200: ServerMetadata, 304: null },
      sends: CACHED,
      run: (_, exchange) =>
        publicUrl === null
          ? // Told by the name that the client used, and so for no cache to keep.
            ok(serverMetadata(new URL(exchange.request.url).origin))
          : cached(exchange, serverMetadata(publicUrl), MAX_AGE_SECONDS),
    }),
  ];
}

function serverMetadata(address: string) {
  return {
    issuer: address,
    token_endpoint: `${address}/api/v1/auth/token`,
    revocation_endpoint: `${address}/api/v1/auth/revoke`,
    jwks_uri: `${address}/.well-known/jwks.json`,
    response_types_supported: [],
    grant_types_supported: ["password", "refresh_token"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
  };
}
