import { DAY_MS, MINUTE_MS } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { usernameKey } from "./identity.ts";
import type { NewFilledTodo, Store } from "./store.ts";
import type { Priority } from "./todos.ts";

export interface DemoOptions {
  readonly users: number;
  /** Of all users together. */
  readonly todos: number;
  /** Tells these users from those of another time. */
  readonly tag: string;
  /** One for all of them: to hash a password for each would take most of the time. */
  readonly passwordHash: string;
}

/** So many rows are made in one write, so that requests beside it never wait for long. */
const USERS_PER_WRITE = 200;
const TODOS_PER_WRITE = 500;
const SPREAD_OVER_MS = 90 * DAY_MS;

const DOINGS = [
  "Buy",
  "Call about",
  "Clean",
  "Fix",
  "Look for",
  "Order",
  "Paint",
  "Return",
  "Sell",
  "Write about",
];
const THINGS = [
  "the bicycle",
  "bread and milk",
  "the garden door",
  "the invoice",
  "a lamp",
  "the lease",
  "a parcel",
  "the roof",
  "the slides",
  "the tax return",
  "the tyres",
  "the wardrobe",
];
const NOTES = [
  null,
  "Not before Monday.",
  null,
  "Ask for the price first.",
  null,
  "It has waited long enough.",
];
const PRIORITIES: readonly Priority[] = ["low", "medium", "medium", "high"];

export function demoEmail(tag: string, number: number): string {
  return `demo-${tag}-${number}@example.com`;
}

/** Makes users with todos to look at, and tells after each write how many there are by now. */
export async function makeDemo(
  { store, clock }: { store: Store; clock: Clock },
  options: DemoOptions,
  onProgress: (made: { readonly users: number; readonly todos: number }) => void,
): Promise<void> {
  const nowMs = clock.nowMs();
  const ids: number[] = [];
  while (ids.length < options.users) {
    const numbers = range(ids.length + 1, Math.min(ids.length + USERS_PER_WRITE, options.users));
    ids.push(...(await makeUsers(store, options, numbers, nowMs)));
    onProgress({ users: ids.length, todos: 0 });
  }
  for (let made = 0; made < options.todos;) {
    const numbers = range(made, Math.min(made + TODOS_PER_WRITE, options.todos) - 1);
    // One user after another: rows that lie together in every index are made several times faster.
    const todos = numbers.map((number) => demoTodo(number, ids, options.todos, nowMs));
    await store.write((tx) => tx.todos.insertMany(todos));
    made += todos.length;
    onProgress({ users: ids.length, todos: made });
  }
}

function makeUsers(
  store: Store,
  { tag, passwordHash }: DemoOptions,
  numbers: readonly number[],
  nowMs: number,
): Promise<readonly number[]> {
  return store.write(async (tx) => {
    const made: number[] = [];
    for (const number of numbers) {
      const username = `demo-${tag}-${number}`;
      const account = await tx.accounts("user").insert({
        email: demoEmail(tag, number),
        username,
        usernameKey: usernameKey(username),
        name: `Demo ${number}`,
        phone: null,
        passwordHash,
        createdAtMs: nowMs - SPREAD_OVER_MS,
      });
      made.push(account.id);
    }
    return made;
  });
}

/** The same number makes the same todo; of each user's the later ones are the younger. */
function demoTodo(number: number, ids: readonly number[], total: number, nowMs: number): NewFilledTodo {
  const pick = <T>(choices: readonly T[], salt: number): T | undefined =>
    choices[Number(Bun.hash.wyhash(`${salt} ${number}`) % BigInt(choices.length))];
  const place = (number * ids.length) / total;
  const nth = Math.floor(place);
  return {
    accountId: ids[nth] ?? 0,
    title: `${pick(DOINGS, 1)} ${pick(THINGS, 2)}`,
    description: pick(NOTES, 3) ?? null,
    completed: pick([true, false, false], 4) ?? false,
    priority: pick(PRIORITIES, 5) ?? "medium",
    createdAtMs: nowMs - MINUTE_MS - Math.floor(SPREAD_OVER_MS * (1 - (place - nth))),
  };
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
