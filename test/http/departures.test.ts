import { expect, test } from "bun:test";
import { Departures } from "../../src/http/departures.ts";
import type { Peer } from "../../src/http/departures.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Microtasks alone: the turn of the event loop goes on. */
async function thisTurn(): Promise<void> {
  for (let step = 0; step < 10; step += 1) await null;
}

const peer = (port: number): Peer => ({ address: "127.0.0.1", port });

/** Requests of one turn, each on a connection of its own, whose answers note their names as they leave. */
function answer(departures: Departures, names: readonly string[], left: string[], nowMs = 0): void {
  for (const name of names) {
    departures.announce(peer(name.charCodeAt(0)), nowMs);
    void departures.next(nowMs)?.then(() => left.push(name));
  }
}

/** Five in one turn, so that those of the next wait for each other. */
async function busy(): Promise<Departures> {
  const departures = new Departures();
  answer(departures, ["a", "b", "c", "d", "e"], []);
  await turn();
  return departures;
}

test("where few are answered in a turn, none waits", async () => {
  const departures = new Departures();
  for (let round = 0; round < 3; round += 1) {
    for (let nth = 0; nth < 4; nth += 1) expect(departures.next(0)).toBeNull();
    await turn();
  }
});

test("where many are, those of one turn leave together at its end", async () => {
  const departures = await busy();
  const left: string[] = [];
  answer(departures, ["f", "g"], left);
  await thisTurn();
  expect(left).toEqual([]);
  await turn();
  expect(left).toEqual(["f", "g"]);
});

test("they leave before whatever was put off to the turn's end since the request began", async () => {
  const departures = await busy();
  const done: string[] = [];
  departures.announce(peer(1), 0);
  setImmediate(() => done.push("log"));
  void departures.next(0)?.then(() => done.push("answer"));
  await turn();
  expect(done).toEqual(["answer", "log"]);
});

test("once the first has waited for half a millisecond, all leave; who comes then waits for the next", async () => {
  const departures = await busy();
  const left: string[] = [];
  answer(departures, ["f", "g", "h"], left, 10);
  answer(departures, ["i"], left, 10.4);
  await thisTurn();
  expect(left).toEqual([]);
  answer(departures, ["j"], left, 10.5);
  answer(departures, ["k"], left, 10.6);
  await thisTurn();
  expect(left).toEqual(["f", "g", "h", "i", "j"]);
  await turn();
  expect(left).toEqual(["f", "g", "h", "i", "j", "k"]);
});

test("a turn with many is one also where most of them have left before its end", async () => {
  const departures = await busy();
  answer(departures, ["f", "g", "h", "i"], [], 0);
  answer(departures, ["j"], [], 1);
  await turn();
  expect(departures.next(1)).not.toBeNull();
});

test("after a turn with few, or a pause, they are sent at once again", async () => {
  const afterFew = await busy();
  answer(afterFew, ["f"], []);
  await turn();
  expect(afterFew.next(0)).toBeNull();

  const afterPause = await busy();
  afterPause.announce(peer(1), 101);
  expect(afterPause.next(101)).toBeNull();
});

test("for a thousand turns after two requests of one connection in one turn nobody waits", async () => {
  const departures = await busy();
  departures.announce(peer(1), 0);
  departures.announce(peer(1), 0);
  expect(departures.next(0)).toBeNull();
  for (let round = 0; round < 1_000; round += 1) {
    answer(departures, ["a", "b", "c", "d", "e"], []);
    await turn();
    expect(departures.next(0)).toBeNull();
  }
  answer(departures, ["a", "b", "c", "d", "e"], []);
  await turn();
  answer(departures, ["a", "b", "c", "d", "e"], []);
  await turn();
  expect(departures.next(0)).not.toBeNull();
});
