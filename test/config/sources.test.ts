import { describe, expect, test } from "bun:test";

import { settingTable } from "../../src/config.ts";
import { configOf, expectMistake, type Given, load, mustLoad, reportOf } from "./support.ts";

describe("aliases", () => {
  const cases = [
    { names: ["PORT", "APP_PORT"], values: ["9001", "9002"] },
    { names: ["JWT_ALGORITHM", "ALGORITHM"], values: ["HS256", "RS256"] },
    { names: ["DB_POOL_MAX_CONN", "DB_POOL_SIZE"], values: ["21", "22"] },
    { names: ["POSTGRES_PORT", "PGPORT"], values: ["5433", "5434"] },
    { names: ["S3_ENDPOINT", "AWS_ENDPOINT"], values: ["https://s3.example", "http://127.0.0.1:9000"] },
    { names: ["S3_REGION", "AWS_REGION"], values: ["eu-north-1", "auto"] },
    { names: ["S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"], values: ["AKIA1", "AKIA2"] },
  ] as const;
  /** Any text will do for a secret, and none is shown. */
  const ofSecrets = [
    ["S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"],
    ["S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"],
  ] as const;

  test("are all covered here", () => {
    const aliased = settingTable.filter(({ aliases }) => aliases.length > 0);
    expect(aliased.map(({ name, aliases }) => [name, ...aliases].join()).toSorted()).toEqual(
      [...cases.map(({ names }) => names.join()), ...ofSecrets.map((names) => names.join())].toSorted(),
    );
  });

  for (const [name, alias] of ofSecrets) {
    test(`${alias} stands in for ${name}, which wins`, () => {
      const sourceIn = (environment: Record<string, string>) =>
        reportOf(mustLoad({ environment }).report, name).source;
      expect(sourceIn({ [alias]: "hidden" })).toBe(`environment (${alias})`);
      expect(sourceIn({ [alias]: "hidden", [name]: "other" })).toBe(`environment (${name})`);
    });
  }

  for (const { names, values } of cases) {
    const [name, alias] = names;
    const valueIn = (environment: Record<string, string>) => {
      const { value, source } = reportOf(mustLoad({ environment }).report, name);
      return { value: String(value), source };
    };
    test(`${alias} stands in for ${name}, which wins`, () => {
      expect(valueIn({ [alias]: values[1] })).toEqual({ value: values[1], source: `environment (${alias})` });
      expect(valueIn({ [name]: values[0], [alias]: values[1] })).toEqual({
        value: values[0],
        source: `environment (${name})`,
      });
      expect(valueIn({ [name]: "", [alias]: values[1] }).value).toBe(values[1]);
    });
    test(`${alias} is named in a mistake about it`, () => expectMistake({ [alias]: "?" }, `${alias}: `));
  }
});

describe(".env", () => {
  test("counts below the environment, alias or not", () => {
    const dotEnv = "PORT=9001\nAPP_NAME=From file\nALGORITHM=RS256";
    const { config, report } = mustLoad({ environment: { APP_PORT: "9002" }, dotEnv });
    expect(config).toMatchObject({ port: 9002, appName: "From file", jwtAlgorithm: "RS256" });
    expect(reportOf(report, "PORT").source).toBe("environment (APP_PORT)");
    expect(reportOf(report, "APP_NAME").source).toBe(".env (APP_NAME)");
    expect(reportOf(report, "JWT_ALGORITHM").source).toBe(".env (ALGORITHM)");
    expect(reportOf(report, "HOST").source).toBe("default");
  });

  test("an empty value counts as unset, in either place", () => {
    const dotEnv = "PORT=\nAPP_NAME=From file";
    const { config } = mustLoad({ environment: { APP_NAME: " ", PORT: "" }, dotEnv });
    expect(config).toMatchObject({ port: 8000, appName: "From file" });
  });
});

