import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";

const SECRET = { SECRET_KEY: "a-secret-for-the-server-alone-Zk3v9Qm-7Yt1RwXc5Hs8" };
const ADMIN = ["admin", "create", "--username", "root", "--email", "root@example.com", "--generate"];

describe("on SQLite", () => suite(() => "sqlite:///app.db", "app.db.secret"));

describe.if(await hasPostgres())("on PostgreSQL", () => {
  const urls = [temporaryPostgres(), temporaryPostgres()];
  suite(() => urls.pop() ?? "", "latchkey.secret");
});

function suite(newDatabase: () => string, kept: string): void {
  test("no command makes a secret for a database that is sealed with the server's", async () => {
    const folder = scratchFolder();
    const database = { DATABASE_URL: newDatabase() };
    const run = (args: readonly string[], secret = {}) =>
      latchkey(args, { cwd: folder, settings: { ...database, ...secret } });
    expect(await run(ADMIN, SECRET)).toMatchObject({ exitCode: 0 });

    for (const words of [
      "admin unlock root",
      "user list",
      "maintenance run",
      "seed",
      "import sqlite:///old.db --apply",
    ]) {
      const refused = await run(words.split(" "));
      expect(refused).toMatchObject({ exitCode: 78, stdout: "" });
      expect(refused.stderr).toMatch(
        /^latchkey: SECRET_KEY is not set, there is no \S+\.secret, and .* --env-file; .*\n$/,
      );
    }
    expect(readdirSync(folder)).not.toContain(kept);
    expect(await run(["audit", "verify"], SECRET)).toMatchObject({ exitCode: 0, stderr: "" });

    // One that lies there is no better, as from a start without the settings, unless somebody says that it is meant.
    const server = await serve(folder, database);
    server.kill("SIGTERM");
    await server.exited;
    const refused = await run(["admin", "unlock", "root"]);
    expect(refused).toMatchObject({ exitCode: 78, stdout: "" });
    expect(refused.stderr).toContain(`sealed with another secret than`);
    expect(await run(["audit", "verify"], SECRET)).toMatchObject({ exitCode: 0, stderr: "" });
    const meant = { SECRET_KEY_FILE: kept };
    expect(await run(["admin", "unlock", "root"], meant)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await run(["admin", "unlock", "root"])).toMatchObject({ exitCode: 0, stderr: "" });
  }, 30_000);

  test("the first command on a new database makes the secret, and the next ones have it", async () => {
    const folder = scratchFolder();
    const settings = { DATABASE_URL: newDatabase() };
    for (const args of [ADMIN, ["admin", "unlock", "root"], ["audit", "verify"]]) {
      expect(await latchkey(args, { cwd: folder, settings })).toMatchObject({ exitCode: 0, stderr: "" });
    }
    expect(readdirSync(folder)).toContain(kept);
  });
}
