import type { Terminal } from "./command.ts";

const isInteractive = process.stdout.isTTY === true;

export const processTerminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  ...(isInteractive ? { overwrite: (text) => void process.stdout.write(`\r\x1b[2K${text}`) } : {}),
  isInteractive,
};
