import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { isThere } from "../support/needed.ts";
import { latchkey, MAIN, scratchFolder } from "../support/process.ts";

/** Listed, they are several times what a pipe holds. */
const USERS = 3_000;
const FULL_DISK = "/dev/full";

describe("what a command prints", () => {
  const cwd = scratchFolder();

  beforeAll(async () => {
    await latchkey(["migrate", "up"], { cwd });
    await latchkey(["seed", "--users", String(USERS), "--todos", "1"], { cwd });
  });

  /** In the shell's words `"$0" "$1"` is the program. */
  function inShell(script: string) {
    const env = { PATH: process.env["PATH"] ?? "" };
    const child = Bun.spawnSync(["sh", "-c", script, process.execPath, MAIN], { cwd, env, stdin: "ignore" });
    return { exitCode: child.exitCode, out: child.stdout.toString(), err: child.stderr.toString() };
  }

  test("arrives whole, however slowly it is read", () => {
    const counting = `n=0; while read -r line; do n=$((n+1)); done; echo "$n$line"`;
    expect(inShell(`"$0" "$1" user list --json | { ${counting}; }`).out).toBe(`${USERS}\n`);
  });

  test("may be left unread", () => {
    const { out, err } = inShell(`{ "$0" "$1" user list --json; echo "ended with $?" >&2; } | head -n 1`);
    expect(out.split("\n")).toHaveLength(2);
    expect(err).toBe("ended with 0\n");
  });

  if (isThere(existsSync(FULL_DISK), `SKIPPED: output to a full disk, since there is no ${FULL_DISK}`))
    test("is told not to have been written, and that what was done is done", () => {
      const create = `"$0" "$1" admin create --email a@example.com --generate > ${FULL_DISK}`;
      expect(inShell(create)).toEqual({
        exitCode: 74,
        out: "",
        err: "latchkey: the output could not be written, but what the command did is done: ENOSPC: no space left on device, write\n",
      });
      expect(inShell(`"$0" "$1" admin list`).out).toContain("a@example.com");
    });
});
