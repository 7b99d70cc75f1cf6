import { expect, test } from "bun:test";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { explainFailure } from "../../src/cli/failures.ts";
import { Fault } from "../../src/core/fault.ts";
import { latchkey, scratchFolder } from "../support/process.ts";

const listenFailure = (code: string) => Object.assign(new Error("Failed"), { syscall: "listen", code });

/** Of the reasons those that the commands' own tests cannot bring about, whatever they may do on their machine. */
test.each([
  [
    "a port that is not allowed",
    listenFailure("EACCES"),
    exitCodes.unavailable,
    "cannot listen: the system does not allow it to this user, as with ports below 1024; see HOST, PORT and METRICS_PORT",
  ],
  [
    "a name that leads to no address",
    listenFailure("EINVAL"),
    exitCodes.unavailable,
    "cannot listen: HOST is no address of this machine, and no name for one; see HOST, PORT and METRICS_PORT",
  ],
  [
    "any other reason not to listen",
    listenFailure("EAFNOSUPPORT"),
    exitCodes.unavailable,
    "cannot listen: EAFNOSUPPORT; see HOST, PORT and METRICS_PORT",
  ],
  [
    "what is gone meanwhile",
    Fault.of({ kind: "not_found", noun: "user" }),
    exitCodes.badInput,
    "there is no such user",
  ],
])("%s is one line, with an exit code of its kind", (_, failure, exitCode, message) => {
  const told: string[] = [];
  expect(explainFailure(failure, { err: (line) => void told.push(line) })).toBe(exitCode);
  expect(told).toEqual([`latchkey: ${message}`]);
});

test("what no operator can put right is thrown on, as it came", () => {
  const told: string[] = [];
  const terminal = { err: (line: string) => void told.push(line) };
  const strangers = [
    new TypeError("undefined is not a function"),
    Object.assign(new Error("no"), { syscall: "open", code: "EACCES" }),
    Fault.of({ kind: "overloaded", retryAfterSeconds: 1 }),
  ];
  for (const stranger of strangers) expect(() => explainFailure(stranger, terminal)).toThrow(stranger);
  expect(told).toEqual([]);
});

const folder = scratchFolder();

test.each([
  ["the address", "?idle_timeout=hush", {}, "idle_timeout"],
  ["a variable", "", { PGCONNECT_TIMEOUT: "hush" }, "connection_timeout"],
])(
  "what PostgreSQL's driver refuses of %s is one line, without the value",
  async (_, query, more, option) => {
    const settings = { DATABASE_URL: `postgres://me:hush@127.0.0.1:1/app${query}`, ...more };
    const refused = await latchkey(["migrate", "status"], { cwd: folder, settings });
    expect(refused).toMatchObject({ exitCode: exitCodes.unavailable, stdout: "" });
    expect(refused.stderr).toMatch(
      new RegExp(
        `^latchkey: the driver refuses an option of the address, .*${option}.*; see DATABASE_URL\\n$`,
      ),
    );
    expect(refused.stderr).not.toContain("hush");
  },
);
