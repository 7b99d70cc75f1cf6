// Each import carries its file into the compiled binary, so that the pages need no other host.
import redoc from "redoc/bundles/redoc.standalone.js" with { type: "file" };
import swaggerScript from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import swaggerStyle from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import pagesStyle from "./pages.css" with { type: "file" };
import redocPage from "./redoc.html" with { type: "file" };
import startRedoc from "./start-redoc.js" with { type: "file" };
import startSwagger from "./start-swagger.js" with { type: "file" };
import swaggerPage from "./swagger.html" with { type: "file" };
import { StaticFile } from "../../../http/static-file.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";
const PAGE = "text/html; charset=utf-8";

// The types know HTML as the bundler would read it; as a file it is a path like the others.
export const pages = {
  swagger: new StaticFile(String(swaggerPage), PAGE),
  redoc: new StaticFile(String(redocPage), PAGE),
};

export const assets: ReadonlyMap<string, StaticFile> = new Map([
  ["pages.css", new StaticFile(pagesStyle, STYLE)],
  ["redoc.standalone.js", new StaticFile(mendedRedoc, SCRIPT)],
  ["start-redoc.js", new StaticFile(startRedoc, SCRIPT)],
  ["start-swagger.js", new StaticFile(startSwagger, SCRIPT)],
  ["swagger-ui.css", new StaticFile(swaggerStyle, STYLE)],
  ["swagger-ui-bundle.js", new StaticFile(swaggerScript, SCRIPT)],
]);

/** What ReDoc writes out and no setting changes, with what stands there instead: parts of the exact version in package.json. */
const REDOC_MENDED = [
  // Its maker's logo, for which it asks another host; where there is none it is left out.
  ["https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,"],
  // The colour of patterns, which cannot be read on a dark ground: pages.css has one for it.
  ["color: #0e7c86;", "color: var(--pattern, #0e7c86);"],
] as const;

async function mendedRedoc(): Promise<string> {
  let script = await Bun.file(redoc).text();
  for (const [written, meant] of REDOC_MENDED) {
    if (!script.includes(written)) throw new Error(`ReDoc has no more ${written}`);
    script = script.replaceAll(written, meant);
  }
  return script;
}
