import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { latchkey, scratchFolder } from "../support/process.ts";
import { hasPostgres, temporaryPostgres } from "../support/postgres.ts";

const SETTINGS = {
  DATABASE_URL: "sqlite:///app.db",
  SECRET_KEY: "a-secret-for-the-doctor-alone-Zk3v9Qm-7Yt1RwXc5Hs8",
};
const isPostgresThere = await hasPostgres();

async function examined(cwd: string, settings: Readonly<Record<string, string>> = {}) {
  const { exitCode, stdout, stderr } = await latchkey(["doctor"], {
    cwd,
    settings: { ...SETTINGS, ...settings },
  });
  expect(stderr).toBe("");
  return { exitCode, said: stdout };
}

async function withDatabase(): Promise<string> {
  const folder = scratchFolder();
  expect((await latchkey(["migrate", "up"], { cwd: folder, settings: SETTINGS })).exitCode).toBe(0);
  return folder;
}

describe("doctor", () => {
  test("finds nothing wrong before the first start, and makes nothing", async () => {
    const folder = scratchFolder();
    const { exitCode, said } = await examined(folder);
    expect(exitCode).toBe(0);
    expect(said).toContain("none yet: the first start makes app.db");
    expect(said).toEndWith(" 1 to look at, 0 failed\n");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("says what it found of a database that is well", async () => {
    const { exitCode, said } = await examined(await withDatabase());
    expect(exitCode).toBe(0);
    for (const line of [
      /^ok +database +SQLite, app\.db: sound, 0\.\d MB, 0 users, 0 todos$/m,
      /^ok +schema +all \d+ migrations are applied$/m,
      /^ok +clock +0\.\d s from the database's$/m,
      /^ok +disk +[\d.]+ [MG]B free at /m,
      /^ok +uploads +uploads can be written$/m,
    ]) {
      expect(said).toMatch(line);
    }
  });

  test("names every mistake in the settings", async () => {
    const { exitCode, said } = await examined(scratchFolder(), { PORT: "many", HASH_QUEUE: "-1" });
    expect(exitCode).toBe(1);
    expect(said).toMatch(/^failed +settings +PORT/m);
    expect(said).toMatch(/^failed +settings +HASH_QUEUE/m);
  });

  test("finds a kept secret that the server could not start with", async () => {
    const folder = await withDatabase();
    writeFileSync(join(folder, "app.db.secret"), "junk");
    const { exitCode, said } = await examined(folder, { SECRET_KEY: "" });
    expect(exitCode).toBe(1);
    expect(said).toMatch(
      /^failed +secret +SECRET_KEY is not set, and .*app\.db\.secret does not hold a secret/m,
    );
  });

  test("finds a database that others may read", async () => {
    const folder = await withDatabase();
    chmodSync(join(folder, "app.db"), 0o644);
    const { exitCode, said } = await examined(folder);
    expect(exitCode).toBe(0);
    expect(said).toMatch(
      /^warning +database +others than its owner may read app\.db\n +-> chmod 600 app\.db$/m,
    );
  });

  test("finds damage, and how to put it right", async () => {
    const folder = await withDatabase();
    const bytes = readFileSync(join(folder, "app.db"));
    bytes.fill(0xff, 4 * 4096, 12 * 4096);
    writeFileSync(join(folder, "app.db"), bytes);
    const { exitCode, said } = await examined(folder);
    expect(exitCode).toBe(1);
    expect(said).toMatch(/^failed +database +app\.db .*\n +-> latchkey restore FILE/m);
  });

  test("finds migrations that are to come", async () => {
    const folder = await withDatabase();
    await latchkey(["migrate", "down"], { cwd: folder, settings: SETTINGS });
    const { said } = await examined(folder, { AUTO_MIGRATE: "false" });
    expect(said).toMatch(/^warning +schema +1 of \d+ migrations are not applied\n +-> latchkey migrate up$/m);
  });

  test("finds keys that are missing in production, or of another algorithm", async () => {
    const folder = await withDatabase();
    const missing = await examined(folder, { ENVIRONMENT: "production" });
    expect(missing.exitCode).toBe(1);
    expect(missing.said).toMatch(/^failed +keys +there is no private key in keys$/m);
    await latchkey(["keys", "generate"], { cwd: folder, settings: SETTINGS });
    expect((await examined(folder)).said).toMatch(/^ok +keys +private_key\.pem signs/m);
    chmodSync(join(folder, "keys/private_key.pem"), 0o644);
    expect((await examined(folder)).said).toMatch(/^warning +keys +everybody may read private_key\.pem$/m);
    const other = await examined(folder, { JWT_ALGORITHM: "EdDSA" });
    expect(other.exitCode).toBe(1);
    expect(other.said).toContain("signs with RS256, the settings want EdDSA");
  });

  test("finds a database server and a Redis that do not answer", async () => {
    const { exitCode, said } = await examined(scratchFolder(), {
      DATABASE_URL: "postgres://somebody:a-password@127.0.0.1:9/app",
      REDIS_URL: "redis://127.0.0.1:9",
    });
    expect(exitCode).toBe(1);
    expect(said).toMatch(/^failed +database +cannot be reached/m);
    expect(said).toMatch(/^warning +redis +does not answer/m);
    expect(said).not.toContain("a-password");
  });

  test("shows no secret", async () => {
    const { said } = await examined(await withDatabase());
    expect(said).not.toContain(SETTINGS.SECRET_KEY);
  });
});

describe.if(isPostgresThere)("doctor on PostgreSQL", () => {
  const url = temporaryPostgres();

  test("looks at the schema and the clock", async () => {
    const folder = scratchFolder();
    const before = await examined(folder, { DATABASE_URL: url });
    expect(before.said).toMatch(/^warning +schema +(\d+) of \1 migrations are not applied/m);
    await latchkey(["migrate", "up"], { cwd: folder, settings: { ...SETTINGS, DATABASE_URL: url } });
    const after = await examined(folder, { DATABASE_URL: url });
    expect(after.exitCode).toBe(0);
    expect(after.said).toMatch(/^ok +database +PostgreSQL answers, in [\d.]+ ms$/m);
    expect(after.said).toMatch(/^ok +schema +all/m);
    expect(after.said).toMatch(/^ok +clock/m);
  });
});
