import { expect, test } from "bun:test";
import { migrationFiles } from "../../../migrations/index.ts";
import { MigrationRefused, migrateUp, parseMigrations } from "../../../src/storage/migrations.ts";
import { failureOf } from "../../support/failure.ts";
import { forEachEngine } from "../../support/program.ts";

const migrations = parseMigrations(migrationFiles);

forEachEngine("a server that leaves migrating to somebody else", (start, engine) => {
  test(`is not started before it is done on ${engine}`, async () => {
    const program = await start({ AUTO_MIGRATE: "false" });
    const client = program.client();
    const { database, clock } = program;

    for (const applied of [0, migrations.length - 1]) {
      await migrateUp(database, migrations, clock, { steps: applied });
      expect(await client.get("/health/startup")).toMatchObject({
        status: 503,
        body: { status: "starting" },
      });
      expect(await client.get("/health/readiness")).toMatchObject({
        status: 503,
        body: { status: "unavailable", checks: { database: "ok" } },
      });
      expect((await client.get("/health/liveness")).status).toBe(200);
    }
    expect(program.log.filter((line) => line.includes("admin.setup_token"))).toEqual([]);

    await migrateUp(database, migrations, clock);
    expect((await client.get("/health/startup")).body).toEqual({ status: "started" });
    expect((await client.get("/health/readiness")).status).toBe(200);
    expect(program.log.filter((line) => line.includes("admin.setup_token"))).toHaveLength(1);
  });

  test(`S37 does not start on a schema that is not its own on ${engine}`, async () => {
    const { database } = await start();
    const newer =
      "INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (999, 'x', 'x', 1)";
    await database.write((connection) => connection.run(newer));
    expect(await failureOf(start({ AUTO_MIGRATE: "false" }))).toBeInstanceOf(MigrationRefused);
    await database.write((connection) => connection.run("DELETE FROM schema_migrations WHERE version = 999"));
  });
});
