/**
 * Replaces three real instances behind nginx, one after the other, by a build with one migration more, while clients
 * read, write, log in and refresh; then kills one, and hangs one. Wants PostgreSQL (TEST_POSTGRES_URL, or one on
 * 127.0.0.1:5432), redis-server and nginx.
 *
 *     bun run rolling-deploy                           once, in half a minute
 *     bun run rolling-deploy --rounds 20 --hang 60     20 rounds of replacing, and a minute's silence
 *
 * Exit code 1 where a request failed that need not, or where something acknowledged is lost or was done twice.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Answers, type Kind } from "./rolling-deploy/answers.ts";
import { makeBuilds } from "./rolling-deploy/builds.ts";
import { Client } from "./rolling-deploy/client.ts";
import { type Cluster, REGISTRATIONS, startCluster } from "./rolling-deploy/cluster.ts";
import { Traffic } from "./rolling-deploy/traffic.ts";

/** nginx asks an instance that refused connections again after a second. */
const BETWEEN_MS = 1_500;

/** How long nginx waits for an answer: who hangs for less is late. */
const PROXY_WAITS_SECONDS = 35;

/** Of these a proxy cannot know whether a silent or dead instance has done them: they are not sent again. */
const WRITES: readonly Kind[] = ["create", "change", "log in", "refresh", "register"];

class Summary {
  readonly #answers: Answers;
  readonly problems: string[] = [];

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** What clients saw while `title` was done to the instances; a failure of another kind than `mayFail` is a problem. */
  phase(title: string, mayFail: readonly Kind[]): void {
    console.log(`\n${title}`);
    for (const { kind, answered, sentAgain, slowestMs, failures } of this.#answers.take()) {
      const again = sentAgain === 0 ? "" : `, ${sentAgain} sent again`;
      const failed = failures.length === 0 ? "" : `, ${failures.length} failed (${tally(failures)})`;
      const slowest = `${Math.round(slowestMs)} ms`.padStart(9);
      console.log(`  ${kind.padEnd(12)}${String(answered).padStart(7)}  slowest ${slowest}${again}${failed}`);
      if (failures.length > 0 && !mayFail.includes(kind)) this.problem(`${title}: ${kind}${failed}`);
    }
  }

  problem(text: string): void {
    this.problems.push(text);
  }
}

function tally(words: readonly string[]): string {
  const counts = Map.groupBy(words, (word) => word);
  return [...counts].map(([word, all]) => `${all.length} times ${word}`).join(", ");
}

async function replaceAll(cluster: Cluster, binary: string, summary: Summary): Promise<void> {
  for (const instance of cluster.instances) {
    const code = await instance.stop();
    if (code !== 0) summary.problem(`instance ${instance.name} ended with ${code}`);
    await instance.start(binary);
    await Bun.sleep(BETWEEN_MS);
  }
}

async function killOne({ instances: [one] }: Cluster, binary: string): Promise<void> {
  one?.signal("SIGKILL");
  await one?.exited();
  await Bun.sleep(BETWEEN_MS);
  await one?.start(binary);
  await Bun.sleep(BETWEEN_MS);
}

async function hangOne({ instances: [, two] }: Cluster, seconds: number): Promise<void> {
  two?.signal("SIGSTOP");
  await Bun.sleep(seconds * 1_000);
  two?.signal("SIGCONT");
  await Bun.sleep(BETWEEN_MS);
}

async function checkWhatIsStored(
  cluster: Cluster,
  binary: string,
  traffic: Traffic,
  summary: Summary,
): Promise<void> {
  for (const problem of await traffic.problems()) summary.problem(problem);
  const { allowed, refused } = traffic.registrations;
  console.log(
    `\n${allowed} of ${allowed + refused} registrations allowed, by a limit of ${REGISTRATIONS} an hour`,
  );
  const redisLost = cluster.instances.reduce((sum, instance) => sum + instance.told("redis.lost"), 0);
  if (redisLost > 0) {
    console.log(`Redis was too slow ${redisLost} times: meanwhile an instance counts by itself`);
  } else if (allowed !== REGISTRATIONS || refused === 0) {
    summary.problem(`the limit of ${REGISTRATIONS} registrations let ${allowed} through`);
  }
  console.log((await cluster.command(binary, ["audit", "verify"])).trim());
}

async function everything(folder: string, rounds: number, hangSeconds: number): Promise<readonly string[]> {
  const builds = await makeBuilds(folder);
  const cluster = await startCluster(folder, builds.old);
  try {
    const answers = new Answers();
    const summary = new Summary(answers);
    const traffic = await Traffic.of(new Client(cluster.origin, answers));
    traffic.start();
    await Bun.sleep(BETWEEN_MS);
    summary.phase("Three instances, in peace", []);
    for (let round = 1; round <= rounds; round += 1) {
      await replaceAll(cluster, builds.new, summary);
      summary.phase(`Each replaced by the newer build (${round} of ${rounds})`, []);
    }
    await killOne(cluster, builds.new);
    summary.phase("One killed, and started again", WRITES);
    await hangOne(cluster, hangSeconds);
    summary.phase(`One hung for ${hangSeconds} s`, hangSeconds < PROXY_WAITS_SECONDS ? [] : WRITES);
    await traffic.stop();
    await checkWhatIsStored(cluster, builds.new, traffic, summary);
    return summary.problems;
  } finally {
    await cluster.destroy();
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "1" }, hang: { type: "string", default: "3" } },
  });
  const [rounds, hangSeconds] = [Number(values.rounds), Number(values.hang)];
  if (!Number.isSafeInteger(rounds) || rounds < 1 || !(hangSeconds >= 1)) {
    console.error("--rounds and --hang take numbers from 1 on");
    return 64;
  }
  // A proxy of the machine has no part in what is said to 127.0.0.1.
  process.env["NO_PROXY"] = "127.0.0.1";
  const folder = mkdtempSync(join(tmpdir(), "latchkey-rolling-"));
  try {
    const problems = await everything(folder, rounds, hangSeconds);
    for (const problem of problems) console.log(`not ok - ${problem}`);
    if (problems.length === 0) console.log("\nNothing lost, nothing done twice, no failure that need be");
    return problems.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
