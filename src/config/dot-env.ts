/**
 * A `.env` file as python-dotenv reads it for pydantic-settings, so that one means here what it meant to a FastAPI
 * backend. Only a line that cannot be read is another matter: there it is skipped, here it is a mistake.
 */
import { quoted } from "./kinds.ts";
import type { Variables } from "./sources.ts";

export interface DotEnv {
  /** By name in capitals: it counts in any case, and the last of several wins. */
  readonly values: Variables;
  readonly mistakes: readonly DotEnvMistake[];
}

export interface DotEnvMistake {
  readonly line: number;
  /** Never holds a value: it may be a secret. */
  readonly problem: string;
}

/** `environment` is for `${NAME}`, where the file itself has not set that name by then. */
export function parseDotEnv(text: string, environment: Variables): DotEnv {
  const known = new Map(Object.entries(environment));
  const values = new Map<string, string>();
  const mistakes: DotEnvMistake[] = [];
  const reader = new Reader(text.replace(/\r\n?/g, "\n"));
  for (reader.skip(BLANK); !reader.isAtEnd(); reader.skip(BLANK)) {
    const { line } = reader;
    try {
      const { name, value } = readStatement(reader);
      if (name === null) continue;
      const expanded = expand(value, known);
      values.set(name, expanded);
      known.set(name, expanded);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      mistakes.push({ line, problem: error.message });
      reader.skip(REST_OF_LINE);
    }
  }
  const inCapitals = [...values].map(([name, value]) => [name.toUpperCase(), value] as const);
  return { values: Object.fromEntries(inCapitals), mistakes };
}

class Unreadable extends Error {}

/** A byte order mark is among it. */
const BLANK = /\s+/y;
const SPACES = /[^\S\n]+/y;
const EXPORT = /export[^\S\n]+/y;
const NAME = /'([^']+)'|([^'=#\s][^=#\s]*)/y;
const EQUALS = /=/y;
const SINGLE_QUOTED = /'((?:\\'|[^'])*)'/y;
const DOUBLE_QUOTED = /"((?:\\"|[^"])*)"/y;
const REST_OF_LINE = /([^\n]*)/y;
const COMMENT = /#[^\n]*/y;
const LINE_END = /\n|$/y;

interface Statement {
  /** Null where the line holds a comment alone. */
  readonly name: string | null;
  readonly value: string;
}

function readStatement(reader: Reader): Statement {
  reader.skip(EXPORT);
  if (reader.skip(COMMENT)) return { name: null, value: "" };
  const name = reader.take(NAME);
  if (name === null) throw new Unreadable("a name is missing: NAME=value");
  reader.skip(SPACES);
  const isGiven = reader.skip(EQUALS);
  const value = isGiven ? readValue(reader, name) : "";
  reader.skip(SPACES);
  reader.skip(COMMENT);
  if (reader.skip(LINE_END)) return { name, value };
  throw new Unreadable(
    isGiven
      ? `more follows the closing quote of ${quoted(name)}, in line ${reader.line}: NAME="value", with \\" for a quote inside`
      : "no = stands behind the first word: NAME=value",
  );
}

function readValue(reader: Reader, name: string): string {
  const isSpaced = reader.skip(SPACES);
  const opening = reader.next;
  if (opening === "'" || opening === '"') {
    const inside = reader.take(opening === "'" ? SINGLE_QUOTED : DOUBLE_QUOTED);
    if (inside !== null) return opening === "'" ? unescapeSingle(inside) : unescapeDouble(inside);
    throw new Unreadable(`the quote that opens the value of ${quoted(name)} is never closed: NAME="value"`);
  }
  if (isSpaced && opening === "#") return "";
  return (reader.take(REST_OF_LINE) ?? "").replace(/\s+#[^]*/, "").trimEnd();
}

function unescapeSingle(text: string): string {
  return text.replace(/\\([\\'])/g, "$1");
}

const ESCAPED = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["v", "\v"],
]);

function unescapeDouble(text: string): string {
  return text.replace(/\\([\\'"abfnrtv])/g, (_whole, letter: string) => ESCAPED.get(letter) ?? letter);
}

/** In quotes or not, and so in single ones too. */
function expand(value: string, known: ReadonlyMap<string, string | undefined>): string {
  return value.replace(
    /\$\{([^}:]*)(?::-([^}]*))?\}/g,
    (_whole, name: string, fallback: string | undefined) => known.get(name) ?? fallback ?? "",
  );
}

/** A place in a text. The patterns are sticky: they match there or not at all. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get next(): string {
    return this.#text.charAt(this.#at);
  }

  get line(): number {
    return this.#text.slice(0, this.#at).split("\n").length;
  }

  isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Whether there was such a thing to pass. */
  skip(pattern: RegExp): boolean {
    return this.#match(pattern) !== null;
  }

  /** What the pattern has in brackets; null where there is no such thing. */
  take(pattern: RegExp): string | null {
    const [, ...groups] = this.#match(pattern) ?? [];
    return groups.find((group) => group !== undefined) ?? null;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at += match[0].length;
    return match;
  }
}
