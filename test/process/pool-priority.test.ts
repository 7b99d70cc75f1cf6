import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { sayOnce } from "../support/needed.ts";
import { post } from "../faults/people.ts";
import { scratchFolder, serve } from "../support/process.ts";

/** The niceness of each thread of a process, by its name. */
function nicenessOf(pid: number): readonly (readonly [name: string, niceness: number])[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const [, name = "", fields = ""] =
      /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8")) ?? [];
    return [name, Number(fields.split(" ")[16])];
  });
}

if (process.platform === "linux") {
  test("S8 the threads that hash stand behind all others", async () => {
    const server = await serve(scratchFolder(), { RATE_LIMIT_ENABLED: "false" });
    const guesses = Array.from({ length: 8 }, (_, nth) =>
      post(server, "/api/v1/users/login", { email: `nobody-${nth}@example.com`, password: "wrong" }),
    );
    for (const { status } of await Promise.all(guesses)) expect(status).toBe(401);
    const threads = nicenessOf(server.pid);
    const hashing = threads.filter(([name]) => name.startsWith("Bun Pool"));
    expect(hashing.length).toBeGreaterThan(0);
    for (const [, niceness] of hashing) expect(niceness).toBe(10);
    for (const [name, niceness] of threads)
      if (!name.startsWith("Bun Pool")) expect([name, niceness]).toEqual([name, 0]);
  });
} else {
  sayOnce("SKIPPED: test/process/pool-priority.test.ts, since only Linux has a priority for each thread");
}
