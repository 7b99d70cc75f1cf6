import type { ServerProcess } from "../support/process.ts";

export const PASSWORD = "password123";

/** Nobody's rate limit stands between a test and the harm it means to do. */
export const UNLIMITED = { RATE_LIMIT_ENABLED: "false", LOG_LEVEL: "ERROR" } as const;

export interface Person {
  readonly email: string;
  readonly token: string;
}

export interface StoredTodo {
  readonly id: number;
  readonly title: string;
  readonly completed: boolean;
}

type Asked = Pick<ServerProcess, "url">;

export function post(server: Asked, path: string, body: unknown, token?: string): Promise<Response> {
  return send(server, "POST", path, body, token);
}

export function put(server: Asked, path: string, body: unknown, token: string): Promise<Response> {
  return send(server, "PUT", path, body, token);
}

export function get(server: Asked, path: string, token?: string): Promise<Response> {
  return fetch(`${server.url}${path}`, { headers: authorization(token) });
}

function send(server: Asked, method: string, path: string, body: unknown, token?: string): Promise<Response> {
  const headers = { "content-type": "application/json", ...authorization(token) };
  return fetch(`${server.url}${path}`, { method, headers, body: JSON.stringify(body) });
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

let made = 0;

export function newEmail(): string {
  made += 1;
  return `person${made}-${process.pid}@example.com`;
}

export async function signUp(server: Asked): Promise<Person> {
  const email = newEmail();
  await (await expected(200, post(server, "/api/v1/users/register", { email, password: PASSWORD }))).text();
  return { email, token: await logIn(server, email) };
}

export async function logIn(server: Asked, email: string): Promise<string> {
  const answer = await expected(200, post(server, "/api/v1/users/login", { email, password: PASSWORD }));
  const { access_token: token }: { access_token?: unknown } = Object(await answer.json());
  if (typeof token !== "string") throw new Error("a login gave no token");
  return token;
}

export async function todosOf(server: Asked, { token }: Person): Promise<ReadonlyMap<number, StoredTodo>> {
  const answer = await expected(200, get(server, "/api/v1/todos", token));
  const todos: unknown = await answer.json();
  if (!Array.isArray(todos)) throw new Error("the todos are no list");
  return new Map(todos.map(storedTodo).map((todo) => [todo.id, todo]));
}

export function storedTodo(value: unknown): StoredTodo {
  const { id, title, completed }: { id?: unknown; title?: unknown; completed?: unknown } = Object(value);
  if (typeof id !== "number" || typeof title !== "string" || typeof completed !== "boolean") {
    throw new Error(`this is no todo: ${Bun.inspect(value)}`);
  }
  return { id, title, completed };
}

async function expected(status: number, asked: Promise<Response>): Promise<Response> {
  const answer = await asked;
  if (answer.status !== status)
    throw new Error(`${answer.url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}
