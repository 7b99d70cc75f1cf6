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
  if (file !== undefined) return firstLine(readFile(file, "--password-file"));
  if (!process.stdin.isTTY) return firstLine(asText(await Bun.stdin.bytes(), "standard input"));
  const password = await ask("New password: ");
  if ((await ask("Once more: ")) !== password) throw new Refusal("the two passwords differ");
  return password;
}

function generated(): string {
  return Array.from({ length: GENERATED_CHARACTERS }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join(
    "",
  );
}

/** `option` is where the path was given. */
export function readFile(path: string, option: string): string {
  return asText(bytesOf(path, option), path);
}

function bytesOf(path: string, option: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = systemCode(error) ?? String(error);
    throw new Refusal(`${option}: cannot read ${path} (${why})`, exitCodes.inputOutput);
  }
}

/** Bytes that are no text would all become one letter, and so many passwords one; a mark of the byte order is none of it. */
function asText(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Refusal(`${place} does not hold text in UTF-8`);
  }
}

export function firstLine(text: string): string {
  const [line = ""] = text.split(/\r?\n/, 1);
  return line;
}

const ENTER = ["\r", "\n"];
const BACKSPACE = ["\x7f", "\b"];
const CLEAR = "\x15";
const INTERRUPT = "\x03";
const END = "\x04";

/** What came in one piece with an answer, behind it: pasted lines are answers to several questions. */
let typedAhead: readonly string[] = [];

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
  const refuse = (exitCode: number) => answer.reject(new Refusal("nothing was changed", exitCode));
  const take = (given: readonly string[]) => {
    for (const [at, character] of given.entries()) {
      if (ENTER.includes(character)) {
        typedAhead = given.slice(at + (character === "\r" && given[at + 1] === "\n" ? 2 : 1));
        return answer.resolve(typed.join(""));
      }
      if (character === INTERRUPT) return refuse(exitCodes.interrupted);
      if (character === END && typed.length === 0) return refuse(exitCodes.failure);
      if (BACKSPACE.includes(character)) typed = typed.slice(0, -1);
      else typed = character === CLEAR ? [] : [...typed, character];
    }
  };
  const onData = (given: string) => take([...given]);
  const before = typedAhead;
  typedAhead = [];
  take(before);
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
