import { expect } from "bun:test";
import { numberField, textField } from "../../support/client.ts";
import type { Answer, Options, TestClient } from "../../support/client.ts";
import type { TestProgram } from "../../support/program.ts";

export const PASSWORD = "securepass123";

let made = 0;

/** Registers and logs in, as a client of seed 004 does; speaks with its token from then on. */
export class Person {
  readonly client: TestClient;
  readonly id: number;
  readonly username: string;
  readonly token: string;

  constructor(client: TestClient, id: number, username: string, token: string) {
    this.client = client;
    this.id = id;
    this.username = username;
    this.token = token;
  }

  get email(): string {
    return `${this.username}@example.com`;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send("GET", path, { headers });
  }

  post(path: string, json: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send("POST", path, { json, headers });
  }

  patch(path: string, json: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send("PATCH", path, { json, headers });
  }

  delete(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#send("DELETE", path, { headers });
  }

  #send(method: string, path: string, options: Options): Promise<Answer> {
    return this.client.send(method, path, { ...options, token: this.token });
  }
}

export function newUsername(): string {
  made += 1;
  return `person_${made}`;
}

export function registration(username = newUsername()) {
  return { email: `${username}@example.com`, username, full_name: "A Person", password: PASSWORD };
}

export async function signUp(
  program: TestProgram,
  { role = "user" }: { role?: "user" | "admin" } = {},
): Promise<Person> {
  const client = program.client();
  const given = registration();
  const id = numberField(await client.post("/v1/auth/register", given), "id");
  if (role === "admin") {
    await program.database.write((connection) =>
      connection.run("UPDATE users SET role = 'admin' WHERE id = $1", [id]),
    );
  }
  return new Person(client, id, given.username, await logIn(client, given.username));
}

export async function logIn(client: TestClient, username: string, password = PASSWORD): Promise<string> {
  return textField(await client.post("/v1/auth/login", { username, password }), "access_token");
}

export function failure(status: number, message: string, details?: readonly object[]) {
  const type = status >= 500 ? "server_error" : "client_error";
  return { error: { status_code: status, message, type, ...(details === undefined ? {} : { details }) } };
}

export function expectFailure(answer: Answer, status: number, message: string): void {
  expect(answer.body).toEqual(failure(status, message));
  expect(answer.status).toBe(status);
}

/** Names the fields of a 422, and nothing else is in it. */
export function wrongFields(answer: Answer): readonly string[] {
  expect(answer.status).toBe(422);
  expect(answer.body).toEqual(failure(422, "Validation error", expect.any(Array)));
  const details: readonly { readonly field: string }[] = Object(answer.body).error.details;
  return details.map(({ field }) => field);
}
