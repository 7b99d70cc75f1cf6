import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder, serve } from "../support/process.ts";
import { get, post, signUp, UNLIMITED } from "./people.ts";

/** Loaded into the server before its own code, as a mistake in it would be. */
const MISTAKES = `
  setTimeout(() => { throw new Error("thrown by a timer"); }, 600);
  setTimeout(() => { Promise.reject(new Error("rejected, and nobody listens")); }, 700);
  setTimeout(() => queueMicrotask(() => { throw "not even an error"; }), 800);
`;

test("S36 what is thrown in the background is logged and harms nothing else", async () => {
  const folder = scratchFolder();
  const preload = join(folder, "mistakes.ts");
  writeFileSync(preload, MISTAKES);
  const server = await serve(folder, { ...UNLIMITED, LOG_JSON: "true", BUN_OPTIONS: `--preload=${preload}` });
  const { token } = await signUp(server);
  const mistakes = ["thrown by a timer", "rejected, and nobody listens", "not even an error"];
  await Promise.race([Promise.all(mistakes.map((mistake) => server.printed(mistake))), server.exited]);

  expect((await post(server, "/api/v1/todos", { title: "after it" }, token)).status).toBe(200);
  expect((await get(server, "/health/readiness")).status).toBe(200);
  const logged = server
    .output()
    .split("\n")
    .filter((line) => line.includes("background.failed"))
    .map((line) => JSON.parse(line));
  expect(logged.map(({ level }) => level)).toEqual(["error", "error", "error"]);
  for (const [index, mistake] of mistakes.entries()) expect(logged[index]?.cause).toContain(mistake);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
}, 20_000);
