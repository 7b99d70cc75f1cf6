/** What a promise rejects with; that it fulfils is a failure of its own. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a failure, got ${Bun.inspect(value)}`);
}
