import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { systemCode } from "../core/system-code.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

/** Where a command may get a new password from. It never stands among the arguments, which others can read. */
export interface PasswordOptions {
  readonly "password-file"?: string | undefined;
  readonly generate?: boolean | undefined;
}

export const PASSWORD_OPTIONS = [
  ["--password-file FILE", "read the new password from the first line of FILE"],
  ["--generate", "make one and print it; with neither it is asked for, or read from standard input"],
] as const;

/** Letters and digits alone: what every surface takes as a password. */
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const GENERATED_CHARACTERS = 24;

export async function readNewPassword(options: PasswordOptions): Promise<string> {
  const file = options["password-file"];
  if (options.generate === true) {
    if (file !== undefined)
      throw new Refusal("give --generate or --password-file, not both", exitCodes.usage);
    return generated();
  }
  if (file !== undefined) return firstLine(readFile(file));
  if (!process.stdin.isTTY) return firstLine(await Bun.stdin.text());
  const password = await ask("New password: ");
  if ((await ask("Once more: ")) !== password) throw new Refusal("the two passwords differ");
  return password;
}

function generated(): string {
  return Array.from({ length: GENERATED_CHARACTERS }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join(
    "",
  );
}

export function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Refusal(`cannot read ${path} (${systemCode(error) ?? String(error)})`, exitCodes.inputOutput);
  }
}

export function firstLine(text: string): string {
  const [line = ""] = text.split(/\r?\n/, 1);
  return line;
}

const ENTER = ["\r", "\n"];
const BACKSPACE = ["\x7f", "\b"];
const INTERRUPT = "\x03";
const END = "\x04";

/** Asks on the terminal, and shows nothing of what is typed. */
async function ask(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // Before the question, so that not even a fast answer is shown.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.resume();
  stdin.setEncoding("utf8");
  const answer = Promise.withResolvers<string>();
  let typed: readonly string[] = [];
  const onData = (given: string) => {
    for (const character of given) {
      if (ENTER.includes(character)) return answer.resolve(typed.join(""));
      if (character === INTERRUPT || (character === END && typed.length === 0)) {
        return answer.reject(new Refusal("nothing was changed", exitCodes.failure));
      }
      typed = BACKSPACE.includes(character) ? typed.slice(0, -1) : [...typed, character];
    }
  };
  stdin.on("data", onData);
  try {
    return await answer.promise;
  } finally {
    stdin.off("data", onData);
    stdin.pause();
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}
