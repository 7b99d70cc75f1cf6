import { CACHED } from "../../../http/etag.ts";
import { route } from "../../../http/route.ts";
import type { Route } from "../../../http/route.ts";
import { content } from "../../../http/schema.ts";
import { oneOf } from "../../../http/static-file.ts";
import { guides } from "./guides.ts";

/** Nothing runs in a guide: it is words, and the style of the page at `/`. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const guideRoutes: readonly Route[] = [
  route("GET", "/guides/:guide", {
    summary: "Read a guide",
    description: "The pages of `docs/`, as they were when this server was built.",
    operation: "readGuide",
    takes: { guide: oneOf(guides, "guide", "quick-start") },
    returns: { 200: content("text/html"), 304: null },
    sends: CACHED,
    run: ({ guide }, { request }) => guide.reply(request, { "content-security-policy": POLICY }),
  }),
];
