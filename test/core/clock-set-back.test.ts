import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/clock.ts";
import { ABANDONED_AFTER_MS, FORGOTTEN_AFTER_MS } from "../../src/core/lockout.ts";
import { accountSubject } from "../../src/core/logins.ts";
import { textField } from "../support/client.ts";
import { eventually } from "../support/eventually.ts";
import { forEachEngine } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { PASSWORD, someone } from "../support/someone.ts";
import type { Someone } from "../support/someone.ts";

const AHEAD_MS = 400 * DAY_MS;
const LOCK_MS = 30 * MINUTE_MS;
const SETTINGS = { RATE_LIMIT_ENABLED: "false", MAX_LOGIN_ATTEMPTS: "5", LOCKOUT_DURATION_MINUTES: "30" };

const login = ({ client, username }: Someone, password: string) =>
  client.post("/auth/login", undefined, { form: { username, password } });

async function lockOut(person: Someone): Promise<void> {
  for (let guess = 0; guess < 5; guess += 1) expect((await login(person, "wrong")).status).toBe(401);
}

async function attemptRows({ database }: TestProgram): Promise<number> {
  return Number((await database.reader.first("SELECT COUNT(*) AS n FROM login_attempts"))?.["n"]);
}

forEachEngine("a clock that was set back", (start) => {
  test("makes no lock longer, whoever waits for its end", async () => {
    const program = await start(SETTINGS);
    program.clock.setByMs(AHEAD_MS);
    const ada = await someone(program, "user");
    await lockOut(ada);
    program.clock.setByMs(-AHEAD_MS);
    const refused = await login(ada, PASSWORD);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([423, "1800"]);
    program.clock.forwardMs(LOCK_MS - 1);
    expect((await login(ada, PASSWORD)).status).toBe(423);
    program.clock.forwardMs(1);
    expect((await login(ada, PASSWORD)).status).toBe(200);
  });

  test("leaves a token good until it ends, of an account that was made while it was ahead", async () => {
    const program = await start(SETTINGS);
    program.clock.setByMs(10 * MINUTE_MS);
    const ada = await someone(program, "user");
    program.clock.setByMs(-10 * MINUTE_MS);
    const token = textField(await login(ada, PASSWORD), "access_token");
    for (const minutes of [0, 9, 2]) {
      program.clock.forwardMs(minutes * MINUTE_MS);
      expect((await ada.client.get("/users/me", { token })).status).toBe(200);
    }
  });

  test("has guesses that were lost with their instance given up a minute later", async () => {
    const program = await start(SETTINGS);
    const { core, clock } = program;
    const ada = await someone(program, "user");
    const aheadMs = clock.nowMs() + AHEAD_MS;
    const subject = accountSubject(ada.account.id);
    const attempts = () => core.store.write((tx) => tx.loginAttempts.lock("user", subject, clock.nowMs()));
    await core.store.write(async (tx) => {
      const none = await tx.loginAttempts.lock("user", subject, aheadMs);
      const lost = { pending: 5, pendingSinceMs: aheadMs, updatedAtMs: aheadMs };
      await tx.loginAttempts.save("user", subject, { ...none, ...lost });
    });
    const waiting = login(ada, PASSWORD);
    await eventually(async () => expect((await attempts()).pendingSinceMs).toBe(clock.nowMs()));
    clock.forwardMs(ABANDONED_AFTER_MS);
    expect((await waiting).status).toBe(423);
  });

  test("keeps no count for ever that nobody asks for, and opens no lock", async () => {
    const program = await start(SETTINGS);
    program.clock.setByMs(AHEAD_MS);
    const [ada, bob] = [await someone(program, "user"), await someone(program, "user")];
    await lockOut(ada);
    await login(bob, "wrong");
    const rows = await attemptRows(program);
    program.clock.setByMs(-AHEAD_MS);
    expect(await program.core.housekeeping.run()).toMatchObject({ login_attempts: 0 });
    program.clock.forwardMs(LOCK_MS - 1);
    expect((await login(ada, PASSWORD)).status).toBe(423);
    program.clock.forwardMs(1);
    expect((await login(ada, PASSWORD)).status).toBe(200);
    program.clock.forwardMs(FORGOTTEN_AFTER_MS + ABANDONED_AFTER_MS + 2 * LOCK_MS);
    expect(await program.core.housekeeping.run()).toMatchObject({ login_attempts: rows });
    expect(await attemptRows(program)).toBe(0);
  });

  test("makes no window of a limit longer, and one set forward ends none", async () => {
    const program = await start({ RATE_LIMIT_LOGIN: "1/minute" });
    const client = program.client();
    const status = async () => (await client.post("/api/v1/users/login", {})).status;
    expect([await status(), await status()]).toEqual([422, 429]);
    program.clock.setByMs(AHEAD_MS);
    expect(await status()).toBe(429);
    program.clock.setByMs(-2 * AHEAD_MS);
    expect(await status()).toBe(429);
    program.clock.forwardMs(MINUTE_MS);
    expect([await status(), await status()]).toEqual([422, 429]);
  });
});
