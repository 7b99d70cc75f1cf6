import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Progress } from "../../src/cli/progress.ts";
import { latchkey, scratchFolder, serve } from "../support/process.ts";

const SETTINGS = { DATABASE_URL: "sqlite:///app.db", LOG_LEVEL: "ERROR" };

describe("seed", () => {
  test("makes users beside a running server, who log in with the password that it prints", async () => {
    const folder = scratchFolder();
    const server = await serve(folder, SETTINGS);
    const { exitCode, stdout, stderr } = await latchkey(["seed", "--users", "2", "--todos", "30"], {
      cwd: folder,
      settings: SETTINGS,
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(
      /^2 of 2 users\n30 of 30 todos\nmade 2 users and 30 todos in \d+\.\d s\nlog in as /,
    );
    const [, first, last, password] =
      /log in as (\S+) to (\S+), password ([A-Za-z0-9]{16})\n$/.exec(stdout) ?? [];
    const headers = { "content-type": "application/json" };
    for (const email of [first, last]) {
      const body = JSON.stringify({ email, password });
      const login = await fetch(`${server.url}/api/v1/users/login`, { method: "POST", headers, body });
      expect(login.status).toBe(200);
    }
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  });

  test.each([
    [["seed", "--users", "0"], 64],
    [["seed", "--users", "many"], 64],
    [["seed", "--todos", "-1"], 64],
    [["seed", "--todos", "1e3"], 64],
    [["seed", "--users", "10000001"], 64],
    [["seed", "now"], 64],
  ])("%j is refused before anything is made", async (args, exitCode) => {
    const folder = scratchFolder();
    expect((await latchkey(args, { cwd: folder, settings: SETTINGS })).exitCode).toBe(exitCode);
    expect(existsSync(join(folder, "app.db"))).toBe(false);
  });

  test("makes ten users and a thousand todos where it is not told, others each time", async () => {
    const folder = scratchFolder();
    const outputs = [];
    for (let nth = 0; nth < 2; nth += 1) {
      const { exitCode, stdout } = await latchkey(["seed"], { cwd: folder, settings: SETTINGS });
      expect([exitCode, stdout]).toEqual([
        0,
        expect.stringMatching(/^10 of 10 users\n(\d+ of 1000 todos\n)*1000 of 1000 todos\n/),
      ]);
      outputs.push(/log in as (\S+) to \S+, password (\S+)/.exec(stdout) ?? []);
    }
    const [[, user, password], [, otherUser, otherPassword]] = [outputs[0] ?? [], outputs[1] ?? []];
    expect(otherUser).not.toBe(user);
    expect(otherPassword).not.toBe(password);
  });

  test("refuses production, but with --force", async () => {
    const folder = scratchFolder();
    const settings = {
      ...SETTINGS,
      ENVIRONMENT: "production",
      SECRET_KEY: "a-secret-for-seeding-alone-Zk3v9Qm-7Yt1RwXc5Hs8",
    };
    await latchkey(["keys", "generate"], { cwd: folder, settings });
    const refused = await latchkey(["seed"], { cwd: folder, settings });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("--force");
    expect(existsSync(join(folder, "app.db"))).toBe(false);
    const forced = await latchkey(["seed", "--force", "--users", "1", "--todos", "0"], {
      cwd: folder,
      settings,
    });
    expect(forced).toMatchObject({ exitCode: 0, stderr: "" });
    expect(forced.stdout).toMatch(/^log in as \S+@\S+, password \S{16}$/m);
  });
});

describe("progress", () => {
  test("is a bar in place where a person watches, and ends its line", () => {
    const written: string[] = [];
    const unheard = () => expect.unreachable();
    const terminal = {
      out: unheard,
      err: unheard,
      isInteractive: true,
      overwrite: (text: string) => written.push(text),
    };
    const progress = new Progress(terminal, "todos", 10);
    progress.show(5);
    progress.show(10);
    expect(written).toEqual([
      `[${"#".repeat(15)}${" ".repeat(15)}] 5 of 10 todos`,
      `[${"#".repeat(30)}] 10 of 10 todos\n`,
    ]);
  });

  test("is a whole bar where more is done than was counted at the beginning", () => {
    const written: string[] = [];
    const terminal = {
      out: () => expect.unreachable(),
      err: () => expect.unreachable(),
      isInteractive: true,
      overwrite: (text: string) => written.push(text),
    };
    new Progress(terminal, "users", 10).show(15);
    new Progress(terminal, "users", 0).show(0);
    expect(written).toEqual([`[${"#".repeat(30)}] 15 of 10 users\n`, `[${"#".repeat(30)}] 0 of 0 users\n`]);
  });

  test("is a plain line now and then elsewhere, the last one always", () => {
    const lines: string[] = [];
    const terminal = { out: (line: string) => lines.push(line), err: () => {}, isInteractive: false };
    const progress = new Progress(terminal, "todos", 1_000);
    for (let done = 1; done <= 1_000; done += 1) progress.show(done);
    expect(lines).toEqual(["1 of 1000 todos", "1000 of 1000 todos"]);
  });
});
