import { parseArgs, type ParseArgsConfig } from "node:util";

type ParsedArguments<Shape extends ParseArgsConfig> =
  | {
      readonly ok: true;
      readonly values: ReturnType<typeof parseArgs<Shape>>["values"];
      readonly positionals: readonly string[];
    }
  | { readonly ok: false; readonly message: string };

/**
 * Strict `parseArgs`, with a mistake of the user's told in one line rather than thrown. Nothing at all is no value of any
 * option: it is what a shell makes of a variable that is not set.
 */
export function parseArguments<const Shape extends ParseArgsConfig>(shape: Shape): ParsedArguments<Shape> {
  try {
    const { values, positionals } = parseArgs(shape);
    const empty = Object.entries(values).find(([, value]) => [value].flat().includes(""));
    if (empty !== undefined)
      return { ok: false, message: `--${empty[0]} takes a value, and this one is empty` };
    return { ok: true, values, positionals };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!(error instanceof Error) || !code.startsWith("ERR_PARSE_ARGS_")) throw error;
    return { ok: false, message: firstSentence(error.message) };
  }
}

/** What follows the first sentence explains the parser rather than the mistake. */
function firstSentence(message: string): string {
  const [first = message] = message.split(/\. |\n/);
  return `${first.charAt(0).toLowerCase()}${first.slice(1)}`.replace(/\.$/, "");
}
