import { describe, expect, test } from "bun:test";

import type { Config } from "../../src/config.ts";
import { configOf, expectMistake, mistakesOf } from "./support.ts";

interface Cases {
  readonly setting: string;
  readonly of: (config: Config) => unknown;
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
}

const BOOLEANS = {
  good: [
    ...["true", "True", "TRUE", "1", "yes", "on", " true "].map((text) => [text, true] as const),
    ...["false", "False", "0", "no", "off", "OFF"].map((text) => [text, false] as const),
  ],
  bad: ["maybe", "2", "-1", "truee", "null"],
};

const MINUTE_MS = 60_000;
const RATES = {
  good: [
    ["5/minute", { requests: 5, windowMs: MINUTE_MS }],
    ["5/second", { requests: 5, windowMs: 1_000 }],
    ["5/hour", { requests: 5, windowMs: 60 * MINUTE_MS }],
    ["5/day", { requests: 5, windowMs: 1_440 * MINUTE_MS }],
    ["5/15minutes", { requests: 5, windowMs: 15 * MINUTE_MS }],
    ["5/15 Minutes", { requests: 5, windowMs: 15 * MINUTE_MS }],
    ["5 per minute", { requests: 5, windowMs: MINUTE_MS }],
    ["5 / 60s", { requests: 5, windowMs: MINUTE_MS }],
    ["1000000/30d", { requests: 1_000_000, windowMs: 43_200 * MINUTE_MS }],
  ] as const,
  bad: [
    "5",
    "5/",
    "/minute",
    "0/minute",
    "5/0 minutes",
    "-5/minute",
    "5/fortnight",
    "5/minute;9/hour",
    "1.5/minute",
    "5/31 days",
    "1000001/minute",
  ],
};

const sqlite = (path: string) => ({ engine: "sqlite", path });
const postgres = (url: string) => ({ engine: "postgres", url });
const target = ({ database }: Config) =>
  database.engine === "sqlite" ? sqlite(database.path) : postgres(database.url);

