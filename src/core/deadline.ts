/** A wait of ours ran out, whatever the other side is doing. */
export class Overdue extends Error {
  constructor(what: string, afterMs: number) {
    super(`${what} took longer than ${afterMs} ms`);
    this.name = "Overdue";
  }
}

/** Drivers wait for ever. What `promise` does after the deadline is of no interest any more. */
export function within<T>(promise: PromiseLike<T>, limitMs: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Overdue(what, Math.round(limitMs))), limitMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
