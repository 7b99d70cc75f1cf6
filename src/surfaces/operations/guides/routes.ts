import { Fault } from "../../../core/fault.ts";
import { input, route } from "../../../http/route.ts";
import type { Route } from "../../../http/route.ts";
import { content, t } from "../../../http/schema.ts";
import { guides } from "./guides.ts";

/** Nothing runs in a guide: it is words, and the style of the page at `/`. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const guideRoutes: readonly Route[] = [
  route("GET", "/guides/:guide", {
    summary: "Read a guide",
    description: "The pages of `docs/`, as they were when this server was built.",
    operation: "readGuide",
    takes: {
      guide: input(
        {
          path: { name: "guide", schema: t.String({ example: "quick-start" }) },
          fails: [{ kind: "not_found", noun: "file" }],
        },
        ({ params }) => {
          const found = guides.get(params.guide ?? "");
          if (found === undefined) throw Fault.of({ kind: "not_found", noun: "file" });
          return found;
        },
      ),
    },
    returns: { 200: content("text/html"), 304: null },
    sends: { ETag: "Names the version, for `If-None-Match`" },
    run: ({ guide }, { request }) => guide.reply(request, { "content-security-policy": POLICY }),
  }),
];
