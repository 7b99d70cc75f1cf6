import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { keptSecret, keptSecretPath, programSecret } from "../../src/cli/dev-secret.ts";
import { configOf, GOOD_SECRET } from "../config/support.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "latchkey-secret-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test("a secret is made once, for its owner alone, and kept", () => {
  const path = join(folder, "app.db.secret");
  const secret = keptSecret(path);
  expect(Buffer.from(secret, "base64url")).toHaveLength(48);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(keptSecret(path)).toBe(secret);
  expect(readdirSync(folder)).toEqual(["app.db.secret"]);
});

test("the secret that is set is the one in force, and none is kept beside it", () => {
  const kept = { DATABASE_URL: `sqlite:///${join(folder, "app.db")}` };
  expect(programSecret(configOf({ ...kept, SECRET_KEY: GOOD_SECRET }))).toBe(GOOD_SECRET);
  expect(readdirSync(folder)).toEqual([]);
  const made = programSecret(configOf(kept));
  expect(made).toBe(keptSecret(join(folder, "app.db.secret")));
  expect(programSecret(configOf({ ...kept, SECRET_KEY: GOOD_SECRET }))).toBe(GOOD_SECRET);
});

test("two places have two secrets", () => {
  expect(keptSecret(join(folder, "a"))).not.toBe(keptSecret(join(folder, "b")));
});

test("processes that start at once agree on one", async () => {
  const path = join(folder, "shared.secret");
  const go = join(folder, "go");
  const program = `import { existsSync } from "node:fs";
    import { keptSecret } from ${JSON.stringify(join(import.meta.dir, "../../src/cli/dev-secret.ts"))};
    console.log("ready");
    while (!existsSync(${JSON.stringify(go)}));
    console.log(keptSecret(${JSON.stringify(path)}));`;
  const processes = Array.from({ length: 6 }, () => Bun.spawn([process.execPath, "-e", program]));
  const outputs = processes.map(async ({ stdout }) => {
    const reader = stdout.getReader();
    const first = await reader.read();
    return { reader, started: Buffer.from(first.value ?? []).toString() };
  });
  const started = await Promise.all(outputs);
  expect(started.map((each) => each.started)).toEqual(Array(6).fill("ready\n"));
  writeFileSync(go, "");
  const said = await Promise.all(started.map(({ reader }) => reader.read()));
  const secrets = said.map(({ value }) => Buffer.from(value ?? []).toString());
  expect(new Set(secrets)).toEqual(new Set([`${keptSecret(path)}\n`]));
  await Promise.all(processes.map(({ exited }) => exited));
  expect(readdirSync(folder).toSorted()).toEqual(["go", "shared.secret"]);
});

test("a file that holds no secret is neither used nor replaced", () => {
  const path = join(folder, "empty.secret");
  writeFileSync(path, "");
  expect(() => keptSecret(path)).toThrow("delete it");
});

test("a folder that is not there is told as it is", () => {
  expect(() => keptSecret(join(folder, "missing", "x.secret"))).toThrow("ENOENT");
});

test("the secret lies beside the database", () => {
  expect(keptSecretPath({ engine: "sqlite", path: "./app.db" })).toBe("./app.db.secret");
  expect(keptSecretPath({ engine: "postgres", url: "postgres://h/d" })).toBe("./latchkey.secret");
});
