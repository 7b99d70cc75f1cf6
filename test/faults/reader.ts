/**
 * Somebody who reads with a token, one request after the other, from a process of their own: what else a test does
 * takes no time from them. Prints how long each took, in milliseconds.
 *
 *     bun test/faults/reader.ts URL TOKEN SECONDS
 */
export {};

const PAUSE_MS = 2;

const [url, token, seconds] = Bun.argv.slice(2);
if (url === undefined || token === undefined || seconds === undefined) {
  throw new Error("usage: bun test/faults/reader.ts URL TOKEN SECONDS");
}
const durationsMs: number[] = [];
const endsAtMs = performance.now() + Number(seconds) * 1_000;
while (performance.now() < endsAtMs) {
  const startedMs = performance.now();
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  await answer.text();
  durationsMs.push(performance.now() - startedMs);
  if (answer.status !== 200) throw new Error(`GET ${url} answered ${answer.status}`);
  await Bun.sleep(PAUSE_MS);
}
console.log(JSON.stringify(durationsMs));
