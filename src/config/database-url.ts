import { inUrl } from "../core/ip-address.ts";

import { bad, good, type Kind, maskedUrl, type Parsed } from "./kinds.ts";

export type DatabaseTarget =
  | { readonly engine: "sqlite"; readonly path: string }
  | { readonly engine: "postgres"; readonly url: string };

export const IN_MEMORY = ":memory:";

/** The drivers that SQLAlchemy names after a `+` mean nothing here; what they speak to is the same. */
const SQLITE_SCHEMES = new Set(["sqlite", "sqlite+aiosqlite", "sqlite+pysqlite"]);
const POSTGRES_SCHEMES = new Set(
  ["postgres", "postgresql"].flatMap((name) => [
    name,
    `${name}+asyncpg`,
    `${name}+psycopg`,
    `${name}+psycopg2`,
  ]),
);

export const databaseUrl: Kind<DatabaseTarget> = {
  noun: "the address of a database",
  takes: "sqlite:///relative/path, sqlite:////absolute/path or postgres://user:password@host:port/database",
  isSecret: true,
  parse(text) {
    const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+]*):(.*)$/is.exec(text.trim()) ?? [];
    const engine = scheme.toLowerCase();
    if (SQLITE_SCHEMES.has(engine)) return sqliteTarget(rest);
    if (POSTGRES_SCHEMES.has(engine)) return postgresTarget(rest);
    return rest.startsWith("//") ? bad(`the scheme "${scheme}" is not known`) : bad();
  },
  show: (target) =>
    target.engine === "postgres"
      ? maskedUrl(target.url)
      : target.path === IN_MEMORY
        ? "sqlite://:memory:"
        : `sqlite:///${target.path}`,
};

/** Three slashes and a relative path, four slashes in all for an absolute one, as SQLAlchemy has it. */
function sqliteTarget(rest: string): Parsed<DatabaseTarget> {
  const [location = "", ...parameters] = rest.split(/[?&]/);
  if (parameters.some((parameter) => !parameter.startsWith("check_same_thread="))) {
    return bad("has parameters that are not known");
  }
  const path = location.replace(/^\/\/\/?/, "");
  if (path.startsWith("file:")) return bad("is a file: address inside another");
  return good({ engine: "sqlite", path: path === "" ? IN_MEMORY : path });
}

function postgresTarget(rest: string): Parsed<DatabaseTarget> {
  const url = rest.startsWith("//") ? URL.parse(`postgres:${rest}`) : null;
  if (url === null || url.hash !== "" || !canBeDecoded(url.username + url.password + url.pathname)) {
    return bad(
      "cannot be read (in a user name or a password, percent-encode / ? # % @ and :, e.g. # as %23)",
    );
  }
  if (url.hostname === "") return bad("names no host");
  if (/[,%]/.test(url.hostname)) return bad("names something else than one host");
  const problem = parameterProblem([...url.searchParams]);
  return problem === null ? good({ engine: "postgres", url: url.href }) : bad(problem);
}

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/** What the driver takes, once each and under names in any case; at anything else it throws. */
const PARAMETERS = [
  { name: "sslmode", values: oneOf(SSL_MODES), takes: `an sslmode of ${SSL_MODES.join(", ")}` },
  {
    name: "ssl",
    values: oneOf([...SSL_MODES, "true", "false", "1", "0"]),
    takes: `an ssl of true, false, ${SSL_MODES.join(", ")}`,
  },
  { name: "connect_timeout", values: /^\d{1,9}$/, takes: "a connect_timeout in whole seconds" },
];

function oneOf(words: readonly string[]): RegExp {
  return new RegExp(`^(?:${words.join("|")})$`, "i");
}

function parameterProblem(parameters: readonly (readonly [string, string])[]): string | null {
  for (const { name, values, takes } of PARAMETERS) {
    const given = parameters.filter(([key]) => key.toLowerCase() === name);
    if (given.length > 1) return `names ${name} more than once`;
    if (given.some(([, value]) => !values.test(value))) return `takes ${takes}`;
  }
  return null;
}

function canBeDecoded(text: string): boolean {
  return !/%(?![0-9a-f]{2})/i.test(text);
}

export function composePostgresUrl(parts: {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
}): string {
  const password = parts.password === null ? "" : `:${encodeURIComponent(parts.password)}`;
  const user = encodeURIComponent(parts.user);
  return `postgres://${user}${password}@${inUrl(parts.host)}:${parts.port}/${encodeURIComponent(parts.database)}`;
}
