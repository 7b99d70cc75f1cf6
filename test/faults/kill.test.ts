import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { scratchFolder, serve } from "../support/process.ts";
import { amount, report } from "../support/amount.ts";
import { signUp, UNLIMITED } from "./people.ts";
import { Storm } from "./storm.ts";

const ROUNDS = amount("ROUNDS", { short: 3, long: 20 });
const WRITERS = 8;
const isPostgresThere = await hasPostgres();

/** Kills the server in the middle of it, again and again; answers where it was served from. */
async function killInAStorm(settings: Readonly<Record<string, string>>): Promise<{ folder: string }> {
  const folder = scratchFolder();
  let server = await serve(folder, settings);
  const storm = new Storm(await signUp(server));
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = storm.acknowledged;
    storm.start(server, WRITERS);
    await Bun.sleep(150 + Math.random() * 250);
    server.kill("SIGKILL");
    await server.exited;
    await storm.stop();
    expect(storm.acknowledged).toBeGreaterThan(before);
    server = await serve(folder, settings);
    expect(await storm.missing(server)).toEqual([]);
    expect(await storm.invented(server)).toEqual([]);
    expect([...storm.statuses.keys()]).toEqual([200]);
  }
  server.kill("SIGKILL");
  await server.exited;
  report(`${ROUNDS} kills, ${storm.acknowledged} acknowledged creations, all found again`);
  return { folder };
}

describe("kill -9 in a storm of writes", () => {
  test(
    "S31 SQLite has every acknowledged write, is sound, and starts again by itself",
    async () => {
      const { folder } = await killInAStorm({ ...UNLIMITED, DATABASE_URL: "sqlite:///app.db" });
      const database = new Database(join(folder, "app.db"));
      expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
      expect(database.query("PRAGMA foreign_key_check").all()).toEqual([]);
      expect(database.query("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
      database.close();
    },
    ROUNDS * 10_000,
  );

  describe.if(isPostgresThere)("of a program on PostgreSQL", () => {
    const url = temporaryPostgres();
    test(
      "S31 PostgreSQL has every acknowledged write, and the program starts again by itself",
      async () => {
        await killInAStorm({ ...UNLIMITED, DATABASE_URL: url });
      },
      ROUNDS * 10_000,
    );
  });
});
