import { expect, test } from "bun:test";
import { listening } from "../support/listening.ts";
import { hasCurl } from "../support/needed.ts";
import { forEachEngine } from "../support/program.ts";
import { Shell } from "./shell.ts";
import type { Printed } from "./shell.ts";

/** The requests of the seed's Authentication API, word for word. */
const REGISTER = `POST /api/v1/auth/register
Content-Type: application/json

{
  "email": "user@example.com",
  "username": "username",
  "password": "secure_password"
}`;

const TOKEN = `POST /api/v1/auth/token
Content-Type: application/x-www-form-urlencoded

username=username&password=secure_password`;

const ME = `GET /api/v1/auth/me
Authorization: Bearer <access_token>`;

const REFRESH = `POST /api/v1/auth/refresh
Content-Type: application/json

{
  "refresh_token": "AbCdEf123456..."
}`;

const REVOKE = `POST /api/v1/auth/revoke
Content-Type: application/json

{
  "refresh_token": "AbCdEf123456..."
}`;

/** Each request is a process of its own. */
const SLOW_MS = 30_000;

/** The seed writes requests as they go over the wire; curl sends the same. */
function asCurl(origin: string, request: string): string {
  const [head = "", body] = request.split("\n\n");
  const [line = "", ...headers] = head.split("\n");
  const [method = "", path = ""] = line.split(" ");
  const options = headers.map((header) => `-H '${header}'`);
  if (body !== undefined) options.push(`-d '${body}'`);
  return ["curl", "-X", method, `${origin}${path}`, ...options].join(" ");
}

forEachEngine("seed 002", (start) => {
  const server = listening(start);

  test.if(hasCurl())("its requests answer as it shows", async () => {
    using shell = new Shell();
    const run = async (request: string): Promise<Printed> => {
      const [printed] = await shell.run(asCurl(server().origin, request));
      if (printed === undefined) throw new Error(`no answer to ${request}`);
      return printed;
    };
    const tokens = {
      access_token: expect.stringMatching(/^eyJhbGciOiJIUzI1NiIs/),
      refresh_token: expect.any(String),
      token_type: "bearer",
      expires_in: 1_800,
    };
    const user = { id: 1, email: "user@example.com", username: "username", is_active: true };
    const field = ({ body }: Printed, name: string) => String(Reflect.get(Object(body), name));

    const registered = await run(REGISTER);
    expect(registered.status).toBe(200);
    expect(registered.body).toMatchObject(user);

    const first = await run(TOKEN);
    expect(first).toEqual({ status: 200, body: tokens });
    const me = await run(ME.replace("<access_token>", field(first, "access_token")));
    expect(me.status).toBe(200);
    expect(me.body).toMatchObject(user);

    const withToken = (request: string, from: Printed) =>
      request.replace("AbCdEf123456...", field(from, "refresh_token"));
    const second = await run(withToken(REFRESH, first));
    expect(second).toEqual({ status: 200, body: tokens });
    expect(await run(withToken(REVOKE, second))).toEqual({ status: 204, body: undefined });
    expect((await run(withToken(REFRESH, second))).status).toBe(401);
    expect((await run(REFRESH)).status).toBe(401);
    expect((await run(REVOKE)).status).toBe(204);
  });

  test.if(hasCurl())(
    "its limits are 5, 10 and 20 a minute",
    async () => {
      using shell = new Shell();
      const limited = await start();
      const { url } = limited.app.listen({ host: "127.0.0.1", port: 0 });
      try {
        for (const [request, budget] of [
          [REGISTER, 5],
          [TOKEN, 10],
          [REFRESH, 20],
        ] as const) {
          const command = asCurl(url.origin, request);
          const printed = await shell.run(Array.from({ length: budget + 1 }, () => command).join("\n"));
          const refused = printed.map(({ status }) => status === 429);
          expect(refused).toEqual([...Array.from({ length: budget }, () => false), true]);
        }
      } finally {
        await limited.app.stop(0);
      }
    },
    SLOW_MS,
  );
});