describe("names in lower case", () => {
  const portOf = (given: Given) => mustLoad(given).config.port;

  test("count, in the environment and in .env", () => {
    expect(portOf({ environment: { port: "9001" }, dotEnv: "PORT=9002" })).toBe(9001);
    expect(portOf({ environment: { App_Port: "9001" } })).toBe(9001);
    expect(portOf({ dotEnv: "app_port=9002" })).toBe(9002);
    const { config } = mustLoad({ environment: { secret_key_file: "/s" }, files: { "/s": "from-file" } });
    expect(config.secretKey).toBe("from-file");
  });

  test("count below those in capitals in the environment, whatever their order there", () => {
    expect(portOf({ environment: { PORT: "9001", port: "9002" } })).toBe(9001);
    expect(portOf({ environment: { port: "9002", PORT: "9001" } })).toBe(9001);
  });

  test("are told in capitals", () => {
    expectMistake({ port: "high" }, "PORT: ");
    expect(reportOf(mustLoad({ dotEnv: "port=9001" }).report, "PORT").source).toBe(".env (PORT)");
  });
});

describe("secrets from files", () => {
  const secretNames = settingTable.filter(({ isSecret }) => isSecret).map(({ name }) => name);

  test("are these", () => {
    expect(secretNames.toSorted()).toEqual([
      "ADMIN_SETUP_TOKEN",
      "DATABASE_URL",
      "METRICS_TOKEN",
      "OTEL_EXPORTER_OTLP_HEADERS",
      "PGPASSWORD",
      "REDIS_URL",
      "S3_SECRET_ACCESS_KEY",
      "S3_SESSION_TOKEN",
      "SECRET_KEY",
    ]);
  });

  const contents: Record<string, string> = {
    DATABASE_URL: "postgres://u:hidden-word@h/d",
    REDIS_URL: "redis://:hidden-word@h",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=hidden-word",
  };

  for (const name of secretNames) {
    const variable = `${name}_FILE`;
    const content = contents[name] ?? "hidden-word";

    test(`${variable} is read`, () => {
      const { report } = mustLoad({ environment: { [variable]: "/s" }, files: { "/s": `${content}\n` } });
      expect(reportOf(report, name).source).toBe(`file (${variable})`);
    });
    test(`${variable} beside ${name} is a mistake`, () => {
      const loaded = load({ environment: { [variable]: "/s", [name]: content }, files: { "/s": content } });
      expect(loaded).toEqual({ ok: false, mistakes: [`${variable}: ${name} is set too: set one of them`] });
    });
    test(`${variable} must be readable`, () => {
      expectMistake({ [variable]: "/nowhere" }, `${variable}: cannot read "/nowhere" (ENOENT)`);
    });
  }

  test("one newline at the end is dropped, and nothing else", () => {
    const secretIn = (text: string) =>
      mustLoad({ environment: { SECRET_KEY_FILE: "/s" }, files: { "/s": text } }).config.secretKey;
    expect(secretIn("key\n")).toBe("key");
    expect(secretIn("key\r\n")).toBe("key");
    expect(secretIn(" key \n\n")).toBe(" key \n");
  });

  test("an empty file and bytes that are no text are mistakes", () => {
    for (const text of ["", "\n", "a\uFFFDb"]) {
      const loaded = load({ environment: { SECRET_KEY_FILE: "/s" }, files: { "/s": text } });
      expect(loaded.ok).toBe(false);
    }
  });

  test("a file named in the environment wins over a value in .env", () => {
    const { config } = mustLoad({
      environment: { SECRET_KEY_FILE: "/s" },
      dotEnv: "SECRET_KEY=from-env-file",
      files: { "/s": "from-file" },
    });
    expect(config.secretKey).toBe("from-file");
  });

  test("PORT_FILE means nothing", () => expect(configOf({ PORT_FILE: "/nowhere" }).port).toBe(8000));
});

describe("the PG settings", () => {
  const environment = {
    PGHOST: "db.local",
    PGPORT: "5433",
    PGDATABASE: "my/db",
    PGUSER: "us er",
    PGPASSWORD: "p@ss:w#rd/%?",
  };

  test("make an address, each part encoded", () => {
    const { config, report } = mustLoad({ environment });
    expect(config.database).toMatchObject({
      engine: "postgres",
      url: "postgres://us%20er:p%40ss%3Aw%23rd%2F%25%3F@db.local:5433/my%2Fdb",
    });
    expect(reportOf(report, "DATABASE_URL")).toEqual({
      name: "DATABASE_URL",
      value: "postgres://us%20er:********@db.local:5433/my%2Fdb",
      source: "environment (PGHOST)",
    });
  });

  test("count only where DATABASE_URL is not set and PGHOST is", () => {
    const named = configOf({ ...environment, DATABASE_URL: "sqlite:///./x.db" });
    expect(named.database).toMatchObject({ engine: "sqlite", path: "./x.db" });
    const hostless = configOf({ ...environment, PGHOST: "" });
    expect(hostless.database).toMatchObject({ engine: "sqlite", path: "./app.db" });
  });
});

