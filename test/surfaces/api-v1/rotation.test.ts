import { describe, expect, test } from "bun:test";
import { DAY_MS, SECOND_MS } from "../../../src/core/clock.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { PASSWORD, signUp, signUpByName, tokenPair, tokensOf } from "./people.ts";

const ME = "/api/v1/users/me";
const SETTINGS = { RATE_LIMIT_ENABLED: "false" };

function refresh(client: TestClient, refreshToken: string): Promise<Answer> {
  return client.post("/api/v1/auth/refresh", { refresh_token: refreshToken });
}

function refreshByForm(client: TestClient, refreshToken: string): Promise<Answer> {
  const form = { grant_type: "refresh_token", refresh_token: refreshToken };
  return client.send("POST", "/api/v1/auth/token", { form });
}

forEachEngine("api-v1 rotation", (start) => {
  const program = shared(start, SETTINGS);
  const isGood = async (client: TestClient, token: string) =>
    (await client.get(ME, { token })).status === 200;

  test("a refresh answers new tokens of the same session, by either route", async () => {
    const { client, tokens } = await signUpByName(program());
    const first = await refresh(client, tokens.refresh);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.stringMatching(/^[A-Za-z0-9_-]{86}$/),
      token_type: "bearer",
      expires_in: 1_800,
    });
    const second = await refreshByForm(client, tokenPair(first).refresh);
    expect(second.status).toBe(200);
    expect(tokenPair(second).refresh).not.toBe(tokenPair(first).refresh);
    for (const token of [tokens.access, tokenPair(first).access, tokenPair(second).access]) {
      expect(await isGood(client, token)).toBe(true);
    }
  });

  for (const [name, exchange] of [
    ["/auth/refresh", refresh],
    ["/auth/token", refreshByForm],
  ] as const) {
    test(`S13 a token used twice at ${name} ends its family, and no other`, async () => {
      const { client, username, tokens } = await signUpByName(program());
      const other = await tokensOf(client, username);
      const next = tokenPair(await exchange(client, tokens.refresh));
      const again = await exchange(client, tokens.refresh);
      expect(again.status).toBe(401);
      expect(again.body).toMatchObject({ detail: "Invalid refresh token" });
      expect((await exchange(client, next.refresh)).status).toBe(401);
      expect(await isGood(client, next.access)).toBe(false);
      expect(await isGood(client, other.access)).toBe(true);
      expect((await exchange(client, other.refresh)).status).toBe(200);
    });

    test(`S13 of 20 refreshes with one token at once at ${name} exactly one wins, and no end stays alive`, async () => {
      const { client, tokens } = await signUpByName(program());
      const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(client, tokens.refresh)));
      const winners = answers.filter(({ status }) => status === 200);
      expect(winners).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
      for (const winner of winners)
        expect((await exchange(client, tokenPair(winner).refresh)).status).toBe(401);
    });
  }

  test("S13 two instances on one database do not both give out tokens", async () => {
    const second = await start(SETTINGS);
    const { client, tokens } = await signUpByName(program());
    const elsewhere = second.client(client.address);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => refresh(n % 2 === 0 ? client : elsewhere, tokens.refresh)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  test("S39 a theft that several find at one moment is told once", async () => {
    const { client, id, tokens } = await signUpByName(program());
    await Promise.all(Array.from({ length: 20 }, () => refresh(client, tokens.refresh)));
    const told = program()
      .log.map((line) => JSON.parse(line))
      .filter(({ event, account }) => event === "session.refresh_reused" && account === id);
    expect(told).toHaveLength(1);
    const sql =
      "SELECT COUNT(*) AS total FROM audit_log WHERE event = 'session.refresh_reused' AND subject_id = $1";
    expect(Number((await program().database.reader.first(sql, [id]))?.["total"])).toBe(1);
  });

  for (const [grace, behindMs] of [
    ["0", 1],
    ["0", 60 * SECOND_MS],
    ["10", 10 * SECOND_MS],
  ] as const) {
    test(`S13 a token used twice ends its family also where the clock is ${behindMs} ms behind the first use, with ${grace} s of grace`, async () => {
      const settings = { ...SETTINGS, REFRESH_REUSE_GRACE_SECONDS: grace };
      const ahead = await start(settings);
      const behind = await start(settings);
      ahead.clock.forwardMs(behindMs);
      const { client, tokens } = await signUpByName(ahead);
      const elsewhere = behind.client(client.address);
      const next = tokenPair(await refresh(client, tokens.refresh));
      expect((await refresh(elsewhere, tokens.refresh)).status).toBe(401);
      expect((await refresh(client, next.refresh)).status).toBe(401);
    });
  }

  describe("REFRESH_REUSE_GRACE_SECONDS", () => {
    test("forgives a repeat soon after, with another token of the family, and no later one", async () => {
      const instance = await start({ ...SETTINGS, REFRESH_REUSE_GRACE_SECONDS: "10" });
      const { client, tokens } = await signUpByName(instance);
      const first = tokenPair(await refresh(client, tokens.refresh));
      instance.clock.forwardMs(9 * SECOND_MS);
      const repeated = await refresh(client, tokens.refresh);
      expect(repeated.status).toBe(200);
      // Both tabs go on, each with its own.
      const second = tokenPair(await refresh(client, first.refresh));
      expect((await refresh(client, tokenPair(repeated).refresh)).status).toBe(200);
      instance.clock.forwardMs(SECOND_MS);
      expect((await refresh(client, tokens.refresh)).status).toBe(401);
      expect((await refresh(client, second.refresh)).status).toBe(401);
    });

    test("lets all of 20 refreshes at once go on", async () => {
      const instance = await start({ ...SETTINGS, REFRESH_REUSE_GRACE_SECONDS: "10" });
      const { client, tokens } = await signUpByName(instance);
      const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(client, tokens.refresh)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
      expect(new Set(answers.map((answer) => tokenPair(answer).refresh)).size).toBe(20);
    });

    test("S14 forgives nothing after the family's last day", async () => {
      const instance = await start({
        ...SETTINGS,
        REFRESH_REUSE_GRACE_SECONDS: "10",
        REFRESH_ABSOLUTE_DAYS: "1",
      });
      const { client, tokens } = await signUpByName(instance);
      instance.clock.forwardMs(DAY_MS - SECOND_MS);
      expect((await refresh(client, tokens.refresh)).status).toBe(200);
      instance.clock.forwardMs(SECOND_MS);
      expect((await refresh(client, tokens.refresh)).body).toEqual({ detail: "Refresh token expired" });
    });
  });

  test("S14 REFRESH_ABSOLUTE_DAYS ends a family however often it rotated, and a cookie's session as well", async () => {
    const instance = await start({ ...SETTINGS, REFRESH_ABSOLUTE_DAYS: "10" });
    const { client, tokens } = await signUpByName(instance);
    let { refresh: current } = tokens;
    for (let day = 1; day <= 9; day += 1) {
      instance.clock.forwardMs(DAY_MS);
      current = tokenPair(await refresh(client, current)).refresh;
    }
    instance.clock.forwardMs(DAY_MS - SECOND_MS);
    current = tokenPair(await refresh(client, current)).refresh;
    instance.clock.forwardMs(SECOND_MS);
    const expired = await refresh(client, current);
    expect(expired.status).toBe(401);
    expect(expired.body).toEqual({ detail: "Refresh token expired" });

    const short = await start({ ...SETTINGS, REFRESH_ABSOLUTE_DAYS: "1" });
    const person = await signUp(short);
    const login = await person.client.post("/api/v1/users/login", {
      email: person.email,
      password: PASSWORD,
    });
    expect(login.headers.get("set-cookie")).toContain(`; Max-Age=${DAY_MS / SECOND_MS};`);
    short.clock.forwardMs(DAY_MS);
    expect((await person.client.post("/api/v1/users/refresh")).status).toBe(401);
  });

  test("a refresh token lives REFRESH_TOKEN_EXPIRE_DAYS, and each one anew", async () => {
    const instance = await start({ ...SETTINGS, REFRESH_TOKEN_EXPIRE_DAYS: "2" });
    const { client, tokens } = await signUpByName(instance);
    instance.clock.forwardMs(2 * DAY_MS - SECOND_MS);
    const next = tokenPair(await refresh(client, tokens.refresh));
    instance.clock.forwardMs(2 * DAY_MS - SECOND_MS);
    const last = tokenPair(await refresh(client, next.refresh));
    instance.clock.forwardMs(2 * DAY_MS);
    expect((await refresh(client, last.refresh)).body).toEqual({ detail: "Refresh token expired" });
  });

  test("S14 a refresh gives the rights of now, not those of the login", async () => {
    const instance = program();
    const { client, id, tokens } = await signUpByName(instance);
    const setRole = (role: string) =>
      instance.database.write((connection) =>
        connection.run("UPDATE users SET role = $2 WHERE id = $1", [id, role]),
      );
    await setRole("admin");
    const asAdmin = tokenPair(await refresh(client, tokens.refresh));
    await setRole("user");
    const asUser = tokenPair(await refresh(client, asAdmin.refresh));
    for (const token of [asAdmin.access, asUser.access]) {
      expect((await client.delete("/api/v1/todos/1", { token })).status).toBe(403);
    }
  });

  test("S12 a blocked or deleted account refreshes nothing, by a cookie neither", async () => {
    for (const sql of [
      "UPDATE users SET is_active = FALSE WHERE id = $1",
      "UPDATE users SET deleted_at_ms = 1 WHERE id = $1",
    ]) {
      const { client, id, tokens } = await signUpByName(program());
      await program().database.write((connection) => connection.run(sql, [id]));
      expect((await refresh(client, tokens.refresh)).status).toBe(401);
      expect(await isGood(client, tokens.access)).toBe(false);
      const byCookie = await signUp(program());
      await program().database.write((connection) => connection.run(sql, [byCookie.id]));
      expect((await byCookie.client.post("/api/v1/users/refresh")).status).toBe(401);
    }
  });

  test("S15 the database holds hashes of refresh tokens alone", async () => {
    const { tokens } = await signUpByName(program());
    const hash = new Bun.CryptoHasher("sha256").update(tokens.refresh).digest();
    const rows = await program().database.reader.all("SELECT * FROM refresh_tokens WHERE token_hash = $1", [
      hash,
    ]);
    expect(rows).toHaveLength(1);
    expect(Bun.inspect(rows)).not.toContain(tokens.refresh);
    expect(program().log.join("\n")).not.toContain(tokens.refresh);
  });

  test("S39 the log tells who refreshed, and who used a token twice", async () => {
    const { client, id, tokens } = await signUpByName(program());
    await refresh(client, tokens.refresh);
    await refresh(client, tokens.refresh);
    const events = program()
      .log.map((line) => JSON.parse(line))
      .filter((line) => line.account === id && line.client === client.address && "session" in line)
      .map(({ event }) => event);
    expect(events).toEqual(["session.refreshed", "session.refresh_reused"]);
  });
});
