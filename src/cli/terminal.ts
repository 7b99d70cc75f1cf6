import { fstatSync } from "node:fs";
import type { Terminal } from "./command.ts";

const STANDARD_OUTPUT = 1;

/** The system is asked first: `process.stdout` loads all of Node's streams, for which a server's log need not wait. */
const isInteractive = fstatSync(STANDARD_OUTPUT).isCharacterDevice() && process.stdout.isTTY === true;

export const processTerminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  ...(isInteractive ? { overwrite: (text) => void process.stdout.write(`\r\x1b[2K${text}`) } : {}),
  isInteractive,
};
