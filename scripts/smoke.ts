/**
 * Drives the compiled program from outside, in an empty folder and with an empty environment: what whoever
 * downloads it would do first. Ends with `N passed, N failed`, and exit code 1 where one failed.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { version } from "../package.json";
import { Binary, type Server } from "./smoke/binary.ts";
import { contains, containsNot, equal, Steps } from "./smoke/steps.ts";

const BINARY = join(import.meta.dir, "../dist/latchkey");
const LONGEST_MS = 90_000;
const ACCOUNT = { email: "ann@example.com", password: "correcthorse9" };

interface Session {
  readonly accessToken: string;
  readonly cookie: string;
}

async function commands({ step }: Stepper, binary: Binary): Promise<void> {
  await step("version prints the version of package.json", async () => {
    const { exitCode, out } = await binary.run(["version"]);
    equal("the exit code", exitCode, 0);
    contains("the output", out, `latchkey ${version} `);
  });

  await step("help lists the commands", async () => {
    const { exitCode, out } = await binary.run(["help"]);
    equal("the exit code", exitCode, 0);
    for (const name of ["serve", "migrate", "config", "version", "help"])
      contains("the output", out, `\n  ${name} `);
  });

  await step("an unknown command is refused with the nearest one", async () => {
    const { exitCode, out, err } = await binary.run(["serv"]);
    equal("exit code and output", { exitCode, out }, { exitCode: 64, out: "" });
    contains("the error", err, '"serve"');
  });

  await step("config tells every mistake at once", async () => {
    const { exitCode, err } = await binary.run(["config"], { PORT: "high", DEBUG: "perhaps" });
    equal("the exit code", exitCode, 78);
    equal("the settings named", err.match(/^[A-Z_]+(?=:)/gm), ["DEBUG", "PORT"]);
  });

  await step("migrate status lists the embedded migrations, none applied", async () => {
    const { exitCode, out } = await binary.run(["migrate", "status"]);
    equal("the exit code", exitCode, 0);
    contains("the first line", out.split("\n")[0] ?? "", "0001_");
    equal("the states", new Set(out.match(/^\S+/gm)), new Set(["pending"]));
  });

  await step("S40 a .env and a bunfig.toml that lie about are ignored", async () => {
    const { exitCode, out, err } = await binary.run(["config", "--json"]);
    equal("the exit code", exitCode, 0);
    equal("APP_NAME", settingOf(out, "APP_NAME"), { value: "Latchkey", source: "default" });
    equal("the note", err, "./.env is here and not read: --env-file .env reads it\n");
    const pointedTo = await binary.run(["config", "--json", "--env-file", ".env"]);
    equal("APP_NAME, pointed to", settingOf(pointedTo.out, "APP_NAME"), {
      value: "stray",
      source: ".env (APP_NAME)",
    });
  });

  await step("S40 production is chosen when it runs, not when it was built", async () => {
    const refused = await binary.run(["config"], { ENVIRONMENT: "production" });
    equal("the exit code without a secret", refused.exitCode, 78);
    contains("the error", refused.err, "SECRET_KEY");
    const { out } = await binary.run(["config", "--json"], { NODE_ENV: "production" });
    equal("ENVIRONMENT", settingOf(out, "ENVIRONMENT"), { value: "development", source: "default" });
  });
}

function settingOf(json: string, name: string): unknown {
  const settings: unknown = JSON.parse(json);
  return fieldOf(settings, name);
}

async function firstRun({ step }: Stepper, server: Server): Promise<Session> {
  await step("the health routes answer", async () => {
    for (const path of ["/health", "/health/liveness", "/health/startup", "/health/readiness"]) {
      equal(path, (await server.fetch(path)).status, 200);
    }
  });

  await step("an account is registered", async () => {
    const account = await ok(await server.fetch("/api/v1/users/register", posted(ACCOUNT)));
    equal("the account", account, { id: 1, email: ACCOUNT.email });
  });

  let kept: Session = { accessToken: "", cookie: "" };
  await step("a login gives a token and a cookie", async () => {
    kept = await logIn(server);
    const account = await ok(await server.fetch("/api/v1/users/me", bearing(kept)));
    equal("the e-mail address", fieldOf(account, "email"), ACCOUNT.email);
  });

  await step("without a token there are no todos", async () => {
    equal("the status", (await server.fetch("/api/v1/todos/")).status, 401);
  });

  await step("todos are created, listed and changed", async () => {
    const created = await ok(await server.fetch("/api/v1/todos/", posted({ title: "Buy milk" }, kept)));
    const path = `/api/v1/todos/${String(fieldOf(created, "id"))}`;
    await ok(await server.fetch(path, { ...posted({ completed: true }, kept), method: "PUT" }));
    await theTodoIsThere(server, kept);
  });

  await step("the cookie gives a new access token", () => refreshes(server, kept));

  await step("a logout ends its own session alone", async () => {
    const other = await logIn(server);
    const leaving = { method: "POST", headers: { cookie: other.cookie } };
    equal("the status", (await server.fetch("/api/v1/users/logout", leaving)).status, 200);
    equal("the refresh after it", (await server.fetch("/api/v1/users/refresh", leaving)).status, 401);
    await refreshes(server, kept);
  });

  return kept;
}

async function secondRun({ step }: Stepper, server: Server, kept: Session): Promise<void> {
  await step("the second start finds the same data by the same token", () => theTodoIsThere(server, kept));
  await step("the session goes on by the same cookie", () => refreshes(server, kept));
  await step("the password still opens the account", async () => void (await logIn(server)));
}

async function logIn(server: Server): Promise<Session> {
  const response = await server.fetch("/api/v1/users/login", posted(ACCOUNT));
  const [cookie = ""] = (response.headers.get("set-cookie") ?? "").split(";");
  const accessToken = tokenOf(await ok(response));
  if (!/^refresh_token=.{40,}$/.test(cookie)) throw new Error("a login sets no refresh_token cookie");
  return { accessToken, cookie };
}

async function refreshes(server: Server, { cookie }: Session): Promise<void> {
  const refreshed = await ok(
    await server.fetch("/api/v1/users/refresh", { method: "POST", headers: { cookie } }),
  );
  await ok(await server.fetch("/api/v1/users/me", bearing({ accessToken: tokenOf(refreshed), cookie })));
}

async function theTodoIsThere(server: Server, session: Session): Promise<void> {
  const todos = await ok(await server.fetch("/api/v1/todos/", bearing(session)));
  const shown = Array.isArray(todos)
    ? todos.map((todo) => [fieldOf(todo, "title"), fieldOf(todo, "completed")])
    : todos;
  equal("the todos", shown, [["Buy milk", true]]);
}

function bearing({ accessToken }: Session): RequestInit {
  return { headers: { authorization: `Bearer ${accessToken}` } };
}

function posted(body: unknown, session?: Session): RequestInit {
  const authorization = session === undefined ? {} : { authorization: `Bearer ${session.accessToken}` };
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify(body),
  };
}

async function ok(response: Response): Promise<unknown> {
  const text = await response.text();
  if (response.status !== 200)
    throw new Error(`${new URL(response.url).pathname} answers ${response.status}: ${text}`);
  return JSON.parse(text);
}

function tokenOf(answer: unknown): string {
  const token = fieldOf(answer, "access_token");
  if (typeof token !== "string") throw new Error("the answer holds no access_token");
  return token;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

type Stepper = Pick<Steps, "step">;

async function everything(steps: Stepper, binary: Binary): Promise<void> {
  await commands(steps, binary);

  const withServer = async (name: string, use: (server: Server) => Promise<void>) => {
    let server: Server | undefined;
    await steps.step(`${name} start listens`, async () => void (server = await binary.serve()));
    if (server === undefined) return;
    const started: Server = server;
    await use(started);
    await steps.step(`${name} SIGTERM stops it with exit code 0`, async () => {
      equal("the exit code", await started.stop(), 0);
    });
    await steps.step(`${name} run wrote no password, token or cookie`, () => {
      for (const secret of secrets) containsNot("its output", started.output, secret);
    });
  };

  const secrets = [ACCOUNT.password];
  let kept: Session | undefined;
  await withServer("the first", async (server) => {
    kept = await firstRun(steps, server);
    secrets.push(kept.accessToken, kept.cookie.replace("refresh_token=", ""));
  });
  await withServer("the second", async (server) => {
    if (kept !== undefined) await secondRun(steps, server, kept);
  });

  await steps.step("migrate status says that all are applied", async () => {
    const { exitCode, out } = await binary.run(["migrate", "status"]);
    equal("the exit code", exitCode, 0);
    contains("the output", out, "0001_");
    containsNot("the output", out, "pending");
  });
}

async function main(): Promise<number> {
  if (!existsSync(BINARY)) {
    console.error("dist/latchkey is not there: run bun run build");
    return 1;
  }
  // A proxy of the machine has no part in what is said to 127.0.0.1.
  process.env["NO_PROXY"] = "127.0.0.1";
  const folder = mkdtempSync(join(tmpdir(), "latchkey-smoke-"));
  writeFileSync(join(folder, ".env"), "APP_NAME=stray\nPORT=1\n");
  writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./stray.ts"]\n');
  writeFileSync(join(folder, "stray.ts"), 'console.log("stray"); process.exit(99);\n');

  const binary = new Binary(BINARY, folder);
  const steps = new Steps();
  const watchdog = setTimeout(() => {
    binary.kill();
    console.log(`not ok - the whole takes longer than ${LONGEST_MS / 1_000} seconds\n${steps.summary}`);
    process.exit(1);
  }, LONGEST_MS);
  try {
    await everything({ step: (name, act) => steps.step(name, act) }, binary);
  } finally {
    clearTimeout(watchdog);
    binary.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(steps.summary);
  return steps.hasFailed ? 1 : 0;
}

process.exitCode = await main();
