import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { appendFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { serve } from "../support/process.ts";
import { mountSmallDisk } from "../support/small-disk.ts";
import { get, PASSWORD, post, put, signUp, storedTodo, todosOf, UNLIMITED } from "./people.ts";

/** Enough to be sure that it is not by luck that none gets through. */
const REFUSED_WRITES = 20;

const disk = await mountSmallDisk("4m", "a full disk under the program");

/** Takes what room is left, down to the last block. */
function fill(folder: string, name: string): void {
  const { bsize } = statfsSync(folder);
  try {
    for (;;) appendFileSync(join(folder, name), new Uint8Array(bsize));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}

describe.if(disk !== null)("a full disk", () => {
  const folder = disk ?? "";

  test("S34 writes get 503, reads go on, nothing is half-written, and with room it is over", async () => {
    const server = await serve(folder, { ...UNLIMITED, DATABASE_URL: "sqlite:///app.db" });
    const person = await signUp(server);
    const acknowledged = new Map<number, string>();
    const write = async (title: string): Promise<number> => {
      const answer = await post(
        server,
        "/api/v1/todos",
        { title, description: "x".repeat(900) },
        person.token,
      );
      if (answer.status === 200) acknowledged.set(storedTodo(await answer.json()).id, title);
      else expect(await answer.json()).toEqual({ detail: "Service temporarily unavailable" });
      return answer.status;
    };
    const isAllThere = async () => {
      const stored = await todosOf(server, person);
      expect([...stored].map(([id, { title }]) => [id, title])).toEqual([...acknowledged]);
    };

    expect(await write("before")).toBe(200);
    fill(folder, "filler");
    // What the write-ahead log has room for still goes through, from several clients at once too.
    for (let batch = 0; (await write(`last ${batch}`)) === 200; batch += 1) {
      await Promise.all([1, 2, 3, 4].map((writer) => write(`filling ${batch}.${writer}`)));
    }

    for (let count = 0; count < REFUSED_WRITES; count += 1) {
      expect(await Promise.all([write("one"), write("two"), write("three")])).toEqual([503, 503, 503]);
    }
    const [first = 0] = acknowledged.keys();
    expect(
      (await put(server, `/api/v1/todos/${first}`, { title: "y".repeat(255) }, person.token)).status,
    ).toBe(503);
    const login = { email: person.email, password: PASSWORD };
    expect((await post(server, "/api/v1/users/login", login)).status).toBe(503);
    expect(
      (await post(server, "/api/v1/users/register", { ...login, email: "new@example.com" })).status,
    ).toBe(503);
    expect((await get(server, "/health/liveness")).status).toBe(200);
    await isAllThere();

    rmSync(join(folder, "filler"));
    expect(await Promise.all([write("after"), write("after too")])).toEqual([200, 200]);
    expect((await post(server, "/api/v1/users/login", login)).status).toBe(200);
    expect(
      (await post(server, "/api/v1/users/register", { ...login, email: "new@example.com" })).status,
    ).toBe(200);
    await isAllThere();

    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    const database = new Database(join(folder, "app.db"), { readonly: true });
    expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    database.close();
  }, 30_000);
});
