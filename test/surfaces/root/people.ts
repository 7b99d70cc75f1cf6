import { expect } from "bun:test";
import { textField } from "../../support/client.ts";
import type { Answer, TestClient } from "../../support/client.ts";
import type { TestProgram } from "../../support/program.ts";

export const PASSWORD = "secret phrase";
export const SETUP_TOKEN = "setup-token-of-the-tests";
export const SETTINGS = { ADMIN_SETUP_TOKEN: SETUP_TOKEN, RATE_LIMIT_ENABLED: "false" } as const;

let made = 0;

/** What a registration wants to know of someone new. */
export function newcomer() {
  made += 1;
  return {
    username: `Person${made}`,
    name: `Person Number ${made}`,
    email: `p${made}@example.com`,
    password: PASSWORD,
  };
}

/** A form as a browser sends it. */
export function formOf(fields: Readonly<Record<string, string | Blob>>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") form.set(name, value);
    else form.set(name, value, "../../etc/passwd.html");
  }
  return form;
}

/** What stands in the envelope of a good answer. */
export function dataOf(answer: Answer): Record<string, unknown> {
  // Bun's `toMatchObject` writes its matchers into what it is given, so the data is looked at by hand.
  const { success, message, data } = Object(answer.body);
  expect({ success, message: typeof message }).toEqual({ success: true, message: "string" });
  return Object(data);
}

export function failure(code: string, message: unknown = expect.any(String), details?: unknown) {
  return { success: false, message, error: { code, message, ...(details === undefined ? {} : { details }) } };
}

export interface Person {
  readonly client: TestClient;
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly token: string;
}

export async function signUp(program: TestProgram): Promise<Person> {
  const client = program.client();
  const person = newcomer();
  const { id } = dataOf(await client.post("/auth/register", person));
  return { ...person, client, id: Number(id), token: await logIn(client, "/auth", person.username) };
}

/** An administrator: the first by the setup token, and those after by the first. */
export async function signUpAdmin(program: TestProgram, by?: Person): Promise<Person> {
  const client = program.client();
  const person = newcomer();
  const answer = await client.post(
    "/admin/auth/register",
    person,
    by === undefined ? { headers: { "x-setup-token": SETUP_TOKEN } } : { token: by.token },
  );
  expect(answer.status).toBe(201);
  return {
    ...person,
    client,
    id: Number(dataOf(answer)["id"]),
    token: await logIn(client, "/admin/auth", person.username),
  };
}

export async function logIn(client: TestClient, auth: string, username: string): Promise<string> {
  return textField(
    await client.post(`${auth}/login`, undefined, { form: { username, password: PASSWORD } }),
    "access_token",
  );
}
