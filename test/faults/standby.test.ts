import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { isThere } from "../support/needed.ts";
import {
  findPostgresPrograms,
  startPostgresCluster,
  startPostgresStandby,
} from "../support/postgres-cluster.ts";
import type { PostgresCluster } from "../support/postgres-cluster.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";
import { get, logIn, newEmail, PASSWORD, post, signUp, UNLIMITED } from "./people.ts";
import type { Person } from "./people.ts";

const programs = findPostgresPrograms();
const isInstalled = isThere(
  programs !== null,
  "SKIPPED: a standby of PostgreSQL, since initdb is not installed (apt-get install postgresql)",
);

describe.if(isInstalled)("a standby of PostgreSQL", () => {
  const folder = scratchFolder();
  let primary: PostgresCluster;
  let standby: PostgresCluster;
  let person: Person;
  const settings = () => ({ ...UNLIMITED, DATABASE_URL: standby.url });

  beforeAll(async () => {
    primary = await startPostgresCluster(programs ?? "");
    const before = await serve(folder, { ...UNLIMITED, DATABASE_URL: primary.url });
    person = await signUp(before);
    before.kill("SIGTERM");
    await before.exited;
    standby = await startPostgresStandby(programs ?? "", primary);
  }, 60_000);
  afterAll(async () => {
    await standby.destroy();
    await primary.destroy();
  }, 60_000);

  const TAKES_NONE =
    "latchkey: the database takes no writes: it is a standby, or set read-only; see DATABASE_URL\n";

  test.each([
    ["admin create --email root@example.com --username root --generate"],
    ["user block id:1"],
    ["seed --users 1 --todos 1"],
    ["maintenance run"],
    ["migrate up"],
  ])("%s says in one line that it takes no writes", async (words) => {
    const refused = await latchkey(words.split(" "), { cwd: folder, settings: settings() });
    expect(refused).toMatchObject({ exitCode: 69, stderr: TAKES_NONE });
  });

  test("a command that only reads is answered", async () => {
    const listed = await latchkey(["user", "list"], { cwd: folder, settings: settings() });
    expect(listed).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringContaining(person.email) });
  });

  test("doctor finds it, and what is set read-only", async () => {
    const onStandby = await latchkey(["doctor"], { cwd: folder, settings: settings() });
    expect(onStandby.exitCode).toBe(1);
    expect(onStandby.stdout).toMatch(/^failed +database +takes no writes: it is a standby$/m);
    const url = new URL(primary.url);
    await using operator = new Bun.SQL({ url: url.href, max: 1 });
    await operator`CREATE ROLE reader LOGIN`;
    await operator`GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`;
    await operator`ALTER ROLE reader SET default_transaction_read_only = on`;
    url.username = "reader";
    const readOnly = { ...settings(), DATABASE_URL: url.href };
    const set = await latchkey(["doctor"], { cwd: folder, settings: readOnly });
    expect(set.exitCode).toBe(1);
    expect(set.stdout).toMatch(/^failed +database +takes no writes: it is set read-only$/m);
  });

  test("S32 it serves reads, answers 503 to what writes, and all of it once it is promoted", async () => {
    const server = await serve(folder, settings());
    const register = () => post(server, "/api/v1/users/register", { email: newEmail(), password: PASSWORD });
    const login = () => post(server, "/api/v1/users/login", { email: person.email, password: PASSWORD });
    const todo = () => post(server, "/api/v1/todos", { title: "Promote it" }, person.token);

    expect((await get(server, "/api/v1/users/me", person.token)).status).toBe(200);
    for (const write of [register, login, todo, () => Promise.all(Array.from({ length: 8 }, todo))]) {
      for (const { status } of [await write()].flat()) expect(status).toBe(503);
    }
    expect(server.output()).not.toContain("request.internal");

    await standby.promote();
    for (const write of [register, todo]) expect((await write()).ok).toBe(true);
    expect(await logIn(server, person.email)).toBeString();
  }, 30_000);
});
