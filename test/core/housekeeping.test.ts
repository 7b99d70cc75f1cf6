import { expect, test } from "bun:test";
import { OPERATOR } from "../../src/core/actor.ts";
import type { Account } from "../../src/core/accounts.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/clock.ts";
import { Fault } from "../../src/core/fault.ts";
import { forEachEngine } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { PASSWORD, personalToken, someone } from "../support/someone.ts";

const SETTINGS = { RATE_LIMIT_ENABLED: "false", MAX_LOGIN_ATTEMPTS: "5", LOCKOUT_DURATION_MINUTES: "30" };

async function count({ database }: TestProgram, table: string): Promise<number> {
  return Number((await database.reader.first(`SELECT COUNT(*) AS n FROM ${table}`))?.["n"]);
}

/** Each test begins with nothing to keep house for. */
async function cleared(program: TestProgram): Promise<TestProgram> {
  await program.database.write(async (connection) => {
    for (const table of ["personal_tokens", "sessions", "login_attempts"]) {
      await connection.run(`DELETE FROM ${table}`);
    }
  });
  return program;
}

function open({ core }: TestProgram, account: Account) {
  return core.store.write((tx) => core.sessions.open(tx, "rotating", account, OPERATOR));
}

async function expiredTokens(program: TestProgram, many: number): Promise<void> {
  const { account } = await someone(program, "user");
  await program.database.write(async (connection) => {
    for (let made = 0; made < many; made += 1) {
      await connection.run(
        `INSERT INTO personal_tokens (user_id, prefix, token_hash, created_at_ms, expires_at_ms)
         VALUES ($1, 'lk_u_', $2, 1, 2)`,
        [account.id, new Uint8Array([made >> 8, made & 255])],
      );
    }
  });
}

