import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sayOnce } from "../support/needed.ts";
import { scratchFolder, serve } from "../support/process.ts";
import { get, newEmail, PASSWORD, post, UNLIMITED } from "./people.ts";

const USERS = "/api/v1/users";

const library = findLibrary();
if (library === null) sayOnce("SKIPPED: a moved clock under the program (apt-get install faketime)");

function findLibrary(): string | null {
  const folders = readdirSync("/usr/lib").map((folder) =>
    join("/usr/lib", folder, "faketime/libfaketimeMT.so.1"),
  );
  return folders.find((path) => existsSync(path)) ?? null;
}

/** A wall clock that the test can set while the program runs; time that is only measured goes on as ever. */
function movableClock(folder: string): {
  settings: Readonly<Record<string, string>>;
  set(offset: string): void;
} {
  const file = join(folder, "clock");
  const set = (offset: string) => {
    writeFileSync(`${file}.new`, offset);
    renameSync(`${file}.new`, file);
  };
  set("+0");
  const settings = {
    LD_PRELOAD: library ?? "",
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  return { settings, set };
}

const suite = () => {
  test("S10 tokens and sessions end by the clock, and a jump back and forth harms nothing", async () => {
    const folder = scratchFolder();
    const clock = movableClock(folder);
    const server = await serve(folder, { ...UNLIMITED, ...clock.settings });
    const account = { email: newEmail(), password: PASSWORD };
    expect((await post(server, `${USERS}/register`, account)).status).toBe(200);
    const login = await post(server, `${USERS}/login`, account);
    const { access_token: token }: { access_token: string } = Object(await login.json());
    const [cookie = ""] = (login.headers.get("set-cookie") ?? "").split(";");
    const me = async () => (await get(server, `${USERS}/me`, token)).status;
    const refresh = async () =>
      (await fetch(`${server.url}${USERS}/refresh`, { method: "POST", headers: { cookie } })).status;
    const at = async (offset: string) => {
      clock.set(offset);
      await Bun.sleep(50);
      return [await me(), await refresh()];
    };

    expect(await at("+29m")).toEqual([200, 200]);
    expect(await at("+31m")).toEqual([401, 200]);
    expect(await at("+6d")).toEqual([401, 200]);
    expect(await at("+8d")).toEqual([401, 401]);
    // Its clock is set right again: what was forgotten meanwhile stays so, and the rest works.
    clock.set("+0");
    expect((await post(server, `${USERS}/login`, account)).status).toBe(200);
    expect((await get(server, "/health/readiness")).status).toBe(200);
    expect(server.output()).not.toContain("ERROR");
  }, 30_000);

  test("set back it makes nobody wait longer than they would have", async () => {
    const folder = scratchFolder();
    const clock = movableClock(folder);
    const server = await serve(folder, { LOG_LEVEL: "ERROR", ...clock.settings });
    const account = { email: newEmail(), password: PASSWORD };
    expect((await post(server, `${USERS}/register`, account)).status).toBe(200);
    const login = async (password: string) => {
      const answer = await post(server, `${USERS}/login`, { ...account, password });
      return { status: answer.status, waitSeconds: Number(answer.headers.get("retry-after")) };
    };

    clock.set("+3d");
    const wrong = Array.from({ length: 5 }, () => login("wrong"));
    expect((await Promise.all(wrong)).map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    clock.set("+0");
    const locked = await login(PASSWORD);
    expect(locked.status).toBe(423);
    expect(locked.waitSeconds).toBeWithin(1, 30 * 60 + 1);

    clock.set("+6d");
    const spent: number[] = [];
    for (let more = 0; more < 11; more += 1) spent.push((await login(PASSWORD)).status);
    expect(new Set(spent)).toEqual(new Set([200, 429]));
    clock.set("+0");
    const refused = await login(PASSWORD);
    expect(refused.status).toBe(429);
    expect(refused.waitSeconds).toBeWithin(1, 61);
  }, 30_000);
};

if (library !== null) describe("a moved clock", suite);
