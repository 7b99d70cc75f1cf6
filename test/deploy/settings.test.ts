import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDotEnv } from "../../src/config/dot-env.ts";
import { loaded } from "./loaded.ts";

const DEPLOY = join(import.meta.dir, "../../deploy");
const SECRET = "Zk3v9Qm-7Yt1RwXc5Hs8Lb2NfPd6Gj0A";
const PRODUCTION = { ENVIRONMENT: "production" };

const secretInFile = () => SECRET;

describe("the systemd unit", () => {
  const unit = readFileSync(join(DEPLOY, "latchkey.service"), "utf8");
  const file = readFileSync(join(DEPLOY, "latchkey.settings"), "utf8");
  const lines = file.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const given = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));

  test("has settings that are known, and fit for production behind one proxy", () => {
    const config = loaded(given, {}, secretInFile);
    expect(config).toMatchObject({
      isProduction: true,
      host: "127.0.0.1",
      trustProxy: 1,
      secretKey: SECRET,
      database: { engine: "sqlite", path: "/var/lib/latchkey/app.db" },
    });
    const stopSeconds = Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]);
    expect(stopSeconds).toBeGreaterThan(config.shutdownTimeoutSeconds);
  });

  test("gives the server none that a command cannot have", () => {
    const [, path = ""] = /^ExecStart=\S+ serve --env-file (\/.+)$/m.exec(unit) ?? [];
    expect(unit).not.toMatch(/^(?:Environment|EnvironmentFile|PassEnvironment|LoadCredential)=/m);
    expect(parseDotEnv(file, {})).toEqual({ values: given, mistakes: [] });
    const command = `runuser -u latchkey -- latchkey user list --env-file ${path}`;
    expect(unit).toContain(command);
    expect(readFileSync(join(DEPLOY, "../docs/operating.md"), "utf8")).toContain(`$ ${command}\n`);
  });
});

describe("compose.yaml", () => {
  const environmentOf = (service: string): Record<string, string> => {
    const compose: unknown = Bun.YAML.parse(readFileSync(join(DEPLOY, "compose.yaml"), "utf8"));
    const services: unknown = Reflect.get(Object(compose), "services");
    const found: unknown = Reflect.get(Object(Reflect.get(Object(services), service)), "environment");
    return Object.fromEntries(Object.entries(Object(found)).map(([name, value]) => [name, String(value)]));
  };
  const image = { ...PRODUCTION, DATABASE_URL: "sqlite:////data/app.db" };

  test("alone it is SQLite", () => {
    const config = loaded(environmentOf("latchkey"), image, secretInFile);
    expect(config.database.engine).toBe("sqlite");
    expect(config.redisUrl).toBeNull();
    expect(config.secretKey).toBe(SECRET);
  });

  test.each(["one", "two", "three"])("instance %s shares database, Redis and secret", (service) => {
    const config = loaded(environmentOf(service), image, secretInFile);
    expect(config.database).toMatchObject({
      engine: "postgres",
      url: `postgres://latchkey:${SECRET}@postgres:5432/latchkey`,
    });
    expect(config).toMatchObject({ redisUrl: "redis://redis:6379", secretKey: SECRET, trustProxy: 1 });
  });
});
