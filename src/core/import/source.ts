/**
 * Another backend's database, as far as an import reads it: nothing is ever written there. `src/storage` fills this
 * port for both engines.
 *
 * Fails with `SourceRefused` where it cannot be opened or read.
 */
export interface Source {
  /** By name. */
  tables(): Promise<readonly SourceTable[]>;
  count(table: string): Promise<number>;
  /** The highest of a column of whole numbers; null where it is empty, or holds anything else. */
  highest(table: string, column: string): Promise<number | null>;
  /** All rows, some at a time, in the order of the given columns. */
  rows(
    table: string,
    columns: readonly string[],
    inOrderOf: readonly string[],
  ): AsyncIterable<readonly SourceRow[]>;
  close(): Promise<void>;
}

export interface SourceTable {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Every value as the engine writes it in text: the two differ least there. */
export type SourceRow = Readonly<Record<string, string | null>>;

/** What the operator must put right about the database that is read. The message is theirs. */
export class SourceRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "SourceRefused";
  }
}
