/** Somebody who uses the product, and remembers all that was acknowledged. */
import type { Client } from "./client.ts";

const PASSWORD = "correct horse battery";
/** How often a client sends a request under one key before it gives up, and how long it waits in between. */
const TRIES = 50;
const TRY_AGAIN_MS = 100;
const PAGE = 100;

interface Todo {
  readonly id: number;
  readonly title: string;
  readonly completed: boolean;
}

let named = 0;

export class Person {
  readonly #client: Client;
  readonly #username: string;
  #token = "";
  /** Null where there is no session, or where the answer to a refresh was lost, and the token in it. */
  #refreshToken: string | null = null;
  #asked = 0;
  /** The titles of what was acknowledged, and of what may be there or not, since its request failed. */
  readonly #acknowledged = new Map<string, number>();
  readonly #inDoubt = new Set<string>();
  readonly #completed = new Set<string>();

  private constructor(client: Client, username: string) {
    this.#client = client;
    this.#username = username;
  }

  static async signUp(client: Client): Promise<Person> {
    const account = newAccount();
    await client.expect("register", 201, "/v1/auth/register", { method: "POST", body: account });
    const person = new Person(client, account.username);
    await person.logsIn();
    return person;
  }

  async logsIn(): Promise<void> {
    const body = { username: this.#username, password: PASSWORD };
    const answer = await this.#client.expect("log in", 200, "/v1/auth/login", { method: "POST", body });
    this.#token = textOf(answer, "access_token");
  }

  async reads(): Promise<void> {
    await this.#client.expect("read", 200, "/v1/todos", { token: this.#token });
    await this.#client.expect("read", 200, "/v1/auth/me", { token: this.#token });
  }

  /** What no proxy may send twice. */
  async writes(): Promise<void> {
    const title = this.#nextTitle();
    const token = this.#token;
    const asked = { method: "POST", body: { title }, token };
    const id = numberOf(await this.#client.expect("create", 201, "/v1/todos", asked), "id");
    this.#acknowledge(title, id);
    const change = { method: "PATCH", body: { completed: true }, token };
    await this.#client.expect("change", 200, `/v1/todos/${id}`, change);
    this.#completed.add(title);
  }

  /** What may be sent again until it is answered, since it goes by one key. */
  async writesOnce(): Promise<void> {
    const title = this.#nextTitle();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const asked = { method: "POST", body: { title }, token: this.#token, headers };
    for (let left = TRIES; left > 0; left -= 1) {
      const { status, body } = await this.#client.send("create once", [201], "/v1/todos", asked);
      if (status === 201) return this.#acknowledge(title, numberOf(body, "id"));
      this.#client.answers.sentAgain("create once");
      await Bun.sleep(TRY_AGAIN_MS);
    }
    this.#client.answers.failed("create once", `${TRIES} times`);
  }

  async refreshes(): Promise<void> {
    this.#refreshToken ??= await this.#openSession();
    const asked = { method: "POST", body: { refresh_token: this.#refreshToken } };
    this.#refreshToken = null;
    const tokens = await this.#client.expect("refresh", 200, "/api/v1/auth/refresh", asked);
    this.#refreshToken = textOf(tokens, "refresh_token");
  }

  /** Whatever is stored otherwise than this person was told. */
  async problems(): Promise<readonly string[]> {
    const stored = Map.groupBy(await this.#stored(), ({ title }) => title);
    const lost = [...this.#acknowledged]
      .filter(([title, id]) => stored.get(title)?.some((todo) => todo.id === id) !== true)
      .map(([title]) => `"${title}" was acknowledged, and is lost`);
    const unchanged = [...this.#completed]
      .filter((title) => stored.get(title)?.some(({ completed }) => completed) !== true)
      .map((title) => `"${title}" is not as it was changed`);
    const invented = [...stored]
      .filter(([title]) => !this.#acknowledged.has(title) && !this.#inDoubt.has(title))
      .map(([title]) => `"${title}" was never asked for`);
    const repeated = [...stored]
      .filter(([, todos]) => todos.length > 1)
      .map(([title, { length }]) => `"${title}" was made ${length} times`);
    return [...lost, ...unchanged, ...invented, ...repeated];
  }

  async #stored(): Promise<readonly Todo[]> {
    const todos: Todo[] = [];
    let from = "";
    do {
      const path = `/v1/todos?page_size=${PAGE}${from}`;
      const page = await this.#client.expect("read", 200, path, { token: this.#token });
      const { items, next_cursor: cursor }: { items?: readonly Todo[]; next_cursor?: unknown } = Object(page);
      todos.push(...(items ?? []));
      from = typeof cursor === "string" ? `&cursor=${encodeURIComponent(cursor)}` : "";
    } while (from !== "");
    return todos;
  }

  async #openSession(): Promise<string> {
    const body = new URLSearchParams({ username: this.#username, password: PASSWORD });
    const asked = { method: "POST", body };
    const tokens = await this.#client.expect("log in", 200, "/api/v1/auth/token", asked);
    return textOf(tokens, "refresh_token");
  }

  #nextTitle(): string {
    this.#asked += 1;
    const title = `todo ${this.#asked} of ${this.#username}`;
    this.#inDoubt.add(title);
    return title;
  }

  #acknowledge(title: string, id: number): void {
    this.#inDoubt.delete(title);
    this.#acknowledged.set(title, id);
  }
}

export function newAccount(): { username: string; email: string; password: string } {
  named += 1;
  return { username: `person${named}`, email: `person${named}@example.com`, password: PASSWORD };
}

function textOf(body: unknown, name: string): string {
  const value: unknown = Reflect.get(Object(body), name);
  if (typeof value !== "string") throw new Error(`${name} is no text in ${Bun.inspect(body)}`);
  return value;
}

function numberOf(body: unknown, name: string): number {
  const value: unknown = Reflect.get(Object(body), name);
  if (typeof value !== "number") throw new Error(`${name} is no number in ${Bun.inspect(body)}`);
  return value;
}
