/** The accounts and todos that are measured with, made through the product's own API; and requests in their name. */
import type { Server } from "./servers.ts";

const USERS = 50;
const TODOS_EACH = 40;
const AT_ONCE = 2;
export const PASSWORD = "password123";

export interface Person {
  readonly email: string;
  readonly token: string;
  readonly todoIds: readonly number[];
}

/** One whole HTTP request, as the loader sends it. */
export function http(method: string, path: string, token: string | null, body?: unknown): string {
  const bearer = token === null ? "" : `Authorization: Bearer ${token}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${bearer}`;
  if (body === undefined) return `${head}\r\n`;
  const text = JSON.stringify(body);
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

export async function send(
  { port }: Server,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

export async function makePeople(product: Server): Promise<readonly Person[]> {
  const people: Person[] = [];
  // A few at once, for each core to hash: a queue of hashes that grows too long is refused.
  for (let number = 0; number < USERS; number += AT_ONCE) {
    const some = Array.from({ length: AT_ONCE }, (_, nth) => makePerson(product, number + nth));
    people.push(...(await Promise.all(some)));
  }
  return people;
}

async function makePerson(product: Server, number: number): Promise<Person> {
  const credentials = { email: `person${number}@example.com`, password: PASSWORD };
  await send(product, "/api/v1/users/register", credentials);
  const { access_token: token }: { access_token: string } = Object(
    await send(product, "/api/v1/users/login", credentials),
  );
  const bearer = { authorization: `Bearer ${token}` };
  const todos = await Promise.all(
    Array.from({ length: TODOS_EACH }, (_, turn) =>
      send(product, "/api/v1/todos", { title: `Todo ${turn}`, description: "Milk, eggs, bread" }, bearer),
    ),
  );
  return { email: credentials.email, token, todoIds: todos.map((todo) => Number(Object(todo).id)) };
}

/** Twenty requests of each person, one after the other. */
export function requestsOf(
  people: readonly Person[],
  request: (person: Person, turn: number) => string,
): readonly string[] {
  return people.flatMap((person) => Array.from({ length: 20 }, (_, turn) => request(person, turn)));
}

export const getOne = ({ token, todoIds }: Person, turn: number) =>
  http("GET", `/api/v1/todos/${todoIds[turn % todoIds.length]}`, token);
export const getList = ({ token }: Person) => http("GET", "/api/v1/todos?limit=20", token);
export const postOne = ({ token }: Person, turn: number) =>
  http("POST", "/api/v1/todos", token, { title: `Todo ${turn}` });
export const logIn = ({ email }: Person) =>
  http("POST", "/api/v1/users/login", null, { email, password: PASSWORD });
