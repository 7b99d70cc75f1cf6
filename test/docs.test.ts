import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fences, reader } from "./support/guide.ts";
import { hasCurl, hasPostgresTools } from "./support/needed.ts";
import { freePort } from "./support/ports.ts";
import { hasPostgres, temporaryPostgres } from "./support/postgres.ts";
import { latchkey, scratchFolder, serve } from "./support/process.ts";
import { hasRedisServer, redisServer } from "./support/redis-server.ts";

const ROOT = join(import.meta.dir, "..");

/** The shell lines between two markers of a page. */
function shellBlock(page: string, name: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  const block = new RegExp(`<!-- ${name} -->\\s+\`\`\`sh\\n([^]*?)\`\`\`\\s+<!-- /${name} -->`).exec(
    text,
  )?.[1];
  if (block === undefined) throw new Error(`${page} has no block ${name}`);
  return block;
}

test.if(hasCurl())(
  "the README's tour works as it stands",
  async () => {
    const folder = scratchFolder();
    const server = await serve(folder);
    const run = reader({ folder, settings: { API: `${server.url}/api/v1` } });
    const answers = (await run(shellBlock("README.md", "tour")))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(answers).toEqual([
      { id: 1, email: "ada@example.com" },
      expect.objectContaining({ title: "Write a program", completed: true }),
      [],
      { access_token: expect.any(String), token_type: "bearer" },
      { message: "Successfully logged out" },
    ]);
  },
  30_000,
);

/** Guides are followed word by word: `sh` is run, `sql` too, and `text` is what the commands before it print. */
const guides = [
  "docs/quick-start.md",
  "docs/authentication.md",
  "docs/metrics.md",
  "docs/operating.md",
  "docs/upgrading.md",
  "docs/deploying.md",
  "docs/troubleshooting.md",
  "docs/tracing.md",
  ...new Bun.Glob("docs/coming-from/*.md").scanSync(ROOT),
];

/** `…` stands for anything. */
function pattern(text: string): RegExp {
  const literal = text.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("…", "[^]*?")}$`);
}

test.each(guides)(
  "%s can be followed",
  async (page) => {
    const folder = scratchFolder();
    const metricsPort = String(await freePort());
    const server = await serve(folder, { METRICS_PORT: metricsPort });
    const run = reader({
      folder,
      settings: { PORT: new URL(server.url).port },
      called: { "http://localhost:8000": server.url, "127.0.0.1:9100": `127.0.0.1:${metricsPort}` },
    });

    await follow(page, run, folder);
  },
  60_000,
);

async function follow(page: string, run: (script: string) => Promise<string>, folder: string): Promise<void> {
  let printed = "";
  for (const { kind, text } of fences(page)) {
    if (kind === "sh") printed += await run(text);
    else if (kind === "text") {
      expect(printed.trim().replaceAll(/\n+/g, "\n")).toMatch(pattern(text));
      printed = "";
    } else if (kind === "sql") {
      using database = new Database(join(folder, "app.db"));
      database.run(text);
    }
  }
}

test("docs/moving-in.md can be followed, from a database of the backend 000", async () => {
  const folder = scratchFolder();
  mkdirSync(join(folder, "old"));
  using old = new Database(join(folder, "old/app.db"));
  old.run(readFileSync(join(ROOT, "test/fixtures/import/000.sqlite.sql"), "utf8"));
  const server = await serve(folder);
  const called = { "http://localhost:8000": server.url, "/srv/old": join(folder, "old") };
  await follow("docs/moving-in.md", reader({ folder, called }), folder);
}, 60_000);

test("what docs/quick-start.md begins with serves, and ends by a signal", async () => {
  const [first] = fences("docs/quick-start.md");
  const words = /^\$ (.+)$/m.exec(first?.text ?? "")?.[1]?.split(" ") ?? [];
  const command = words.map((word) => (word === "bun" ? process.execPath : word));
  const folder = scratchFolder();
  const elsewhere = { KEYS_DIR: join(folder, "keys"), UPLOAD_DIR: join(folder, "uploads") };
  const settings = { DATABASE_URL: `sqlite:///${join(folder, "app.db")}`, ...elsewhere };
  const server = await serve(ROOT, settings, command);
  try {
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  } finally {
    server.kill("SIGTERM");
  }
  expect(await server.exited).toBe(0);
}, 30_000);

/** The blocks of `sh` of a page. */
function commands(page: string): readonly string[] {
  return fences(page).flatMap(({ kind, text }) => (kind === "sh" ? [text] : []));
}

test("docs/backup.md can be followed on SQLite", async () => {
  const folder = scratchFolder();
  mkdirSync(join(folder, "backups"));
  const server = await serve(folder);
  const run = reader({ folder, called: { "/backups": join(folder, "backups") } });
  const [backup = "", restore = "", clock = ""] = commands("docs/backup.md");
  expect(await run(backup)).toContain("checked");
  server.kill("SIGTERM");
  await server.exited;
  for (const file of ["app.db", "app.db-wal", "app.db-shm"]) rmSync(join(folder, file), { force: true });
  await run(restore);
  using database = new Database(join(folder, "app.db"));
  for (const { kind, text } of fences("docs/backup.md")) if (kind === "sql") database.run(text);
  const inForce = await run(`set -a\n${clock}\nlatchkey config`);
  expect(inForce).toMatch(/BACKUP_SCHEDULE +0 3 \* \* \*/);
  expect(inForce).toMatch(/BACKUP_KEEP +7/);
});