const TABLE: readonly Cases[] = [
  {
    setting: "PORT",
    of: (config) => config.port,
    good: [
      ["8000", 8000],
      ["0", 0],
      ["65535", 65535],
      [" 80 ", 80],
    ],
    bad: ["eighty", "-1", "65536", "80.5", "0x50", "1e3", "8000;", "9007199254740993"],
  },
  { setting: "DEBUG", of: (config) => config.debug, ...BOOLEANS },
  { setting: "DB_ECHO", of: (config) => config.database.echo, ...BOOLEANS },
  { setting: "DB_PREPARE", of: (config) => config.database.prepare, ...BOOLEANS },
  { setting: "AUTO_MIGRATE", of: (config) => config.database.autoMigrate, ...BOOLEANS },
  { setting: "LOG_JSON", of: (config) => config.logJson, ...BOOLEANS },
  { setting: "COOKIE_SECURE", of: (config) => config.cookie.secure, ...BOOLEANS },
  { setting: "RATE_LIMIT_ENABLED", of: (config) => config.rateLimits.enabled, ...BOOLEANS },
  { setting: "RATE_LIMIT_REGISTER", of: (config) => config.rateLimits.register, ...RATES },
  { setting: "RATE_LIMIT_LOGIN", of: (config) => config.rateLimits.login, ...RATES },
  { setting: "RATE_LIMIT_REFRESH", of: (config) => config.rateLimits.refresh, ...RATES },
  {
    setting: "RATE_LIMIT_ATTEMPTS",
    of: (config) => config.rateLimits.rootLogin,
    good: [["7", { requests: 7, windowMs: 15 * MINUTE_MS }]],
    bad: ["0", "5/minute"],
  },
  {
    setting: "RATE_LIMIT_WINDOW_MINUTES",
    of: (config) => config.rateLimits.rootLogin,
    good: [["2", { requests: 5, windowMs: 2 * MINUTE_MS }]],
    bad: ["0", "15m"],
  },
  {
    setting: "ENVIRONMENT",
    of: (config) => config.environment,
    good: [
      ["development", "development"],
      ["dev", "development"],
      ["Test", "test"],
      ["testing", "test"],
    ],
    bad: ["staging", "constructor", "__proto__"],
  },
  {
    setting: "HOST",
    of: (config) => config.host,
    good: [
      ["127.0.0.1", "127.0.0.1"],
      ["::", "::"],
      ["[::1]", "::1"],
      ["localhost", "localhost"],
      ["api.example.com", "api.example.com"],
    ],
    bad: ["http://localhost", "a b", "localhost:80", "-x"],
  },
  {
    setting: "APP_NAME",
    of: (config) => config.appName,
    good: [["My API", "My API"]],
    bad: ["two\nlines", "a\u001b[31m"],
  },
  {
    setting: "PUBLIC_URL",
    of: (config) => config.publicUrl,
    good: [
      ["https://api.example.com", "https://api.example.com"],
      ["https://api.example.com/", "https://api.example.com"],
      ["http://localhost:8000/api/", "http://localhost:8000/api"],
    ],
    bad: [
      "api.example.com",
      "ftp://x",
      "https://",
      "https://a/?x=1",
      "https://a/#b",
      "https://u:p@a",
      "/api",
    ],
  },
  {
    setting: "DATABASE_URL",
    of: target,
    good: [
      ["sqlite:///./app.db", sqlite("./app.db")],
      ["sqlite:///app.db", sqlite("app.db")],
      ["sqlite:////var/lib/app.db", sqlite("/var/lib/app.db")],
      ["sqlite://data/app.db", sqlite("data/app.db")],
      ["sqlite:app.db", sqlite("app.db")],
      ["sqlite:/var/app.db", sqlite("/var/app.db")],
      ["sqlite+aiosqlite:///./app.db", sqlite("./app.db")],
      ["sqlite:///./app.db?check_same_thread=False", sqlite("./app.db")],
      ["SQLite:///App.db", sqlite("App.db")],
      ["postgres://u:p@h:5432/d", postgres("postgres://u:p@h:5432/d")],
      ["postgresql://u:p@h/d", postgres("postgres://u:p@h/d")],
      ["postgresql+asyncpg://u:p@h/d", postgres("postgres://u:p@h/d")],
      ["postgresql+psycopg://u:p@h/d", postgres("postgres://u:p@h/d")],
      ["postgresql+psycopg2://u:p@h/d", postgres("postgres://u:p@h/d")],
      ["postgres+asyncpg://u@h/d?sslmode=require", postgres("postgres://u@h/d?sslmode=require")],
      ["postgres://u@h/d?ssl=require", postgres("postgres://u@h/d?ssl=require")],
      ["postgres://u@h/d?ssl=true&sslmode=prefer", postgres("postgres://u@h/d?ssl=true&sslmode=prefer")],
      ["postgres://u@h/d?SSL=Verify-Full", postgres("postgres://u@h/d?SSL=Verify-Full")],
      ["postgres://u@h/d?connect_timeout=10", postgres("postgres://u@h/d?connect_timeout=10")],
      ["postgres://u:p%23w@[::1]:5433/d", postgres("postgres://u:p%23w@[::1]:5433/d")],
    ],
    bad: [
      "mysql://u:p@h/d",
      "./app.db",
      "app",
      "postgres://h/d?sslmode=bogus",
      "postgres://h/d?sslmode=true",
      "postgres://h/d?sslmode=require&sslmode=require",
      "postgres://h/d?sslmode=require&SSLMODE=bogus",
      "postgres://h/d?ssl=maybe",
      "postgres://h/d?ssl=no-verify",
      "postgres://h/d?connect_timeout=abc",
      "postgres://h/d?connect_timeout=-1",
      "postgres:",
      "postgres://",
      "postgres:///d?host=/tmp",
      "postgres://u:p#w@h/d",
      "postgres://u:p%zz@h/d",
      "postgres://u:p@h1,h2/d",
      "postgres://u:p@h:99999/d",
      "postgres://u:p@%2Ftmp/d",
      "sqlite+pysqlcipher:///x",
      "sqlite:///x?mode=ro",
      "sqlite:///file:x?mode=memory",
      "sqlite://",
      "sqlite:///",
      "sqlite://:memory:",
      "sqlite:///:memory:",
    ],
  },
  {
    setting: "REDIS_URL",
    of: (config) => config.redisUrl,
    good: [
      ["redis://localhost:6379", "redis://localhost:6379"],
      ["rediss://:pw@h:6380/1", "rediss://:pw@h:6380/1"],
    ],
    bad: ["localhost:6379", "http://h", "redis://", "redis://:p#w@h", "redis://h/first", "redis://h/1/2"],
  },
  {
    setting: "PREVIOUS_PUBLIC_URLS",
    of: (config) => config.previousPublicUrls,
    good: [
      ["https://a.example", ["https://a.example"]],
      ["https://a.example/, http://b.example/x,", ["https://a.example", "http://b.example/x"]],
    ],
    bad: ["https://a.example, b.example", "https://a.example https://b.example"],
  },
  {
    setting: "CORS_ORIGINS",
    of: (config) => config.corsOrigins,
    good: [
      ['["http://localhost:3000","https://a.example/"]', ["http://localhost:3000", "https://a.example"]],
      ["http://localhost:3000, https://A.Example:443", ["http://localhost:3000", "https://a.example"]],
      ["http://a,http://a/,", ["http://a"]],
      ["http://[::1]:3000", ["http://[::1]:3000"]],
      ["capacitor://localhost", ["capacitor://localhost"]],
      ["[]", []],
    ],
    bad: [
      "*",
      '["*"]',
      "http://a,*",
      "https://*.example.com",
      "null",
      "localhost:3000",
      "//a",
      "http://a/b",
      "http://a?b",
      "http://u:p@a",
      "http://a b",
      "file:///",
      "http://",
      "[1]",
      '["http://a"',
      '{"a":1}',
      "http://a:99999",
    ],
  },
  {
    setting: "COOKIE_SAMESITE",
    of: (config) => config.cookie.sameSite,
    good: [
      ["lax", "lax"],
      ["Strict", "strict"],
    ],
    bad: ["loose", "none"],
  },
  {
    setting: "COOKIE_DOMAIN",
    of: (config) => config.cookie.domain,
    good: [
      ["example.com", "example.com"],
      [".Example.com", "example.com"],
    ],
    bad: ["https://example.com", "example.com; Path=/", "a..b", "-a.b"],
  },
  {
    setting: "JWT_ALGORITHM",
    of: (config) => config.jwtAlgorithm,
    good: [
      ["HS256", "HS256"],
      ["rs256", "RS256"],
      ["ES256", "ES256"],
      ["EdDSA", "EdDSA"],
    ],
    bad: ["none", "HS512", "RS512", "ES384"],
  },
  {
    setting: "LOG_LEVEL",
    of: (config) => config.logLevel,
    good: [
      ["DEBUG", "debug"],
      ["Info", "info"],
      ["WARN", "warning"],
      ["warning", "warning"],
      ["CRITICAL", "error"],
    ],
    bad: ["loud", "10"],
  },
  {
    setting: "PASSWORD_MIN_LENGTH",
    of: (config) => config.passwordMinLength,
    good: [["30", 30]],
    bad: ["31", "0", "ten"],
  },
  {
    setting: "TRUST_PROXY",
    of: (config) => config.trustProxy,
    good: [
      ["0", 0],
      ["32", 32],
    ],
    bad: ["33", "-1", "true", "10.0.0.0/8"],
  },
  {
    setting: "ACCESS_TOKEN_EXPIRE_MINUTES",
    of: (config) => config.accessTokenExpireMinutes,
    good: [["60", 60]],
    bad: ["0", "-5", "1h"],
  },
  {
    setting: "REFRESH_ABSOLUTE_DAYS",
    of: (config) => config.refreshAbsoluteDays,
    good: [["90", 90]],
    bad: ["0"],
  },
  {
    setting: "AUDIT_RETENTION_DAYS",
    of: (config) => config.auditRetentionDays,
    good: [["365", 365]],
    bad: ["0", "a year"],
  },
  {
    setting: "BACKUP_SCHEDULE",
    of: (config) => config.backups,
    good: [
      ["0 3 * * *", { schedule: "0 3 * * *", folder: "backups", bucket: null, keep: 7 }],
      [" @daily ", { schedule: "@daily", folder: "backups", bucket: null, keep: 7 }],
    ],
    bad: ["every night", "61 * * * *", "0 3 * *", "0 0 30 2 *"],
  },
  {
    setting: "BACKUP_KEEP",
    of: (config) => config.backups,
    good: [["30", null]],
    bad: ["0", "all"],
  },
  {
    setting: "METRICS_PORT",
    of: (config) => config.metricsPort,
    good: [["9100", 9100]],
    bad: ["8000", "metrics"],
  },
  {
    setting: "METRICS_TOKEN",
    of: (config) => config.metricsToken,
    good: [["scrape-me", "scrape-me"]],
    bad: ["two words", "ключ"],
  },
  {
    setting: "PGHOST",
    of: target,
    good: [
      ["db", postgres("postgres://postgres@db:5432/postgres")],
      ["::1", postgres("postgres://postgres@[::1]:5432/postgres")],
    ],
    bad: ["/var/run/postgresql", "a,b", "postgres://h"],
  },
  {
    setting: "POSTGRES_PORT",
    of: () => true,
    good: [["5432", true]],
    bad: ["0", "x"],
  },
  {
    setting: "DB_POOL_MIN_CONN",
    of: (config) => config.database.poolMinConnections,
    good: [["10", 10]],
    bad: ["11", "-1"],
  },
];

