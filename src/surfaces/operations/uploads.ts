import type { Avatars } from "../../core/avatars.ts";
import { Fault } from "../../core/fault.ts";
import type { Part, Route } from "../../http/route.ts";
import { route } from "../../http/route.ts";
import { content as media, t } from "../../http/schema.ts";

/** A file never changes under its name: a new avatar has a new one. */
const FOR_EVER = "public, max-age=31536000, immutable";

/** Whatever a browser is made to believe of the file, it runs nothing of it. */
const NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'; sandbox";

const fileName: Part<string> = {
  kind: "input",
  documents: {
    path: { name: "file", schema: t.String({ example: "f3b1c2.webp" }) },
    fails: [{ kind: "not_found", noun: "file" }],
  },
  read({ params }) {
    const { file } = params;
    if (file === undefined) throw Fault.of({ kind: "not_found", noun: "file" });
    return file;
  },
};

export function uploadRoutes(avatars: Avatars): readonly Route[] {
  return [
    route("GET", "/uploads/:file", {
      summary: "Read an avatar",
      operation: "readUpload",
      takes: { file: fileName },
      returns: { 200: media("image/*") },
      run: async ({ file }) => {
        const { content, type } = await avatars.read(file);
        return {
          status: 200,
          content,
          headers: {
            "content-type": type,
            "cache-control": FOR_EVER,
            "content-security-policy": NOTHING_RUNS,
          },
        };
      },
    }),
  ];
}
