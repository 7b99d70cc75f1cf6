/** Steps that are reported a line each, and counted: one that fails does not stop those after it. */
export class Steps {
  #passed = 0;
  #failed = 0;

  async step(name: string, act: () => void | Promise<void>): Promise<void> {
    try {
      await act();
      this.#passed += 1;
      console.log(`ok - ${name}`);
    } catch (error) {
      this.#failed += 1;
      const why = error instanceof Error ? error.message : String(error);
      console.log(`not ok - ${name}: ${why.replaceAll(/\s*\n\s*/g, " ")}`);
    }
  }

  get hasFailed(): boolean {
    return this.#failed > 0;
  }

  get summary(): string {
    return `${this.#passed} passed, ${this.#failed} failed`;
  }
}

export function equal(what: string, actual: unknown, wanted: unknown): void {
  if (Bun.deepEquals(actual, wanted)) return;
  throw new Error(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
}

export function contains(what: string, text: string, wanted: string): void {
  if (!text.includes(wanted)) throw new Error(`${what} does not say ${wanted}, but: ${text.slice(0, 500)}`);
}

export function containsNot(what: string, text: string, unwanted: string): void {
  if (text.includes(unwanted)) throw new Error(`${what} says ${unwanted}`);
}
