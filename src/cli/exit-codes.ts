/** What a script learns from a command: the numbers of BSD's sysexits, where one fits. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  /** The command line was not understood. */
  usage: 64,
  /** A file or a record given to the command is not what it should be. */
  badInput: 65,
  /** What the command leans on, such as the database, cannot be reached. */
  unavailable: 69,
  /** A fault of the program itself. */
  internal: 70,
  /** A file could not be read or written. */
  inputOutput: 74,
  /** The settings hold a mistake. */
  config: 78,
  /** Stopped by Ctrl-C, in the shell's own number. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
