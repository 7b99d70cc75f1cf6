import { describe, expect, test } from "bun:test";
import { listening } from "../support/listening.ts";
import { hasCurl } from "../support/needed.ts";
import { forEachEngine } from "../support/program.ts";
import { Shell } from "./shell.ts";
import type { Printed } from "./shell.ts";

/** The examples of the seed's testing guide and troubleshooting, word for word but for host and port. */
const REGISTER = `curl -X POST http://localhost:8000/api/v1/users/register \\
  -H "Content-Type: application/json" \\
  -d '{"email": "test@example.com", "password": "password123"}'`;

const LOGIN = `curl -X POST http://localhost:8000/api/v1/users/login \\
  -H "Content-Type: application/json" \\
  -d '{"email": "test@example.com", "password": "password123"}' \\
  -c cookies.txt`;

const CREATE_TODO = `curl -X POST http://localhost:8000/api/v1/todos/ \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer YOUR_ACCESS_TOKEN" \\
  -d '{"title": "Test todo"}'`;

const REFRESH = `curl -X POST http://localhost:8000/api/v1/users/refresh \\
  -b cookies.txt`;

const LOGOUT = `curl -X POST http://localhost:8000/api/v1/users/logout \\
  -b cookies.txt`;

const DEBUG_REFRESH = `curl -v -X POST http://localhost:8000/api/v1/users/refresh -b cookies.txt`;

forEachEngine("seed 000", (start) => {
  const server = listening(start);

  const runner = (shell: Shell) => async (snippet: string) => {
    const [printed, ...more] = await shell.run(snippet.replaceAll("http://localhost:8000", server().origin));
    if (printed === undefined || more.length > 0) throw new Error(`one answer was expected of ${snippet}`);
    return printed;
  };
  const accessToken = ({ body }: Printed) => String(Reflect.get(Object(body), "access_token"));
  const token = { access_token: expect.any(String), token_type: "bearer" };

  describe.if(hasCurl())("testing with curl", () => {
    test("register, log in, create a todo, refresh, log out", async () => {
      using shell = new Shell();
      const run = runner(shell);
      expect(await run(REGISTER)).toEqual({
        status: 200,
        body: { id: expect.any(Number), email: "test@example.com" },
      });
      const login = await run(LOGIN);
      expect(login).toEqual({ status: 200, body: token });
      const todo = {
        id: expect.any(Number),
        title: "Test todo",
        description: null,
        completed: false,
        user_id: expect.any(Number),
        created_at: expect.stringMatching(/Z$/),
        updated_at: null,
      };
      const create = (bearer: string) => run(CREATE_TODO.replace("YOUR_ACCESS_TOKEN", bearer));
      expect(await create(accessToken(login))).toEqual({ status: 200, body: todo });
      const refreshed = await run(REFRESH);
      expect(refreshed).toEqual({ status: 200, body: token });
      expect((await create(accessToken(refreshed))).status).toBe(200);
      expect(await run(DEBUG_REFRESH)).toEqual({ status: 200, body: token });
      expect(await run(LOGOUT)).toEqual({ status: 200, body: { message: "Successfully logged out" } });
      expect(await run(REFRESH)).toEqual({ status: 401, body: { detail: "Invalid refresh token" } });
      expect(await create(accessToken(refreshed))).toEqual({
        status: 401,
        body: { detail: "Invalid or expired token" },
      });
      expect(await run(REGISTER)).toEqual({
        status: 400,
        body: { detail: "User with email test@example.com already exists" },
      });
    });

    test("the jar that curl keeps is the cookie that the seed shows", async () => {
      using shell = new Shell();
      const run = runner(shell);
      await run(REGISTER);
      await run(LOGIN);
      const [host] = new URL(server().origin).hostname.split(":");
      await shell.run(
        `grep -E '^#HttpOnly_${host}\\sFALSE\\s/\\sFALSE\\s[0-9]+\\srefresh_token\\s[A-Za-z0-9_-]{86}$' cookies.txt`,
      );
      // The jar is written again after the logout, and is empty then.
      await run(`${LOGOUT} -c cookies.txt`);
      await shell.run("! grep refresh_token cookies.txt");
    });
  });
});