for (const { setting, of, good, bad } of TABLE) {
  describe(setting, () => {
    for (const [text, value] of good) {
      test(`takes ${JSON.stringify(text)}`, () => {
        expect(of(configOf({ [setting]: text }))).toEqual(value);
      });
    }
    for (const text of bad) {
      test(`refuses ${JSON.stringify(text)}`, () => expectMistake({ [setting]: text }, `${setting}: `));
    }
  });
}

test("a mistake says what was given and what is taken", () => {
  expect(mistakesOf({ PORT: "eighty" })).toEqual([
    'PORT: "eighty" is not a port: an integer from 1 to 65535 (0 for any free one)',
  ]);
});

test("a mistake stays on one line, and is not as long as what was given", () => {
  const [mistake = ""] = mistakesOf({ APP_NAME: `a\n${"x".repeat(10_000)}` });
  expect(mistake).not.toContain("\n");
  expect(mistake.length).toBeLessThan(200);
});

test("every mistake is reported at once, a line each", () => {
  const mistakes = mistakesOf({
    ENVIRONMENT: "production",
    APP_PORT: "eighty",
    DATABASE_URL: "mysql://root:hunter2@h/d",
    CORS_ORIGINS: "*",
    RATE_LIMIT_LOGIN: "lots",
    COOKIE_SAMESITE: "none",
    COOKIE_SECURE: "false",
    DB_POOL_SIZE: "2",
    DB_POOL_MIN_CONN: "3",
    TRUST_PROXY: "yes",
    HASH_CONCURRENCY: "0",
  });
  expect(mistakes.map((mistake) => mistake.split(":")[0]).toSorted()).toEqual([
    "APP_PORT",
    "COOKIE_SAMESITE",
    "CORS_ORIGINS",
    "DATABASE_URL",
    "DB_POOL_MIN_CONN",
    "HASH_CONCURRENCY",
    "RATE_LIMIT_LOGIN",
    "SECRET_KEY",
    "TRUST_PROXY",
  ]);
  expect(mistakes.join("\n")).not.toContain("hunter2");
});

