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
  ["redoc.standalone.js", new StaticFile(redocWithoutForeignImage, SCRIPT)],
  ["start-redoc.js", new StaticFile(startRedoc, SCRIPT)],
  ["start-swagger.js", new StaticFile(startSwagger, SCRIPT)],
  ["swagger-ui.css", new StaticFile(swaggerStyle, STYLE)],
  ["swagger-ui-bundle.js", new StaticFile(swaggerScript, SCRIPT)],
]);

/** ReDoc asks another host for its maker's logo, and leaves it out where there is none. */
async function redocWithoutForeignImage(): Promise<string> {
  const script = await Bun.file(redoc).text();
  return script.replaceAll("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,");
}