describe("a .env of the five backends works as it is", () => {
  test("000", () => {
    // What its docker-compose.yml passes.
    const dotEnv = "DATABASE_URL=sqlite:///./app.db\nSECRET_KEY=your-production-secret\n";
    expect(mustLoad({ dotEnv }).config).toMatchObject({
      database: { engine: "sqlite", path: "./app.db" },
      secretKey: "your-production-secret",
    });
  });

  test("001", () => {
    const dotEnv = `DATABASE_URL=postgresql+asyncpg://user:pass@localhost:5432/dbname
SECRET_KEY=your-secret-key-here
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=60
UPLOAD_DIR=uploads
MAX_UPLOAD_MB=10
MAX_LOGIN_ATTEMPTS=5
LOCKOUT_DURATION_MINUTES=30
RATE_LIMIT_ATTEMPTS=5
RATE_LIMIT_WINDOW_MINUTES=15
`;
    expect(mustLoad({ dotEnv }).config).toMatchObject({
      database: { engine: "postgres", url: "postgres://user:pass@localhost:5432/dbname" },
      jwtAlgorithm: "HS256",
      accessTokenExpireMinutes: 60,
      maxUploadMb: 10,
      rateLimits: { rootLogin: { requests: 5, windowMs: 900_000 } },
    });
  });

  test("002", () => {
    const dotEnv = `# Database
DATABASE_URL=postgresql://project1:project1@localhost:5432/project1
POSTGRES_DB=project1
POSTGRES_USER=project1
POSTGRES_PASSWORD=project1

# JWT Authentication
SECRET_KEY=your-secret-key-change-in-production
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=30
REFRESH_TOKEN_EXPIRE_DAYS=7

# Database Pool
DB_POOL_MIN_CONN=1
DB_POOL_MAX_CONN=10

# Logging
LOG_LEVEL=INFO
`;
    expect(mustLoad({ dotEnv }).config).toMatchObject({
      database: {
        url: "postgres://project1:project1@localhost:5432/project1",
        poolMinConnections: 1,
        poolMaxConnections: 10,
      },
      refreshTokenExpireDays: 7,
      logLevel: "info",
    });
  });

  test("003", () => {
    const dotEnv = `PGHOST=192.168.0.112
POSTGRES_PORT=5432
PGDATABASE=postgres
PGUSER=myuser
PGPASSWORD=myuser
SECRET_KEY=5xQJYZX9cg4yTt1RmKnb8skhmQ45BN_bgfbTpyPo14Q
JWT_ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=30
APP_PORT=8001
DEBUG=True
CORS_ORIGINS=["http://localhost:3000","http://192.168.0.112:3000"]
`;
    expect(mustLoad({ dotEnv }).config).toMatchObject({
      database: { url: "postgres://myuser:myuser@192.168.0.112:5432/postgres" },
      port: 8001,
      debug: true,
      corsOrigins: ["http://localhost:3000", "http://192.168.0.112:3000"],
    });
  });

  test("004", () => {
    // Its document lists names, and these as examples of values.
    const dotEnv = `APP_NAME="Pure Async REST API"
DEBUG=true
ENVIRONMENT=development
HOST=0.0.0.0
PORT=8000
DATABASE_URL=postgresql+asyncpg://user:pass@localhost:5432/dbname
DB_POOL_SIZE=5
DB_ECHO=false
LOG_LEVEL=WARNING
LOG_JSON=true
`;
    expect(mustLoad({ dotEnv }).config).toMatchObject({
      appName: "Pure Async REST API",
      database: { poolMaxConnections: 5, echo: false },
      logLevel: "warning",
      logJson: true,
    });
  });
});
