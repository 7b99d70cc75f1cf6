import { CACHED } from "../../../http/etag.ts";
import { ok } from "../../../http/reply.ts";
import type { Reply } from "../../../http/reply.ts";
import { route } from "../../../http/route.ts";
import type { Route } from "../../../http/route.ts";
import { content, t } from "../../../http/schema.ts";
import type { Static } from "../../../http/schema.ts";
import { oneOf, StaticFile } from "../../../http/static-file.ts";
import icon from "./icon.svg" with { type: "file" };
import styles from "./page.css" with { type: "file" };
import page from "./page.html" with { type: "file" };
import script from "./page.js" with { type: "file" };

/** What the server tells of itself to whoever opens its address. */
export interface About {
  readonly name: string;
  readonly version: string;
  readonly database: "SQLite" | "PostgreSQL";
  /** Whether the documentation is served, and the page may try the API out. */
  readonly isDocumented: boolean;
}

const REGISTRATION = "Anyone, as a user. An administrator is made by another, the first by the setup token.";

const Index = t.Object(
  {
    name: t.String({ example: "Latchkey" }),
    version: t.String({ example: "0.1.0" }),
    database: t.String({ example: "SQLite" }),
    registration: t.String({ example: REGISTRATION }),
    links: t.Record(t.String(), t.String(), { example: { health: "/health", docs: "/docs" } }),
  },
  { $id: "Index" },
);

export function pageRoutes(about: About): readonly Route[] {
  const html = new StaticFile(() => filledIn(about), "text/html; charset=utf-8");
  return [
    route("GET", "/", {
      summary: "What this server is",
      description: "A page for browsers; the same in JSON for programs, which do not ask for HTML.",
      operation: "index",
      takes: {},
      returns: { 200: t.Union([Index, content("text/html")]), 304: null },
      sends: CACHED,
      run: (_, { request }) => (wantsPage(request) ? showPage(html, request) : ok(index(about), VARY)),
    }),

    route("GET", "/assets/:file", {
      summary: "Read a script or a style of the page",
      operation: "readPageAsset",
      takes: { asset: oneOf(assets, "file", "page.css") },
      returns: { 200: content("*/*"), 304: null },
      sends: CACHED,
      run: ({ asset }, { request }) => asset.reply(request),
    }),
  ];
}

const VARY = { vary: "Accept, Origin" };

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

async function showPage(html: StaticFile, request: Request): Promise<Reply> {
  const reply = await html.reply(request, { "content-security-policy": POLICY });
  return { ...reply, headers: { ...reply.headers, vary: "Accept, Accept-Encoding, Origin" } };
}

/** Browsers name HTML first; programs ask for JSON, or for anything. */
function wantsPage(request: Request): boolean {
  const accepted = request.headers.get("accept")?.toLowerCase() ?? "";
  const [html, json] = [accepted.indexOf("text/html"), accepted.indexOf("application/json")];
  return html !== -1 && (json === -1 || html < json);
}

function index({ name, version, database, isDocumented }: About): Static<typeof Index> {
  return {
    name,
    version,
    database,
    registration: REGISTRATION,
    links: {
      health: "/health",
      readiness: "/health/readiness",
      ...(isDocumented
        ? { docs: "/docs", redoc: "/redoc", openapi: "/openapi.json", guides: "/guides/quick-start" }
        : {}),
    },
  };
}

async function filledIn(about: About): Promise<string> {
  const facts: Readonly<Record<string, string>> = {
    name: about.name,
    version: about.version,
    database: about.database,
    registration: REGISTRATION,
  };
  const template = await Bun.file(String(page)).text();
  const shown = about.isDocumented
    ? template
    : template.replaceAll(/<!-- documented -->.*?<!-- \/documented -->/gs, "");
  return shown.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => Bun.escapeHTML(facts[name] ?? ""));
}

const assets: ReadonlyMap<string, StaticFile> = new Map([
  ["icon.svg", new StaticFile(icon, "image/svg+xml")],
  ["page.css", new StaticFile(styles, "text/css; charset=utf-8")],
  ["page.js", new StaticFile(script, "text/javascript; charset=utf-8")],
]);
