const COMMAND_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5_000;

export type Variables = Readonly<Record<string, string>>;

export interface Finished {
  readonly exitCode: number | null;
  readonly out: string;
  readonly err: string;
}

/** The compiled program, run in one folder, with no environment but what a call gives it. */
export class Binary {
  readonly #path: string;
  readonly #folder: string;
  readonly #servers: Server[] = [];

  constructor(path: string, folder: string) {
    this.#path = path;
    this.#folder = folder;
  }

  async run(args: readonly string[], env: Variables = {}): Promise<Finished> {
    const child = this.#spawn(args, env, COMMAND_TIMEOUT_MS);
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    await child.exited;
    return { exitCode: child.exitCode, out, err };
  }

  async serve(env: Variables = {}): Promise<Server> {
    const server = new Server(this.#spawn(["serve"], { HOST: "127.0.0.1", PORT: "0", ...env }));
    this.#servers.push(server);
    await server.listening();
    return server;
  }

  /** Ends what is still running. */
  kill(): void {
    for (const server of this.#servers) server.kill();
  }

  #spawn(args: readonly string[], env: Variables, timeout?: number) {
    return Bun.spawn([this.#path, ...args], {
      cwd: this.#folder,
      env: { ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      ...(timeout === undefined ? {} : { timeout, killSignal: "SIGKILL" }),
    });
  }
}

/** A server that was started and tells its address on standard output. */
export class Server {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #outputEnded: Promise<unknown>;
  #output = "";
  #address = "";

  constructor(child: Bun.Subprocess<"ignore", "pipe", "pipe">) {
    this.#child = child;
    this.#outputEnded = Promise.all([this.#collect(child.stdout), this.#collect(child.stderr)]);
  }

  /** All that it has written so far. */
  get output(): string {
    return this.#output;
  }

  async listening(): Promise<void> {
    const giveUpAtMs = performance.now() + START_TIMEOUT_MS;
    while (this.#address === "") {
      if (this.#child.exitCode !== null)
        throw new Error(`it ended with ${this.#child.exitCode}: ${this.#output}`);
      if (performance.now() > giveUpAtMs) throw new Error(`it tells no address: ${this.#output}`);
      await Bun.sleep(10);
      this.#address = /^ *address +(http:\S+)$/m.exec(this.#output)?.[1] ?? "";
    }
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const signal = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
    return fetch(`${this.#address}${path}`, { redirect: "manual", signal, ...init });
  }

  /** Answers the exit code, null where it had to be killed. */
  async stop(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const killer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await this.#child.exited;
    clearTimeout(killer);
    await this.#outputEnded;
    return this.#child.exitCode;
  }

  kill(): void {
    if (this.#child.exitCode === null) this.#child.kill("SIGKILL");
  }

  async #collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#output += decoder.decode(chunk, { stream: true });
  }
}
