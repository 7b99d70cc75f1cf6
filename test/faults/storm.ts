import type { ServerProcess } from "../support/process.ts";
import { logIn, newEmail, PASSWORD, post, put, storedTodo, todosOf } from "./people.ts";
import type { Person } from "./people.ts";

/** What a writer did last to one todo: `acknowledged` must be there, and `attempted` may be instead. */
interface Trace {
  acknowledged: string;
  attempted: string | null;
}

const TITLE = /^todo \d+\.\d+( changed)?$/;

/** Writes from many clients at once, and a record of every write that was acknowledged. */
export class Storm {
  readonly #person: Person;
  readonly #todos = new Map<number, Trace>();
  readonly #registered: string[] = [];
  readonly #statuses = new Map<number, number>();
  #slowestMs = 0;
  #isOver = false;
  #workers: readonly Promise<void>[] = [];

  constructor(person: Person) {
    this.#person = person;
  }

  get acknowledged(): number {
    return this.#todos.size + this.#registered.length;
  }

  get slowestMs(): number {
    return this.#slowestMs;
  }

  /** How often each status was answered. */
  get statuses(): ReadonlyMap<number, number> {
    return this.#statuses;
  }

  /** Goes on until `stop`, whatever becomes of the server. */
  start(server: ServerProcess, writers: number): void {
    this.#isOver = false;
    this.#workers = [
      ...Array.from({ length: writers }, (_, writer) => this.#loop(() => this.#writeTodo(server, writer))),
      this.#loop(() => this.#register(server)),
    ];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }

  /** Everything acknowledged that the server does not show. */
  async missing(server: ServerProcess): Promise<readonly string[]> {
    const stored = await todosOf(server, this.#person);
    const lost = [...this.#todos].flatMap(([id, { acknowledged, attempted }]) => {
      const title = stored.get(id)?.title;
      return title !== undefined && (title === acknowledged || title === attempted)
        ? []
        : [`todo ${id} is ${title}, not ${acknowledged}`];
    });
    for (const email of this.#registered) {
      await logIn(server, email).catch(() => lost.push(`${email} cannot log in`));
    }
    return lost;
  }

  /** Todos that are there without ever having been asked for. */
  async invented(server: ServerProcess): Promise<readonly string[]> {
    const stored = await todosOf(server, this.#person);
    return [...stored.values()].map(({ title }) => title).filter((title) => !TITLE.test(title));
  }

  async #loop(write: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await write();
      } catch {
        // The connection broke, as it must when the server is killed: what was asked was not acknowledged.
        await Bun.sleep(5);
      }
    }
  }

  async #writeTodo(server: ServerProcess, writer: number): Promise<void> {
    const title = `todo ${writer}.${this.#todos.size}`;
    const created = await this.#timed(post(server, "/api/v1/todos", { title }, this.#person.token));
    if (created.status !== 200) return void (await created.text());
    const { id } = storedTodo(await created.json());
    const trace: Trace = { acknowledged: title, attempted: null };
    this.#todos.set(id, trace);
    const changed = `${title} changed`;
    trace.attempted = changed;
    const answer = await this.#timed(
      put(server, `/api/v1/todos/${id}`, { title: changed }, this.#person.token),
    );
    await answer.text();
    if (answer.status !== 200) return;
    trace.acknowledged = changed;
    trace.attempted = null;
  }

  async #register(server: ServerProcess): Promise<void> {
    const email = newEmail();
    const answer = await this.#timed(post(server, "/api/v1/users/register", { email, password: PASSWORD }));
    await answer.text();
    if (answer.status === 200) this.#registered.push(email);
  }

  async #timed(asked: Promise<Response>): Promise<Response> {
    const startedMs = performance.now();
    const answer = await asked;
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedMs);
    this.#statuses.set(answer.status, (this.#statuses.get(answer.status) ?? 0) + 1);
    return answer;
  }
}
