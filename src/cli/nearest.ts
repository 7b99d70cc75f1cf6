/** The candidate that a mistyped word was probably meant to be; null where none is close. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: editDistance(word.toLowerCase(), candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 2)))
    .toSorted((a, b) => a.edits - b.edits);
  return best?.candidate ?? null;
}

/** What is added where a word is none of those that can be said. */
export function hint(word: string | undefined, candidates: readonly string[]): string {
  const near = word === undefined ? null : nearest(word, candidates);
  return near === null ? "" : `. Did you mean "${near}"?`;
}

/** How many letters must be put in, taken out or replaced to make one word of the other. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const added = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, added));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
