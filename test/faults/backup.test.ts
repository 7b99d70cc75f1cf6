import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { amount, report } from "../support/amount.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";
import { signUp, UNLIMITED } from "./people.ts";
import { Storm } from "./storm.ts";

const ROUNDS = amount("BACKUPS", { short: 2, long: 20 });
const WRITERS = 8;
const SETTINGS = {
  ...UNLIMITED,
  DATABASE_URL: "sqlite:///app.db",
  SECRET_KEY: "a-secret-for-backups-alone-Zk3v9Qm-7Yt1RwXc5Hs8",
};

describe("a backup in a storm of writes", () => {
  test(
    "S38 opens, is sound, holds every write acknowledged before it began, and serves when it is restored",
    async () => {
      const folder = scratchFolder();
      const server = await serve(folder, SETTINGS);
      const person = await signUp(server);
      let slowestMs = 0;
      for (let round = 1; round <= ROUNDS; round += 1) {
        const before = new Storm(person);
        before.start(server, WRITERS);
        await Bun.sleep(150);
        await before.stop();
        const during = new Storm(person);
        during.start(server, WRITERS);
        const acknowledgedMeanwhile = during.acknowledged;
        const backup = await latchkey(["backup", `${round}.db`], { cwd: folder, settings: SETTINGS });
        const meanwhile = during.acknowledged - acknowledgedMeanwhile;
        await during.stop();
        expect(backup).toMatchObject({ exitCode: 0, stderr: "" });
        expect(before.acknowledged).toBeGreaterThan(10);
        expect(meanwhile).toBeGreaterThan(10);
        expect([...during.statuses.keys()]).toEqual([200]);
        slowestMs = Math.max(slowestMs, during.slowestMs);

        const file = join(folder, `${round}.db`);
        expect(statSync(file).mode & 0o777).toBe(0o600);
        using copy = new Database(file, { readonly: true });
        expect(copy.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
        expect(copy.query("PRAGMA foreign_key_check").all()).toEqual([]);
        copy.close();

        const elsewhere = scratchFolder();
        const restored = await latchkey(["restore", file], { cwd: elsewhere, settings: SETTINGS });
        expect(restored).toMatchObject({ exitCode: 0, stderr: "" });
        const second = await serve(elsewhere, SETTINGS);
        expect(await before.missing(second)).toEqual([]);
        expect(await before.invented(second)).toEqual([]);
        second.kill("SIGTERM");
        expect(await second.exited).toBe(0);
      }
      expect(readdirSync(folder).filter((file) => file.endsWith(".part"))).toEqual([]);
      report(`${ROUNDS} backups; the slowest write beside one took ${Math.round(slowestMs)} ms`);
      server.kill("SIGTERM");
      await server.exited;
    },
    ROUNDS * 15_000,
  );

  test("a database that a server has open is in nobody's place", async () => {
    const folder = scratchFolder();
    const server = await serve(folder, SETTINGS);
    const person = await signUp(server);
    expect((await latchkey(["backup", "b.db"], { cwd: folder, settings: SETTINGS })).exitCode).toBe(0);
    const refused = await latchkey(["restore", "b.db", "--force"], { cwd: folder, settings: SETTINGS });
    expect(refused.exitCode).toBe(74);
    expect(refused.stderr).toContain("app.db is open in another program: stop the server first");
    expect(await (await fetch(`${server.url}/health/readiness`)).json()).toMatchObject({ status: "ready" });
    server.kill("SIGKILL");
    await server.exited;
    expect(existsSync(join(folder, "app.db-wal"))).toBe(true);

    // What the log of the one that was killed still holds goes aside with it.
    const restored = await latchkey(["restore", "b.db", "--force"], { cwd: folder, settings: SETTINGS });
    expect(restored).toMatchObject({ exitCode: 0, stderr: "" });
    expect(existsSync(join(folder, "app.db-wal"))).toBe(false);
    const [, aside = ""] = /is now (app\.db\.before-\S+)/.exec(restored.stdout) ?? [];
    using kept = new Database(join(folder, aside), { readonly: true });
    expect(kept.query("SELECT email FROM users").all()).toEqual([{ email: person.email }]);
  });
});