test.if(hasRedisServer())("docs/scaling.md tells what a client costs in Redis", async () => {
  const redis = await redisServer();
  try {
    await redis.start();
    const measure = commands("docs/scaling.md").find((text) => text.includes("redis-cli")) ?? "";
    const called = { "redis-cli": `redis-cli -u ${redis.url}` };
    const printed = await reader({ folder: scratchFolder(), called })(measure);
    const [before = 0, after = 0] = [...printed.matchAll(/^used_memory:(\d+)/gm)].map(([, bytes]) =>
      Number(bytes),
    );
    // What the page says, and room for another version's allocator.
    const said = Number(
      /(\d+) bytes a client/.exec(readFileSync(join(ROOT, "docs/scaling.md"), "utf8"))?.[1],
    );
    expect((after - before) / 100_000 / said).toBeWithin(0.8, 1.25);
  } finally {
    await redis.destroy();
  }
});

describe.if((await hasPostgres()) && hasPostgresTools())("on PostgreSQL", () => {
  const url = temporaryPostgres();

  test("docs/backup.md can be followed", async () => {
    const folder = scratchFolder();
    await latchkey(["migrate", "up"], { cwd: folder, settings: { DATABASE_URL: url } });
    const { hostname, port, username, password, pathname } = new URL(url);
    const run = reader({
      folder,
      settings: { PGPORT: port === "" ? "5432" : port, PGPASSWORD: decodeURIComponent(password) },
      called: {
        "--host=db": `--host=${hostname}`,
        "--username=latchkey": `--username=${username}`,
        "--dbname=latchkey": `--dbname=${pathname.slice(1)}`,
      },
    });
    const ofPostgres = commands("docs/backup.md").filter((text) => /^pg_/.test(text));
    expect(ofPostgres).toHaveLength(2);
    for (const text of ofPostgres) await run(text);
    const status = await latchkey(["migrate", "status"], { cwd: folder, settings: { DATABASE_URL: url } });
    expect(status.stdout).not.toContain("outstanding");
    expect(status.exitCode).toBe(0);
  }, 30_000);
});

describe.if(await hasPostgres())("on PostgreSQL", () => {
  const url = temporaryPostgres();

  test("docs/scaling.md moves a database there, and docs/backup.md keeps it as a file", async () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, "backups"));
    const called = { "postgres://latchkey@db/latchkey": url, "/backups": join(folder, "backups") };
    const run = reader({ folder, called });
    await run("latchkey seed --users 2 --todos 9");
    const copies = ["docs/scaling.md", "docs/backup.md"].flatMap((page) =>
      commands(page).filter((text) => text.includes("latchkey copy")),
    );
    expect(copies).toHaveLength(2);
    for (const text of copies) expect(await run(text)).toMatch(/^todos +9  sha256 /m);
  }, 30_000);
});

test("what docs/deploying.md starts is in compose.yaml", () => {
  const compose: unknown = Bun.YAML.parse(readFileSync(join(ROOT, "deploy/compose.yaml"), "utf8"));
  const started = fences("docs/deploying.md").flatMap(({ kind, text }) =>
    kind === "console" ? [...text.matchAll(/^\$ docker compose (?:--profile (\S+) )?up -d (\S+)$/gm)] : [],
  );
  expect(started).toHaveLength(2);
  for (const [, profile, service = ""] of started) {
    const profiles = profile === undefined ? {} : { profiles: [profile] };
    expect(compose).toMatchObject({ services: { [service]: profiles } });
  }
});

test("the messages in docs/troubleshooting.md are the program's own", () => {
  const source = [
    ...new Bun.Glob("src/{config,cli,core,http,storage}/**/*.ts").scanSync(ROOT),
    "src/key-files.ts",
  ]
    .map((file) => readFileSync(join(ROOT, file), "utf8"))
    .join("\n");
  const rows = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8").matchAll(
    /^\| (?:\d{3} )?`([^`]+)`/gm,
  );
  // What is put in at run time is not in the source.
  const parts = [...rows].flatMap(([, message = ""]) =>
    message
      .split(/SECRET_KEY: | in production|"\*" |Todo |'admin'|1048576|application\/json/)
      .map((part) => part.replace(/^there is no private_key\.pem in$/, "there is no ").trim())
      .filter((part) => part.length > 3),
  );
  expect(parts.length).toBeGreaterThan(20);
  expect(parts.filter((part) => !source.includes(part))).toEqual([]);
});

test("every link from one page to another leads somewhere", async () => {
  const pages = ["*.md", "client/*.md", "docs/**/*.md", "migrations/*.md", "src/**/*.md"].flatMap((glob) => [
    ...new Bun.Glob(glob).scanSync(ROOT),
  ]);
  const broken = pages.flatMap((page) =>
    [...readFileSync(join(ROOT, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(pages.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});
