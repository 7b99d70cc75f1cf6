import { inUrl } from "../core/ip-address.ts";

import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { ENV_FILE_OPTION } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { refuseUsage, settingsOf } from "./with-settings.ts";

const PATH = "/health/readiness";
const DEADLINE_MS = 3_000;
const SHOWN_CHARACTERS = 200;

export const healthcheckCommand: Command = makeHealthcheckCommand(DEADLINE_MS);

/** For container engines, whose images hold no other program that could ask. */
export function makeHealthcheckCommand(deadlineMs: number): Command {
  return {
    name: "healthcheck",
    summary: "Ask a running server whether it is ready; exit code 0 if so, 1 if not",
    usage: "latchkey healthcheck [--url URL] [--env-file FILE]",
    options: [
      ["--url URL", "the server's address, instead of HOST and PORT of the settings"],
      ENV_FILE_OPTION,
    ],
    examples: ["latchkey healthcheck", "latchkey healthcheck --url http://127.0.0.1:9000"],
    async run(args, terminal) {
      const given = parseArguments({
        args,
        options: { url: { type: "string" }, "env-file": { type: "string" } },
      });
      const refuse = (problem: string) => refuseUsage(this, problem, terminal);
      if (!given.ok) return refuse(given.message);
      const { url, "env-file": envFile } = given.values;
      if (url !== undefined) {
        const server = URL.parse(url);
        return server?.protocol === "http:"
          ? check(server, deadlineMs, terminal)
          : refuse("--url takes an address that begins with http://");
      }
      const config = settingsOf(envFile, terminal);
      if (config === null) return exitCodes.config;
      const { host, port } = config;
      if (port === 0) return refuse("PORT is 0, so that only --url can tell where the server listens");
      return check(new URL(`http://${reachable(host)}:${port}`), deadlineMs, terminal);
    },
  };
}

/** A server that listens on every address also listens on this one. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return inUrl(host);
}

async function check(server: URL, deadlineMs: number, terminal: Terminal): Promise<number> {
  const url = new URL(PATH, server);
  // Without what may stand before its host, which is for the server alone.
  const address = `${url.origin}${url.pathname}`;
  try {
    const { status, body } = await ask(url, AbortSignal.timeout(deadlineMs));
    const line = `${address} answers ${status} ${oneLine(body)}`.trimEnd();
    if (status === 200) {
      terminal.out(line);
      return exitCodes.ok;
    }
    terminal.err(line);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isLate = error.name === "AbortError" || error.name === "TimeoutError";
    terminal.err(
      `${address} does not answer${isLate ? ` within ${deadlineMs} ms` : `: ${oneLine(error.message)}`}`,
    );
  }
  return exitCodes.failure;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Not by `fetch`, which would ask the proxy that HTTP_PROXY names, even for 127.0.0.1. Loaded here, since no other
 * command needs it and each would start later.
 */
async function ask(url: URL, signal: AbortSignal): Promise<Answer> {
  const { get } = await import("node:http");
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (body = (body + chunk).slice(0, SHOWN_CHARACTERS)));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

function oneLine(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
}