forEachEngine("housekeeping", (start) => {
  test("expired personal tokens go, and no others", async () => {
    const program = await cleared(await start(SETTINGS));
    const owner = await someone(program, "user");
    await personalToken(owner, { expires_in_days: 1 });
    await personalToken(owner, { expires_in_days: 2 });
    await personalToken(owner);
    program.clock.forwardMs(DAY_MS - 1);
    expect(await program.core.housekeeping.run()).toMatchObject({ personal_tokens: 0 });
    program.clock.forwardMs(1);
    expect(await program.core.housekeeping.run()).toMatchObject({ personal_tokens: 1 });
    expect(await count(program, "personal_tokens")).toBe(2);
  });

  test("S13 used tokens stay as long as their family can be refreshed, and then all go", async () => {
    const program = await cleared(await start(SETTINGS));
    const { sessions, housekeeping } = program.core;
    const { account } = await someone(program, "user");
    const first = (await open(program, account)).refreshToken;
    let { refreshToken } = await sessions.rotate(first, OPERATOR);
    // Four rotations, six days apart: the first token expired long ago, its family lives.
    for (let rotation = 0; rotation < 3; rotation += 1) {
      program.clock.forwardMs(6 * DAY_MS);
      ({ refreshToken } = await sessions.rotate(refreshToken, OPERATOR));
    }
    expect(await housekeeping.run()).toMatchObject({ sessions: 0 });
    expect(await count(program, "refresh_tokens")).toBe(5);

    const reuse = sessions.rotate(first, OPERATOR);
    expect(Fault.is(await reuse.catch((error: unknown) => error), "refresh_failed")).toBe(true);
    const now = sessions.rotate(refreshToken, OPERATOR);
    expect(Fault.is(await now.catch((error: unknown) => error), "refresh_failed")).toBe(true);

    // Ended: kept for a day, and gone with all its tokens.
    program.clock.forwardMs(DAY_MS);
    expect(await housekeeping.run()).toMatchObject({ sessions: 0 });
    program.clock.forwardMs(1);
    expect(await housekeeping.run()).toMatchObject({ sessions: 1 });
    expect(await count(program, "refresh_tokens")).toBe(0);
  });

  test("sessions go in writes of few rows, however many tokens they have left, until none is there", async () => {
    const program = await cleared(
      await start({ ...SETTINGS, REFRESH_REUSE_GRACE_SECONDS: "60", DB_ECHO: "true" }),
    );
    const { sessions, housekeeping, store } = program.core;
    const { account } = await someone(program, "user");
    const MANY = 401;
    for (let made = 0; made < MANY; made += 1) {
      const { refreshToken } = await open(program, account);
      // Forgiven once: it has two that are unused.
      if (made % 2 === 0)
        for (let time = 0; time < 2; time += 1) await sessions.rotate(refreshToken, OPERATOR);
    }
    const [long] = await store.read.sessions.openOf(account.id, program.clock.nowMs());
    await program.database.write(async (connection) => {
      for (let nth = 0; nth < 1_000; nth += 1)
        await connection.run(
          `INSERT INTO refresh_tokens (session_id, token_hash, created_at_ms, expires_at_ms, used_at_ms)
             VALUES ($1, $2, 1, 2, 3)`,
          [long?.id ?? null, crypto.getRandomValues(new Uint8Array(32))],
        );
    });
    program.clock.forwardMs(60 * DAY_MS);
    expect(await housekeeping.run()).toMatchObject({ sessions: MANY });
    expect([await count(program, "sessions"), await count(program, "refresh_tokens")]).toEqual([0, 0]);
    const writes = program.log.filter((line) => line.includes("DELETE FROM refresh_tokens"));
    expect(writes.length).toBeGreaterThan(1_000 / 200);
  });

  test("an expired session stays as long as an access token of its own can live", async () => {
    const program = await cleared(await start({ ...SETTINGS, ACCESS_TOKEN_EXPIRE_MINUTES: "14400" }));
    const { client, account } = await someone(program, "user");
    program.clock.forwardMs(MINUTE_MS);
    const { email } = account;
    await client.post("/api/v1/users/login", { email, password: PASSWORD });
    program.clock.forwardMs(7 * DAY_MS - 1);
    const refreshed = await client.post("/api/v1/users/refresh");
    const { access_token: token } = Object(refreshed.body);

    program.clock.forwardMs(9 * DAY_MS);
    expect(await program.core.housekeeping.run()).toMatchObject({ sessions: 0 });
    expect((await client.get("/api/v1/users/me", { token })).status).toBe(200);
    program.clock.forwardMs(2 * DAY_MS + HOUR_MS);
    expect((await client.get("/api/v1/users/me", { token })).status).toBe(401);
    expect(await program.core.housekeeping.run()).toMatchObject({ sessions: 1 });
  });

  test("what a login counts goes once it means nothing, and a lock never goes early", async () => {
    const long = { ...SETTINGS, LOCKOUT_DURATION_MINUTES: String(10 * 24 * 60) };
    const program = await cleared(await start(long));
    const { client } = await someone(program, "user");
    const login = (username: string) =>
      client.post("/auth/login", undefined, { form: { username, password: "wrong" } });
    await login("nobody-once");
    for (let guess = 0; guess < 5; guess += 1) await login("nobody-often");
    expect(await count(program, "login_attempts")).toBe(3);

    program.clock.forwardMs(10 * DAY_MS - 1);
    expect(await program.core.housekeeping.run()).toMatchObject({ login_attempts: 0 });
    expect((await login("nobody-often")).status).toBe(423);
    program.clock.forwardMs(DAY_MS + 2 * MINUTE_MS);
    expect(await program.core.housekeeping.run()).toMatchObject({ login_attempts: 3 });
    expect((await login("nobody-often")).status).toBe(401);
  });

  test("the trail is pruned where there is a retention, and only there", async () => {
    const forever = await cleared(await start(SETTINGS));
    const rows = await count(forever, "audit_log");
    expect(rows).toBeGreaterThan(5);
    const program = await start({ ...SETTINGS, AUDIT_RETENTION_DAYS: "365" });
    for (const each of [forever, program]) each.clock.forwardMs(400 * DAY_MS);
    expect(await forever.core.housekeeping.run()).toMatchObject({ audit: 0 });
    const { audit } = await program.core.housekeeping.run();
    expect(audit).toBeGreaterThanOrEqual(rows);
    expect(await program.core.audit.verify(null, null)).toMatchObject({ sound: true });
    await program.core.housekeeping.noteTrail();
    expect(program.log.at(-1)).toMatch(/"event":"audit.head","seq":\d+,"hash":"[0-9a-f]{64}"/);
  });

  test("S36 a task that fails is told, and the others run", async () => {
    const program = await cleared(await start(SETTINGS));
    const owner = await someone(program, "user");
    await personalToken(owner, { expires_in_days: 1 });
    await open(program, owner.account);
    program.clock.forwardMs(40 * DAY_MS);
    const rename = (from: string, to: string) =>
      program.database.write((connection) => connection.run(`ALTER TABLE ${from} RENAME TO ${to}`));
    await rename("personal_tokens", "elsewhere");
    expect(await program.core.housekeeping.run()).toMatchObject({ personal_tokens: null, sessions: 1 });
    expect(program.log.filter((line) => line.includes("housekeeping.failed"))).toHaveLength(1);
    await rename("elsewhere", "personal_tokens");
    expect(await program.core.housekeeping.run()).toMatchObject({ personal_tokens: 1 });
  });

  test("many rows go in many writes, and two instances at once remove each row once", async () => {
    const program = await cleared(await start(SETTINGS));
    const other = await start(SETTINGS);
    await expiredTokens(program, 450);
    const reports = await Promise.all([program, other].map(({ core }) => core.housekeeping.run()));
    expect(reports.map(({ personal_tokens }) => personal_tokens ?? NaN).reduce((a, b) => a + b)).toBe(450);
    expect(await count(program, "personal_tokens")).toBe(0);
  });

  test("S35 told to stop, it ends after the write that it is at", async () => {
    const program = await cleared(await start(SETTINGS));
    await expiredTokens(program, 450);
    const stopping = new AbortController();
    const running = program.core.housekeeping.run(stopping.signal);
    stopping.abort();
    expect(await running).toMatchObject({ personal_tokens: 200, sessions: 0, audit: 0 });
    expect(await count(program, "personal_tokens")).toBe(250);
  });
});
