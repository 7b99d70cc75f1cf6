#!/usr/bin/env -S bun --no-env-file
import { run } from "./cli/cli.ts";
import { exitCodeAfterOutput, processTerminal } from "./cli/terminal.ts";

process.exit(exitCodeAfterOutput(await run(Bun.argv.slice(2), processTerminal)));
