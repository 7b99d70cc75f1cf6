import { expect, test } from "bun:test";
import { OPERATOR } from "../../../src/core/actor.ts";
import { DAY_MS } from "../../../src/core/clock.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { data, personalToken, someone } from "../../support/someone.ts";

forEachEngine("GET /admin/audit", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  test("an administrator reads who did what to whom, from where, and in which request", async () => {
    const boss = await someone(program(), "admin");
    const { account } = await someone(program(), "user");
    const headers = { "x-request-id": "block-it" };
    const blocked = await boss.client.send("PATCH", `/admin/users/${account.id}/block`, { ...boss, headers });
    expect(blocked.status).toBe(200);
    await someone(program(), "user");

    const answer = await boss.client.get(`/admin/audit?account=user:${account.id}&page_size=1`, boss);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: true,
      message: "Audit trail retrieved",
      data: {
        items: [
          {
            id: expect.any(Number),
            time: new Date(program().clock.nowMs()).toISOString(),
            event: "account.blocked",
            actor: { kind: "admin", id: boss.account.id },
            subject: { realm: "user", id: account.id },
            client_address: boss.client.address,
            request_id: "block-it",
            detail: {},
            hash: expect.stringMatching(/^[0-9a-f]{64}$/),
          },
        ],
        page_size: 1,
        next_cursor: expect.any(String),
      },
    });
  });

  test("cursors lead through the whole trail, row after row, and are good for their own filters alone", async () => {
    const boss = await someone(program(), "admin");
    const page = async (query: string) => Object(data(await boss.client.get(`/admin/audit?${query}`, boss)));
    const all: number[] = [];
    for (let cursor = ""; ;) {
      const { items, next_cursor } = await page(`page_size=2${cursor}`);
      all.push(...Array.from<{ id: number }, number>(items, ({ id }) => id));
      if (next_cursor === null) break;
      cursor = `&cursor=${next_cursor}`;
    }
    expect(all).toEqual(Array.from(all, (_, index) => all.length - index));

    const { id } = boss.account;
    const { next_cursor: ofBoss } = await page(`page_size=1&account=admin:${id}`);
    expect(ofBoss).toBeString();
    const { next_cursor } = await page("page_size=2&event=login.succeeded");
    expect(next_cursor).toBeString();
    for (const query of [
      `cursor=${next_cursor}`,
      "cursor=1",
      "cursor=",
      `event=login.failed&cursor=${next_cursor}`,
      `event=login.succeeded&from=2020-01-01&cursor=${next_cursor}`,
      `event=login.succeeded&to=2030-01-01&cursor=${next_cursor}`,
      `account=user:${id}&cursor=${ofBoss}`,
      `account=admin:${id + 1}&cursor=${ofBoss}`,
    ]) {
      expect(`${query} ${(await boss.client.get(`/admin/audit?${query}`, boss)).status}`).toBe(
        `${query} 422`,
      );
    }
  });

  test("filters by event and time; what they cannot be is named", async () => {
    const boss = await someone(program(), "admin");
    program().clock.forwardMs(2 * DAY_MS);
    await program().core.accounts.update(boss.account, { name: "New" }, null, OPERATOR);
    const later = new Date(program().clock.nowMs()).toISOString();
    const events = async (query: string) => {
      const { items } = Object(data(await boss.client.get(`/admin/audit?${query}`, boss)));
      return Array.from<{ event: string }, string>(items, ({ event }) => event);
    };
    // The token that asks was made two days ago.
    const { text: token } = await personalToken({
      ...boss,
      token: program().core.accessTokens.issue("root", boss.account, null),
    });
    Object.assign(boss, { token });
    expect(await events(`from=${later}`)).toEqual(["token.created", "account.changed"]);
    expect(await events(`from=${later}&event=account.changed`)).toEqual(["account.changed"]);
    expect(await events(`to=${later.slice(0, 10)}&event=account.changed`)).toEqual([]);
    expect(await events(`to=${later}&page_size=1`)).toEqual(["login.succeeded"]);

    const wrong = await boss.client.get(
      "/admin/audit?event=x&account=1&from=yesterday&to=2026-02-30&page_size=101",
      boss,
    );
    expect(wrong.status).toBe(422);
    expect(Object(wrong.body).error.details.map(({ field }: { field: string }) => field)).toEqual([
      "event",
      "account",
      "from",
      "to",
      "page_size",
    ]);
  });

  test("S11 S21 nobody else reads it: no user, no role admin among users, no narrowed token", async () => {
    const user = await someone(program(), "user");
    await program().core.accounts.update(user.account, { role: "admin" }, null, OPERATOR);
    const boss = await someone(program(), "admin");
    const { text } = await personalToken(
      { ...boss, token: program().core.accessTokens.issue("root", boss.account, null) },
      { scopes: ["account:read"] },
    );
    const status = async (token?: string) => (await boss.client.get("/admin/audit", { token })).status;
    expect(await status()).toBe(401);
    expect(await status(program().core.accessTokens.issue("root", user.account, null))).toBe(401);
    expect(await status(text)).toBe(403);
  });
});
