import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const MAIN = join(import.meta.dir, "../../src/main.ts");
const START_LIMIT_MS = 15_000;

/** The real program as a process of its own, as a person starts it. */
export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** All that it has printed by now. */
  output(): string;
  /** Fulfils once it has printed `text`. */
  printed(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<number>;
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty directory that is gone after the suite. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-process-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Surroundings {
  readonly cwd: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly stdin?: string;
}

/** Runs a command to its end; `onOutput` hears what it prints as it does, and may end it by a signal. */
export async function latchkey(
  args: readonly string[],
  { cwd, settings = {}, stdin }: Surroundings,
  onOutput: (printed: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Finished> {
  const child = Bun.spawn([process.execPath, "--no-env-file", MAIN, ...args], {
    cwd,
    env: environment(settings),
    stdin: stdin === undefined ? "ignore" : new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    heard(child.stdout, (printed) => onOutput(printed, (signal) => child.kill(signal))),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

async function heard(stream: ReadableStream<Uint8Array>, onMore: (printed: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let printed = "";
  for await (const chunk of stream) {
    printed += decoder.decode(chunk, { stream: true });
    onMore(printed);
  }
  return printed;
}

/** Starts a server on a free port and waits until it says where it serves. */
export async function serve(
  cwd: string,
  settings: Readonly<Record<string, string>> = {},
  command: readonly string[] = [process.execPath, "--no-env-file", MAIN, "serve"],
): Promise<ServerProcess> {
  let printed = "";
  let heard = Promise.withResolvers<void>();
  const child = Bun.spawn([...command], {
    cwd,
    env: environment({ PORT: "0", HOST: "127.0.0.1", ...settings }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  // Whatever a test does, nothing it started outlives the suite.
  afterAll(() => child.kill("SIGKILL"));
  const announced = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      printed += decoder.decode(chunk, { stream: true });
      heard.resolve();
      heard = Promise.withResolvers();
      const address = /address +(http:\S+)/.exec(printed)?.[1];
      if (address !== undefined) announced.resolve(address);
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const gone = child.exited.then(async (code) => {
    await reading;
    throw new Error(`the server ended with ${code} before it served:\n${printed}`);
  });
  const late = Bun.sleep(START_LIMIT_MS).then(() => {
    throw new Error(`the server did not serve within ${START_LIMIT_MS} ms:\n${printed}`);
  });
  const url = await Promise.race([announced.promise, gone, late]);
  for (const loser of [gone, late]) loser.catch(() => undefined);
  return {
    url,
    pid: child.pid,
    output: () => printed,
    async printed(text) {
      while (!printed.includes(text)) await heard.promise;
    },
    kill: (signal) => child.kill(signal),
    exited: child.exited.then(async (code) => {
      await reading;
      return code;
    }),
  };
}

/** Nothing of the surrounding environment but what a program needs to run at all. */
function environment(settings: Readonly<Record<string, string>>): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }), ...settings };
}