test.each([
  ["sslmode=hunter2", "takes an sslmode of disable, allow, prefer, require, verify-ca, verify-full"],
  ["ssl=hunter2", "takes an ssl of true, false, disable, allow, prefer, require, verify-ca, verify-full"],
  ["connect_timeout=hunter2", "takes a connect_timeout in whole seconds"],
  ["ssl=true&ssl=hunter2", "names ssl more than once"],
])("a DATABASE_URL with %s says what it takes, and not the value", (parameters, problem) => {
  const [mistake, ...more] = mistakesOf({ DATABASE_URL: `postgres://u:hunter2@h/d?${parameters}` });
  expect(mistake).toStartWith(`DATABASE_URL: ${problem}`);
  expect(mistake).not.toContain("hunter2");
  expect(more).toEqual([]);
});

test("S15 a mistake in a secret does not tell the secret", () => {
  for (const value of [
    "hunter2",
    "hunter2:x",
    "http://u:hunter2@h",
    "postgres://u:hunter2#@h/d",
    "hunter2 ключ",
  ]) {
    const mistakes = mistakesOf({ DATABASE_URL: value, REDIS_URL: value });
    expect(mistakes.length).toBeGreaterThanOrEqual(2);
    expect(mistakes.join()).not.toContain("hunter2");
    expect(mistakesOf({ METRICS_TOKEN: `${value} `, ADMIN_SETUP_TOKEN: `${value} ` }).join()).not.toContain(
      "hunter2",
    );
  }
  expect(mistakesOf({ PUBLIC_URL: "https://u:hunter2@h" }).join()).not.toContain("hunter2");
});

