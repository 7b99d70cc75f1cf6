import { describe, expect, test } from "bun:test";
import { Fault } from "../../src/core/fault.ts";
import { KeyedGate } from "../../src/core/keyed-gate.ts";
import { failureOf } from "../support/failure.ts";

/** Tasks that tell when they begin, and end when they are told to. */
class Tasks {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, PromiseWithResolvers<void>>();

  task(name: string): () => Promise<string> {
    const end = Promise.withResolvers<void>();
    this.#ends.set(name, end);
    return async () => {
      this.begun.push(name);
      await end.promise;
      return name;
    };
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("of one key", () => {
  test("S5 so many run, so many wait in order, and one more is refused at once", async () => {
    const gate = new KeyedGate({ running: 1, waiting: 2 });
    const tasks = new Tasks();
    const all = ["first", "second", "third"].map((name) => gate.run("a", tasks.task(name)));
    expect(Fault.is(await failureOf(gate.run("a", tasks.task("fourth"))), "overloaded")).toBe(true);
    expect(tasks.begun).toEqual(["first"]);
    await tasks.end("first");
    expect(tasks.begun).toEqual(["first", "second"]);
    await tasks.end("second");
    await tasks.end("third");
    expect(await Promise.all(all)).toEqual(["first", "second", "third"]);
  });

  test("S5 one that fails makes room as well, and whoever comes later than all finds it free", async () => {
    const gate = new KeyedGate({ running: 1, waiting: 1 });
    const tasks = new Tasks();
    const failing = failureOf(gate.run("a", () => Promise.reject(new Error("broken"))));
    const waiting = gate.run("a", tasks.task("waiting"));
    expect(await failing).toEqual(new Error("broken"));
    await tasks.end("waiting");
    expect(await waiting).toBe("waiting");
    expect(await gate.run("a", () => Promise.resolve("late"))).toBe("late");
  });
});

test("S5 nobody waits for a task of another key", async () => {
  const gate = new KeyedGate({ running: 1, waiting: 0 });
  const tasks = new Tasks();
  const held = gate.run("a", tasks.task("held"));
  expect(await gate.run("b", () => Promise.resolve("free"))).toBe("free");
  await tasks.end("held");
  expect(await held).toBe("held");
});
