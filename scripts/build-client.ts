/**
 * Makes the client that is published: `client/dist/index.js`, one ES module for Bun, Node and browsers that leans on
 * nothing, and `client/dist/index.d.ts`, its types.
 *
 *     bun run build:client
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CLIENT = join(import.meta.dir, "../client");

/** Types alone stand in these files, so that their text says the same in a declaration. */
const TYPE_FILES = ["types.ts", "api.ts"];

/** What is there when the client runs. A test holds it to what the sources export. */
const VALUES = `
export declare class LatchkeyError extends Error {
  override readonly name = "LatchkeyError";
  readonly kind: ErrorKind;
  /** 0 where no answer came. */
  readonly status: number;
  /** What the server itself calls it, where its surface does: \`CONFLICT\`, \`invalid_grant\`. */
  readonly code: string | null;
  readonly fields: readonly FieldError[];
  readonly retryAfterSeconds: number | null;
  /** Names the request in the server's log. */
  readonly requestId: string | null;
  constructor(message: string, facts: LatchkeyErrorFacts, cause?: unknown);
  static isOf(error: unknown, kind: ErrorKind): boolean;
}

/** Keeps tokens until the program ends. To begin with a personal access token: \`memoryTokens({ accessToken })\`. */
export declare function memoryTokens(initial?: Tokens | null): TokenStore;

export declare function createClient(
  options: ClientOptions & { readonly surface: "api-v1"; readonly session?: "rotating" | undefined },
): ApiV1Client;
export declare function createClient(
  options: ClientOptions & { readonly surface: "api-v1"; readonly session: "cookie" },
): ApiV1CookieClient;
export declare function createClient(options: ClientOptions & { readonly surface: "v1" }): V1Client;
export declare function createClient(
  options: ClientOptions & { readonly surface: "root"; readonly realm?: "user" | undefined },
): RootClient;
export declare function createClient(
  options: ClientOptions & { readonly surface: "root"; readonly realm: "admin" },
): RootAdminClient;
`;

export async function buildClient(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await Bun.build({
    entrypoints: [join(CLIENT, "src/index.ts")],
    outdir: folder,
    target: "browser",
    format: "esm",
  });
  const types = TYPE_FILES.map((file) => withoutImports(readFileSync(join(CLIENT, "src", file), "utf8")));
  writeFileSync(join(folder, "index.d.ts"), [...types, VALUES].join("\n"));
}

function withoutImports(text: string): string {
  return text.replaceAll(/^import type \{[^}]*\} from "[^"]*";\n/gm, "");
}

if (import.meta.main) {
  await buildClient(join(CLIENT, "dist"));
  console.log("client/dist/index.js, client/dist/index.d.ts");
}
