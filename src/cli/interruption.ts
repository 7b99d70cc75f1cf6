import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

/** The signal is aborted by the first Ctrl-C or SIGTERM; a second one ends the process as if nobody listened. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    forget();
    controller.abort(new Refusal("stopped: the same command goes on from here", exitCodes.interrupted));
  };
  const forget = () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } finally {
    forget();
  }
}
