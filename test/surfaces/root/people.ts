import type { Account, Realm } from "../../../src/core/accounts.ts";
import { OPERATOR } from "../../../src/core/actor.ts";
import { textField } from "../../support/client.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import type { TestProgram } from "../../support/program.ts";

export const PASSWORD = "password123";

export const LOGIN_PATH: Readonly<Record<Realm, string>> = {
  user: "/auth/login",
  admin: "/admin/auth/login",
};
export const ME: Readonly<Record<Realm, string>> = { user: "/users/me", admin: "/admin/me" };

let made = 0;

export interface Someone {
  readonly client: TestClient;
  readonly account: Account;
  readonly username: string;
  readonly token: string;
}

/** An account of either realm, logged in. */
export async function someone(program: TestProgram, realm: Realm): Promise<Someone> {
  made += 1;
  const username = `${realm}${made}`;
  const account = await program.core.accounts.register(
    realm,
    { email: `${username}@example.com`, username, name: "Some One", password: PASSWORD },
    OPERATOR,
  );
  const client = program.client();
  const login = await client.post(LOGIN_PATH[realm], undefined, { form: { username, password: PASSWORD } });
  return { client, account, username, token: textField(login, "access_token") };
}

/** The `data` of a good answer. */
export function data(answer: Answer): unknown {
  return Reflect.get(Object(answer.body), "data");
}

/** Makes a personal token; answers its id and its text. */
export async function personalToken(
  { client, account, token }: Someone,
  body: object = {},
): Promise<{ id: number; text: string }> {
  const made = await client.post(`${ME[account.realm]}/tokens`, body, { token });
  const { id, token: text } = Object(data(made));
  if (typeof id !== "number" || typeof text !== "string")
    throw new Error(`no token in ${Bun.inspect(made.body)}`);
  return { id, text };
}
