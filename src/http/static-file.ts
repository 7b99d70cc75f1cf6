import { Fault } from "../core/fault.ts";
import { isKnown } from "./etag.ts";
import type { Reply } from "./reply.ts";
import { input } from "./route.ts";
import { t } from "./schema.ts";

interface Loaded {
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/**
 * Bytes that never change while the process runs, such as a page's script: read and packed at the first request,
 * and sent again only to who has another version.
 */
export class StaticFile {
  readonly #load: () => Promise<Uint8Array<ArrayBuffer>>;
  readonly #type: string;
  #loaded: Promise<Loaded> | null = null;

  /** From the file at a path, or of the text that `source` makes. */
  constructor(source: string | (() => Promise<string>), type: string) {
    this.#load =
      typeof source === "string"
        ? () => Bun.file(source).bytes()
        : async () => new TextEncoder().encode(await source());
    this.#type = type;
  }

  async reply(request: Request, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    this.#loaded ??= this.#load().then(packed);
    const { plain, gzipped, etag } = await this.#loaded;
    const shared = { ...headers, etag, "cache-control": "no-cache", vary: "Accept-Encoding, Origin" };
    if (isKnown(request, etag)) return { status: 304, headers: shared };
    const typed = { ...shared, "content-type": this.#type };
    return acceptsGzip(request)
      ? { status: 200, content: gzipped, headers: { ...typed, "content-encoding": "gzip" } }
      : { status: 200, content: plain, headers: typed };
  }
}

/** The file that a path names by its last part, `name`. */
export function oneOf(files: ReadonlyMap<string, StaticFile>, name: string, example: string) {
  return input(
    {
      path: { name, schema: t.String({ example }) },
      fails: [{ kind: "not_found", noun: "file" }],
    },
    ({ params }) => {
      const found = files.get(params[name] ?? "");
      if (found === undefined) throw Fault.of({ kind: "not_found", noun: "file" });
      return found;
    },
  );
}

function packed(plain: Uint8Array<ArrayBuffer>): Loaded {
  const digest = new Bun.CryptoHasher("sha256").update(plain).digest("base64url").slice(0, 22);
  // Weak, since it names the content however it is packed.
  return { plain, gzipped: Bun.gzipSync(plain), etag: `W/"${digest}"` };
}

function acceptsGzip(request: Request): boolean {
  const accepted = request.headers.get("accept-encoding") ?? "";
  return /(?:^|[\s,])gzip(?:\s*;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+)?\s*(?:,|$)/i.test(accepted);
}
