import { fstatSync, writeSync } from "node:fs";
import { systemCode } from "../core/system-code.ts";
import type { Terminal } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";

const OUTPUT = 1;
const ERRORS = 2;
const UNTIL_READ_MS = 1;

/** The system is asked first: `process.stdout` loads all of Node's streams, for which a server's log need not wait. */
const isInteractive = fstatSync(OUTPUT).isCharacterDevice() && process.stdout.isTTY === true;

/** Why the output ended before the command did; null where all of it was written. */
let outputFailure: unknown = null;

export const processTerminal: Terminal = {
  out: (line) => print(`${line}\n`),
  err(line) {
    try {
      writeWhole(ERRORS, `${line}\n`);
    } catch {
      // There is nowhere left to say it.
    }
  },
  ...(isInteractive ? { overwrite: (text) => print(`\r\x1b[2K${text}`) } : {}),
  isInteractive,
};

/**
 * What the process ends with: a command whose output was lost did not do all that it was asked for. Whoever stops
 * reading, as `head` does, has what they wanted.
 */
export function exitCodeAfterOutput(exitCode: number): number {
  if (outputFailure === null || systemCode(outputFailure) === "EPIPE") return exitCode;
  const why = outputFailure instanceof Error ? outputFailure.message : String(outputFailure);
  processTerminal.err(`latchkey: the output could not be written, but what the command did is done: ${why}`);
  return exitCode === exitCodes.ok ? exitCodes.inputOutput : exitCode;
}

function print(text: string): void {
  if (outputFailure !== null) return;
  try {
    writeWhole(OUTPUT, text);
  } catch (error) {
    outputFailure = error;
  }
}

/** At once, however slowly somebody reads: a stream would keep it in memory, and lose it when the process ends. */
function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(file, bytes, written);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw error;
      Bun.sleepSync(UNTIL_READ_MS);
    }
  }
}
