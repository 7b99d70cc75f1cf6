import { CACHED } from "../../../http/etag.ts";
import type { OpenApiDocument } from "../../../http/openapi.ts";
import { route } from "../../../http/route.ts";
import type { Route } from "../../../http/route.ts";
import { content, t } from "../../../http/schema.ts";
import { oneOf, StaticFile } from "../../../http/static-file.ts";
import { assets, pages } from "./assets.ts";

export interface Documentation {
  /** Made at the first request for it, when every surface stands. */
  readonly document: () => OpenApiDocument;
  /** Where the document says that the API is, for the pages to be let there; null where they come from. */
  readonly apiOrigin: string | null;
}

export function docsRoutes({ document, apiOrigin }: Documentation): readonly Route[] {
  const openApi = new StaticFile(async () => JSON.stringify(document()), "application/json");
  const policies = { swagger: swaggerPolicy(apiOrigin), redoc: redocPolicy() };

  return [
    route("GET", "/openapi.json", {
      summary: "Read this document",
      operation: "readOpenApi",
      takes: {},
      returns: {
        200: t.Object({ openapi: t.String({ example: "3.1.0" }) }, { additionalProperties: true }),
        304: null,
      },
      sends: CACHED,
      run: (_, { request }) => openApi.reply(request),
    }),

    route("GET", "/docs", {
      summary: "Try the API in Swagger UI",
      operation: "showSwaggerUi",
      takes: {},
      returns: { 200: content("text/html"), 304: null },
      sends: CACHED,
      run: (_, { request }) => pages.swagger.reply(request, { "content-security-policy": policies.swagger }),
    }),

    route("GET", "/redoc", {
      summary: "Read about the API in ReDoc",
      operation: "showReDoc",
      takes: {},
      returns: { 200: content("text/html"), 304: null },
      sends: CACHED,
      run: (_, { request }) => pages.redoc.reply(request, { "content-security-policy": policies.redoc }),
    }),

    route("GET", "/docs/assets/:file", {
      summary: "Read a script or a style of the pages",
      operation: "readDocsAsset",
      takes: { asset: oneOf(assets, "file", "pages.css") },
      returns: { 200: content("*/*"), 304: null },
      sends: CACHED,
      run: ({ asset }, { request }) => asset.reply(request),
    }),
  ];
}

const PAGE_POLICY = ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"];

function swaggerPolicy(apiOrigin: string | null): string {
  const api = apiOrigin === null ? "" : ` ${apiOrigin}`;
  return [
    ...PAGE_POLICY,
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self'${api}`,
    "form-action 'none'",
  ].join("; ");
}

/**
 * What ReDoc may write into style elements of its own: nothing, since it fills most of them rule by rule, which no
 * policy forbids; and the looks of its scroll bar, which are a part of the exact version in package.json.
 */
const REDOC_STYLES = [
  "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
  "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
].join(" ");

function redocPolicy(): string {
  return [
    ...PAGE_POLICY,
    `style-src 'self' ${REDOC_STYLES}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src blob:",
    "form-action 'none'",
  ].join("; ");
}
