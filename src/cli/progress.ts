import type { Terminal } from "./command.ts";

const BAR_CHARACTERS = 30;
const PLAIN_LINE_EVERY_MS = 1_000;
const BAR_EVERY_MS = 50;

/** How far a long task is: a bar where a person watches, and else a plain line now and then. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #noun: string;
  readonly #total: number;
  #lastAtMs = -Infinity;

  constructor(terminal: Terminal, noun: string, total: number) {
    this.#terminal = terminal;
    this.#noun = noun;
    this.#total = total;
  }

  show(done: number): void {
    const { overwrite } = this.#terminal;
    const isOver = done >= this.#total;
    const nowMs = performance.now();
    if (!isOver && nowMs - this.#lastAtMs < (overwrite === undefined ? PLAIN_LINE_EVERY_MS : BAR_EVERY_MS))
      return;
    this.#lastAtMs = nowMs;
    const counted = `${done} of ${this.#total} ${this.#noun}`;
    if (overwrite === undefined) return this.#terminal.out(counted);
    // What was counted at the beginning may have grown since.
    const filled = isOver ? BAR_CHARACTERS : Math.round((BAR_CHARACTERS * done) / this.#total);
    overwrite(
      `[${"#".repeat(filled)}${" ".repeat(BAR_CHARACTERS - filled)}] ${counted}${isOver ? "\n" : ""}`,
    );
  }
}
