import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findPromtool } from "../support/needed.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Meters } from "../../src/metrics.ts";

const DEPLOY = join(import.meta.dir, "../../deploy");
const promtool = findPromtool();

async function families(): Promise<ReadonlySet<string>> {
  const meters = new Meters(systemClock);
  meters.watch({
    engine: "sqlite",
    hasher: { running: () => 0, queued: () => 0 },
    connections: () => ({ max: 1, busy: 0, idle: 1, waiting: 0 }),
    inFlight: () => 0,
    sessionsOpen: async () => 0,
    rateLimitWindows: () => 0,
    spans: () => ({ sent: 0, dropped: 0 }),
  });
  const headings = (await meters.render()).matchAll(/^# TYPE (\S+) (\S+)$/gm);
  return new Set(
    [...headings].flatMap(([, name = "", type]) => (type === "histogram" ? [`${name}_bucket`] : [name])),
  );
}

test.each(["prometheus/latchkey.rules.yml", "grafana/latchkey.json"])(
  "%s asks for nothing that the server does not tell",
  async (file) => {
    const known = await families();
    const asked = readFileSync(join(DEPLOY, file), "utf8").match(/\b(?:latchkey|process)_[a-z_]+\b/g) ?? [];
    expect(asked.length).toBeGreaterThan(10);
    expect([...new Set(asked)].filter((name) => !known.has(name))).toEqual([]);
  },
);

test("the dashboard is JSON, with a title and a question to each panel", () => {
  const { panels }: { panels: readonly { title: string; type: string; targets?: readonly object[] }[] } =
    JSON.parse(readFileSync(join(DEPLOY, "grafana/latchkey.json"), "utf8"));
  const drawn = panels.filter(({ type }) => type !== "row");
  expect(drawn.length).toBeGreaterThan(10);
  for (const { title, targets = [] } of drawn) {
    expect(title).not.toBe("");
    expect(targets.length).toBeGreaterThan(0);
  }
});

test
  .if(promtool !== null)
  .each([
    [["check", "config", "prometheus.yml"]],
    [["check", "rules", "latchkey.rules.yml"]],
    [["test", "rules", "latchkey.rules.test.yml"]],
  ])("promtool %p finds the alert rules sound", async (words) => {
  const checking = Bun.spawn([promtool ?? "promtool", ...words], {
    cwd: join(DEPLOY, "prometheus"),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const said = (await checking.stdout.text()) + (await checking.stderr.text());
  expect(said).toContain("SUCCESS");
  expect({ said, code: await checking.exited }).toMatchObject({ code: 0 });
});
