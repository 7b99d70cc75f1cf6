import { expect, test } from "bun:test";
import { DAY_MS, MINUTE_MS } from "../../src/core/clock.ts";
import { forEachEngine } from "../support/program.ts";

const AHEAD_MS = 400 * DAY_MS;

forEachEngine("a clock that was set back", (start) => {
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
