/** Several people at once, each of whom reads, writes and refreshes with hardly a pause. */
import { type Client, RequestFailed } from "./client.ts";
import { newAccount, Person } from "./person.ts";

const PEOPLE = 3;
/** Else the machine is busy with the clients, and what is measured is how long it keeps an instance waiting. */
const PAUSE_MS = 20;
const BETWEEN_REGISTRATIONS_MS = 100;

export class Traffic {
  readonly #client: Client;
  readonly #people: readonly Person[];
  #registered: number;
  #refused = 0;
  #isOver = false;
  #workers: Promise<readonly PromiseSettledResult<void>[]> = Promise.resolve([]);

  private constructor(client: Client, people: readonly Person[]) {
    this.#client = client;
    this.#people = people;
    this.#registered = people.length;
  }

  static async of(client: Client): Promise<Traffic> {
    const people: Person[] = [];
    // One after the other: hashes are dear.
    while (people.length < PEOPLE) people.push(await Person.signUp(client));
    return new Traffic(client, people);
  }

  /** How many accounts the limit on them has let through, and how many it has not. */
  get registrations(): { readonly allowed: number; readonly refused: number } {
    return { allowed: this.#registered, refused: this.#refused };
  }

  start(): void {
    const each = this.#people.flatMap((person) => [
      this.#loop(() => person.reads()),
      this.#loop(() => person.writes()),
      this.#loop(() => person.writesOnce()),
      this.#loop(() => person.refreshes()),
    ]);
    const logins = this.#people.slice(0, 1).map((person) => this.#loop(() => person.logsIn()));
    this.#workers = Promise.allSettled([...each, ...logins, this.#loop(() => this.#register())]);
  }

  /** Fails where somebody got an answer that nobody can make sense of. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const result of await this.#workers) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  /** Whatever is stored otherwise than people were told. */
  async problems(): Promise<readonly string[]> {
    return (await Promise.all(this.#people.map((person) => person.problems()))).flat();
  }

  /** Also when the limit has said no: then no instance may say yes. */
  async #register(): Promise<void> {
    const asked = { method: "POST", body: newAccount() };
    const { status } = await this.#client.send("register", [201, 429], "/v1/auth/register", asked);
    if (status === 201) this.#registered += 1;
    else if (status === 429) this.#refused += 1;
    else this.#client.answers.failed("register", String(status));
    await Bun.sleep(BETWEEN_REGISTRATIONS_MS);
  }

  async #loop(work: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
      }
      await Bun.sleep(PAUSE_MS);
    }
  }
}
