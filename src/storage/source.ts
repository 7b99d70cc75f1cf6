import type { Source } from "../core/import/source.ts";
import { openPostgresSource } from "./postgres-source.ts";
import { refusedSource } from "./source-rows.ts";
import { openSqliteSource } from "./sqlite-source.ts";

export type SourceAddress =
  | { readonly engine: "sqlite"; readonly path: string }
  | { readonly engine: "postgres"; readonly url: string };

/** Opens another backend's database, to be read and in no way written. Fails with `SourceRefused`. */
export async function openSource(address: SourceAddress): Promise<Source> {
  try {
    return address.engine === "sqlite"
      ? openSqliteSource(address.path)
      : await openPostgresSource(address.url);
  } catch (error) {
    throw refusedSource(error);
  }
}
