/** For whoever goes on to the end. */
const NEVER = new AbortController().signal;

/**
 * Repeats a write that takes at most so many rows, so that requests in between never wait for long, until there are no
 * more or it is told to stop; answers how many there were.
 */
export async function inSteps(
  rowsPerWrite: number,
  writeSome: () => Promise<number>,
  stopping: AbortSignal = NEVER,
): Promise<number> {
  let written = 0;
  while (!stopping.aborted) {
    const count = await writeSome();
    written += count;
    if (count < rowsPerWrite) break;
  }
  return written;
}
