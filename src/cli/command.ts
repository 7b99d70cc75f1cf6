/** Where a command writes: one line a call. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
  /** Writes in place of what it wrote last; only where a person reads it. */
  readonly overwrite?: (text: string) => void;
  /** Whether a person reads it. */
  readonly isInteractive: boolean;
}

/** One word after `latchkey`. `--help` is answered before a command runs, from what stands here. */
export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  readonly options?: readonly (readonly [flag: string, meaning: string])[];
  readonly examples: readonly string[];
  /** Answers the exit code. `args` are the words after the command's name. */
  run(args: readonly string[], terminal: Terminal): Promise<number>;
}