test("a database in memory is for tests alone", () => {
  const config = configOf({ ENVIRONMENT: "test", DATABASE_URL: "sqlite://:memory:" });
  expect(config.database).toMatchObject({ engine: "sqlite", path: ":memory:" });
});

test("UPLOAD_URL keeps avatars in a bucket, and needs a key", () => {
  const key = { S3_ACCESS_KEY_ID: "AKIA1", AWS_SECRET_ACCESS_KEY: "hunter2" };
  expect(configOf({}).uploadS3).toBeNull();
  expect(configOf({ ...key, UPLOAD_URL: "s3://pictures" }).uploadS3).toEqual({
    bucket: "pictures",
    prefix: "",
    endpoint: null,
    region: "us-east-1",
    accessKeyId: "AKIA1",
    secretAccessKey: "hunter2",
    sessionToken: null,
  });
  const elsewhere = { ...key, UPLOAD_URL: "s3://pictures//a/b/", S3_ENDPOINT: "http://127.0.0.1:9000/" };
  expect(configOf(elsewhere).uploadS3).toMatchObject({ prefix: "a/b/", endpoint: "http://127.0.0.1:9000" });
  expectMistake({ UPLOAD_URL: "s3://pictures" }, "UPLOAD_URL: a bucket needs a key");
  for (const bad of ["pictures", "https://pictures", "s3://", "s3://A", "s3://pictures/../x", "s3://a b"]) {
    expectMistake({ ...key, UPLOAD_URL: bad }, "UPLOAD_URL: ");
  }
  for (const bad of ["127.0.0.1:9000", "http://u:p@h", "http://h/path", "ftp://h"]) {
    expectMistake({ S3_ENDPOINT: bad }, "S3_ENDPOINT: ");
  }
});

test("BACKUP_URL keeps backups in a bucket, with the key that uploads have", () => {
  const key = { S3_ACCESS_KEY_ID: "AKIA1", S3_SECRET_ACCESS_KEY: "hunter2" };
  const scheduled = { ...key, BACKUP_SCHEDULE: "@daily" };
  expect(configOf(scheduled).backups).toMatchObject({ folder: "backups", bucket: null });
  expect(configOf({ ...scheduled, BACKUP_URL: "s3://copies/nightly" }).backups?.bucket).toEqual({
    bucket: "copies",
    prefix: "nightly/",
    endpoint: null,
    region: "us-east-1",
    accessKeyId: "AKIA1",
    secretAccessKey: "hunter2",
    sessionToken: null,
  });
  expectMistake({ BACKUP_URL: "s3://copies" }, "BACKUP_URL: a bucket needs a key");
  expectMistake({ ...key, BACKUP_URL: "/backups" }, "BACKUP_URL: ");
});

test("COOKIE_SAMESITE=none goes with COOKIE_SECURE=true", () => {
  const { cookie } = configOf({ COOKIE_SAMESITE: "none", COOKIE_SECURE: "true" });
  expect(cookie).toEqual({ secure: true, sameSite: "none", domain: null });
});

test("two free ports do not collide", () => {
  expect(mistakesOf({ PORT: "0", METRICS_PORT: "0" })).toEqual([]);
  expectMistake({ PORT: "9000", METRICS_PORT: "9000" }, "METRICS_PORT: ");
  expectMistake({ BACKUP_SCHEDULE: "@daily", DATABASE_URL: "postgres://db/app" }, "BACKUP_SCHEDULE: ");
});

test("the queue before the hashes grows with their number", () => {
  expect(configOf({}).hashConcurrency).toBe(4);
  expect(configOf({}).hashQueue).toBe(256);
  expect(configOf({ HASH_CONCURRENCY: "2" }).hashQueue).toBe(128);
  expect(configOf({ HASH_CONCURRENCY: "2", HASH_QUEUE: "5" }).hashQueue).toBe(5);
});

test("the config is frozen all the way down", () => {
  const config = configOf({ CORS_ORIGINS: "http://a" });
  const parts = [
    config,
    config.database,
    config.cookie,
    config.rateLimits,
    config.rateLimits.login,
    config.corsOrigins,
  ];
  for (const part of parts) expect(Object.isFrozen(part)).toBe(true);
});
