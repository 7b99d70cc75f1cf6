import { expect, spyOn, test } from "bun:test";
import { systemClock } from "../../src/core/clock.ts";
import { Fault } from "../../src/core/fault.ts";
import { silentLog } from "../../src/core/log.ts";
import { createHasher } from "../../src/core/passwords.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import { tracedDatabase } from "../../src/tracing/traced-database.ts";
import { tracedHasher } from "../../src/tracing/traced-hasher.ts";
import { Tracer } from "../../src/tracing/tracer.ts";

const names: string[] = [];
const tracer = new Tracer({
  sampler: { followsParent: false, ratio: 1 },
  clock: systemClock,
  onSpan: ({ name }) => void names.push(name),
});

/** What is told of a request for which `work` is done, the request itself left out. */
async function stepsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
  names.length = 0;
  await tracer.follow(new Request("http://localhost/"), async () => {
    await work();
    return new Response();
  });
  return names.slice(0, -1);
}

test("S8 a traced hasher refuses where its queue is full, and counts who runs and who waits", async () => {
  const hasher = tracedHasher(createHasher({ concurrency: 1, maxQueued: 1, log: silentLog }), tracer);
  const both = [hasher.hash("first one"), hasher.hash("second one")];
  expect([hasher.running(), hasher.queued()]).toEqual([1, 1]);
  expect(() => hasher.refuseIfFull()).toThrow(Fault);
  await Promise.all(both);
  hasher.refuseIfFull();
});

test("each password is a step", async () => {
  const hasher = tracedHasher(createHasher({ concurrency: 1, maxQueued: 1, log: silentLog }), tracer);
  expect(await stepsOf(() => hasher.hash("a password"))).toEqual(["password hash"]);
  expect(await stepsOf(() => hasher.verify("a password", null))).toEqual(["password verify"]);
});

test.each(["write", "writeOne", "writeUnsynced"] as const)(
  "each %s is a step, and is just that kind",
  async (kind) => {
    const database = openSqlite({ path: ":memory:" });
    await database.write((connection) => connection.run("CREATE TABLE notes (id BIGINT)"));
    const asked = spyOn(database, kind);
    const traced = tracedDatabase(database, tracer);
    const insert = () => traced[kind]((connection) => connection.run("INSERT INTO notes VALUES (1)"));
    expect(await stepsOf(insert)).toEqual(["INSERT notes", "write"]);
    expect(asked).toHaveBeenCalledTimes(1);
    await traced.close();
  },
);

test("each read is a step, of one row or of all", async () => {
  const database = openSqlite({ path: ":memory:" });
  await database.write((connection) => connection.run("CREATE TABLE notes (id BIGINT)"));
  const { reader, ...traced } = tracedDatabase(database, tracer);
  expect(await stepsOf(() => reader.first("SELECT id FROM notes"))).toEqual(["SELECT notes"]);
  expect(await stepsOf(() => reader.all("SELECT id FROM notes"))).toEqual(["SELECT notes"]);
  expect(traced.connections()).toEqual(database.connections());
  await traced.close();
});
