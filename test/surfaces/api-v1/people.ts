import { numberField, textField } from "../../support/client.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import type { TestProgram } from "../../support/program.ts";

export const PASSWORD = "password123";

let made = 0;

export function newEmail(): string {
  made += 1;
  return `person${made}@example.com`;
}

export interface Person {
  readonly client: TestClient;
  readonly email: string;
  readonly id: number;
  readonly token: string;
}

/** Registers and logs in, as a client of seed 000 does. */
export async function signUp(
  program: TestProgram,
  { role = "user" }: { role?: "user" | "admin" } = {},
): Promise<Person> {
  const client = program.client();
  const email = newEmail();
  const registered = await client.post("/api/v1/users/register", { email, password: PASSWORD });
  const id = numberField(registered, "id");
  if (role === "admin") {
    await program.database.write((connection) =>
      connection.run("UPDATE users SET role = 'admin' WHERE id = $1", [id]),
    );
  }
  const token = textField(
    await client.post("/api/v1/users/login", { email, password: PASSWORD }),
    "access_token",
  );
  return { client, email, id, token };
}

export interface Holder {
  readonly client: TestClient;
  readonly email: string;
  readonly username: string;
  readonly id: number;
  readonly tokens: TokenPair;
}

export interface TokenPair {
  readonly access: string;
  readonly refresh: string;
}

/** Registers and logs in, as a client of seed 002 does. */
export async function signUpByName(program: TestProgram): Promise<Holder> {
  const client = program.client();
  const email = newEmail();
  const username = email.replace("@example.com", "");
  const registered = await client.post("/api/v1/auth/register", { email, username, password: PASSWORD });
  return {
    client,
    email,
    username,
    id: numberField(registered, "id"),
    tokens: await tokensOf(client, username),
  };
}

export async function tokensOf(
  client: TestClient,
  username: string,
  password = PASSWORD,
): Promise<TokenPair> {
  return tokenPair(await client.send("POST", "/api/v1/auth/token", { form: { username, password } }));
}

export function tokenPair(answer: Answer): TokenPair {
  return { access: textField(answer, "access_token"), refresh: textField(answer, "refresh_token") };
}
