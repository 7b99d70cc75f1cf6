/** The tests that carry a number of the security list in their names. */
export interface Check {
  readonly numbers: readonly number[];
  /** As it reads when it runs: without its numbers, and with an ellipsis for what is filled in. */
  readonly name: string;
  /** Whether it is a group, whose tests all count. */
  readonly isGroup: boolean;
  readonly file: string;
}

/** Where the name of a test or a group, in any quotes, begins with numbers; after `each(…)` comes another call. */
const NAMED = /(?:\b(test|describe|step)(?:\.\w+)*|\))\(\s*(["'`])((?:S\d+ )+(?:\\.|(?!\2)[^\\])*)\2/g;

export function checksIn(file: string, source: string): readonly Check[] {
  return [...source.matchAll(NAMED)].map(([, keyword, , title = ""]) => {
    const [numbered = ""] = /^(?:S\d+ )+/.exec(title) ?? [];
    return {
      numbers: numbersOf(numbered),
      name: plain(title.slice(numbered.length)),
      isGroup: keyword === "describe",
      file,
    };
  });
}

function numbersOf(text: string): readonly number[] {
  return [...text.matchAll(/\d+/g)].map(Number);
}

function plain(title: string): string {
  return title.replaceAll(/\$\{[^}]*\}|%[sdjpo]/g, "…").replaceAll(/\\(.)/g, "$1");
}
