import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { newEmail, post } from "./people.ts";
import { eventually } from "../support/eventually.ts";
import { isThere, sayOnce } from "../support/needed.ts";
import { MAIN, scratchFolder, serve } from "../support/process.ts";
import type { ServerProcess } from "../support/process.ts";

const SYS_NICE = 23n;
const PATIENCE_MS = 15_000;

/** The niceness of each thread of a process, by its name. */
function nicenessOf(pid: number): readonly (readonly [name: string, niceness: number])[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const [, name = "", fields = ""] =
      /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8")) ?? [];
    return [name, Number(fields.split(" ")[16])];
  });
}

function hashingNiceness({ pid }: ServerProcess): readonly number[] {
  return nicenessOf(pid)
    .filter(([name]) => name.startsWith("Bun Pool"))
    .map(([, niceness]) => niceness);
}

async function guess(server: ServerProcess, times: number): Promise<void> {
  const guesses = Array.from({ length: times }, () =>
    post(server, "/api/v1/users/login", { email: newEmail(), password: "wrong" }),
  );
  for (const { status } of await Promise.all(guesses)) expect(status).toBe(401);
}

/** Guesses until the threads stand where they should: how long that takes depends on what else the machine does. */
function eventuallyStand(server: ServerProcess, niceness: number): Promise<void> {
  return eventually(async () => {
    await guess(server, 4);
    for (const each of hashingNiceness(server)) expect(each).toBe(niceness);
  }, PATIENCE_MS);
}

/** Whether a thread of this process may go back to a better place. */
function isPrivileged(): boolean {
  const capabilities = /^CapEff:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return ((BigInt(`0x${capabilities ?? "0"}`) >> SYS_NICE) & 1n) === 1n;
}

const settings = { RATE_LIMIT_ENABLED: "false", LOG_LEVEL: "WARNING" };
const unprivileged = isPrivileged() ? ["setpriv", "--inh-caps=-sys_nice", "--bounding-set=-sys_nice"] : [];

const withoutPrivilege = [...unprivileged, process.execPath, "--no-env-file", MAIN, "serve"];

if (process.platform === "linux") {
  test("S8 the threads that hash stand behind all others, and go no further than they may come back from", async () => {
    const server = await serve(scratchFolder(), settings, withoutPrivilege);
    await guess(server, 8);
    const hashing = hashingNiceness(server);
    expect(hashing.length).toBeGreaterThan(0);
    // One of them may stand a step further behind: by that it was found out.
    expect(
      hashing
        .toSorted()
        .slice(0, -1)
        .every((niceness) => niceness === 10),
    ).toBe(true);
    expect(Math.max(...hashing)).toBe(11);
    for (const [name, niceness] of nicenessOf(server.pid))
      if (!name.startsWith("Bun Pool")) expect([name, niceness]).toEqual([name, 0]);
    expect(server.output()).not.toContain("pool.priority_not_lowered");
  });

  if (
    isThere(
      isPrivileged(),
      "SKIPPED: threads that come forward again, which takes CAP_SYS_NICE (run as root)",
    )
  ) {
    test(
      "S8 they go far behind while nobody else wants the machine, and come forward where somebody does",
      async () => {
        const server = await serve(scratchFolder(), settings);
        const careful = await serve(scratchFolder(), settings, withoutPrivilege);
        await eventuallyStand(server, 19);
        await guess(careful, 8);
        // Quiet, for many times as long as a hash takes, is no sign that others want the time.
        await Bun.sleep(1_000);
        expect(new Set(hashingNiceness(server))).toEqual(new Set([19]));
        const busy = Array.from({ length: 2 * availableParallelism() }, () =>
          Bun.spawn([process.execPath, "-e", "for (;;);"], { stdout: "ignore", stderr: "inherit" }),
        );
        try {
          await eventuallyStand(server, 10);
          await guess(careful, 8);
        } finally {
          for (const program of busy) program.kill("SIGKILL");
        }
        await Promise.all(busy.map(({ exited }) => exited));
        await eventuallyStand(server, 19);
        // Nor does all of that move those further that may not come back.
        await guess(careful, 40);
        expect(Math.max(...hashingNiceness(careful))).toBe(11);
        expect(careful.output()).not.toContain("pool.priority_not_lowered");
        expect(server.output()).not.toContain("pool.priority_not_lowered");
      },
      4 * PATIENCE_MS,
    );
  }
} else {
  sayOnce("SKIPPED: test/faults/pool-priority.test.ts, since only Linux has a priority for each thread");
}
