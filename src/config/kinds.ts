import { ipv6Groups, withoutZone } from "../core/ip-address.ts";

/** What a setting looks like to its reader: never a secret. */
export type Shown = string | number | boolean | null | readonly string[];

/** `problem` says what is wrong in other words than "… is not a …". It never holds a secret. */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem?: string };

/** A kind of value: how it is read from text, and how a mistake in it is explained. */
export interface Kind<T> {
  /** As in `"eighty" is not a port`. */
  readonly noun: string;
  /** As in `an integer from 1 to 65535`. */
  readonly takes: string;
  /** A secret is never printed, and may come from a file. */
  readonly isSecret: boolean;
  parse(text: string): Parsed<T>;
  show(value: T): Shown;
}

export const MASK = "********";

export function good<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function bad(problem?: string): { readonly ok: false; readonly problem?: string } {
  return problem === undefined ? { ok: false } : { ok: false, problem };
}

/** The user's own words, made fit for one line of a terminal; credentials inside an address are left out. */
export function quoted(text: string): string {
  const harmless = text.replace(/\/\/[^/]*@/g, `//${MASK}@`);
  return JSON.stringify(harmless.length > 80 ? `${harmless.slice(0, 80)}…` : harmless);
}

export function optional<T>(kind: Kind<T>): Kind<T | null> {
  return { ...kind, show: (value) => (value === null ? null : kind.show(value)) };
}

// --- numbers and switches ---

export function integer(min: number, max: number): Kind<number> {
  return {
    noun: "an integer",
    takes: `an integer from ${min} to ${max}`,
    isSecret: false,
    parse(text) {
      const trimmed = text.trim();
      if (!/^[+-]?\d+$/.test(trimmed)) return bad(`${quoted(text)} is not an integer`);
      const value = Number(trimmed);
      return value >= min && value <= max ? good(value) : bad(`${quoted(text)} is out of range`);
    },
    show: (value) => value,
  };
}

/** A port of another machine. */
export const remotePort: Kind<number> = portKind(1, "an integer from 1 to 65535");

/** A port to listen on. */
export const port: Kind<number> = portKind(0, "an integer from 1 to 65535 (0 for any free one)");

function portKind(min: number, takes: string): Kind<number> {
  const number = integer(min, 65_535);
  return {
    ...number,
    noun: "a port",
    takes,
    parse(text) {
      const parsed = number.parse(text);
      return parsed.ok ? parsed : bad();
    },
  };
}

const SWITCH_WORDS = new Map([
  ...["true", "1", "yes", "on", "y", "t"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off", "n", "f"].map((word) => [word, false] as const),
]);

export const boolean: Kind<boolean> = {
  noun: "a boolean",
  takes: "true or false (also 1/0, yes/no, on/off)",
  isSecret: false,
  parse(text) {
    const value = SWITCH_WORDS.get(text.trim().toLowerCase());
    return value === undefined ? bad() : good(value);
  },
  show: (value) => value,
};

/** One of a few words, in any case. `words` maps each spelling, in lower case, to what it means. */
export function oneOf<const Value extends string>(
  noun: string,
  takes: string,
  words: Readonly<Record<string, Value>>,
  show: (value: Value) => string = (value) => value,
): Kind<Value> {
  const meanings = new Map(Object.entries(words));
  return {
    noun,
    takes,
    isSecret: false,
    parse(text) {
      const value = meanings.get(text.trim().toLowerCase());
      return value === undefined ? bad() : good(value);
    },
    show,
  };
}

// --- rates ---

export interface RateLimit {
  readonly requests: number;
  readonly windowMs: number;
}

const UNITS_MS = [
  { name: "day", pattern: /^(d|days?)$/, ms: 86_400_000 },
  { name: "hour", pattern: /^(h|hrs?|hours?)$/, ms: 3_600_000 },
  { name: "minute", pattern: /^(m|mins?|minutes?)$/, ms: 60_000 },
  { name: "second", pattern: /^(s|secs?|seconds?)$/, ms: 1_000 },
];
const RATE_REQUESTS_MAX = 1_000_000;
const RATE_WINDOW_MAX_MS = 30 * 86_400_000;

/** `5/minute`, and the spellings that slowapi takes: `5 per minute`, `5/15minutes`, `5/60s`. */
export const rate: Kind<RateLimit> = {
  noun: "a rate",
  takes: `a number (1 to ${RATE_REQUESTS_MAX}) a time (at most 30 days), such as 5/minute, 100/hour or 5/15 minutes`,
  isSecret: false,
  parse(text) {
    const match = /^(\d+)\s*(?:\/|\s+per\s+|\s+a\s+)\s*(\d+)?\s*([a-z]+)$/.exec(text.trim().toLowerCase());
    if (match === null) return bad();
    const [, requestsText, timesText = "1", unitText = ""] = match;
    const unit = UNITS_MS.find(({ pattern }) => pattern.test(unitText));
    if (unit === undefined) return bad();
    const requests = Number(requestsText);
    const windowMs = Number(timesText) * unit.ms;
    const isInRange =
      requests >= 1 && requests <= RATE_REQUESTS_MAX && windowMs > 0 && windowMs <= RATE_WINDOW_MAX_MS;
    return isInRange ? good({ requests, windowMs }) : bad();
  },
  show: ({ requests, windowMs }) => `${requests}/${windowInWords(windowMs)}`,
};

function windowInWords(windowMs: number): string {
  const unit = UNITS_MS.find(({ ms }) => windowMs % ms === 0);
  if (unit === undefined) return `${windowMs} ms`;
  return windowMs === unit.ms ? unit.name : `${windowMs / unit.ms} ${unit.name}s`;
}

// --- texts ---

/** Free text of one line: whatever ends up in a log or a header must not break out of it. */
export function line(noun: string, takes: string): Kind<string> {
  return {
    noun,
    takes,
    isSecret: false,
    parse(text) {
      return /[\u0000-\u001f\u007f]/.test(text) ? bad() : good(text.trim());
    },
    show: (value) => value,
  };
}

/** When something is done again and again, in the words of cron. */
export const schedule: Kind<string> = {
  noun: "a schedule",
  takes: 'five fields as in a crontab, such as "0 3 * * *", or @daily',
  isSecret: false,
  parse(text) {
    try {
      return Bun.cron.parse(text.trim()) === null
        ? bad("it names no hour that ever comes")
        : good(text.trim());
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return bad();
    }
  },
  show: (value) => value,
};

export const folder: Kind<string> = line("a folder", "the path of a folder");

export const listenHost: Kind<string> = hostKind("a host name or an IP address, such as 0.0.0.0 or ::");
export const remoteHost: Kind<string> = hostKind("a host name or an IP address");

function hostKind(takes: string): Kind<string> {
  return {
    noun: "a host",
    takes,
    isSecret: false,
    parse(text) {
      const host = text.trim().replace(/^\[(.*)\]$/, "$1");
      return ipv6Groups(withoutZone(host)) !== null || /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(host)
        ? good(host)
        : bad();
    },
    show: (value) => value,
  };
}

/** `.example.com` means the same to a browser as `example.com`, and is how older guides spell it. */
export const cookieDomain: Kind<string> = {
  noun: "a domain",
  takes: "a domain name, such as example.com",
  isSecret: false,
  parse(text) {
    const domain = text.trim().toLowerCase().replace(/^\./, "");
    return /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(domain)
      ? good(domain)
      : bad();
  },
  show: (value) => value,
};

/** Kept as it is given, spaces included. */
export const secret: Kind<string> = {
  noun: "a secret",
  takes: "any text",
  isSecret: true,
  parse: good,
  show: () => MASK,
};

/** A secret that a client sends in a header: it could never match with a character that no header carries. */
export const headerSecret: Kind<string> = {
  ...secret,
  takes: "visible ASCII characters without spaces",
  parse: (text) =>
    /^[\x21-\x7e]+$/.test(text) ? good(text) : bad("has a space or a character that a header cannot carry"),
};

// --- addresses ---

export const publicUrl: Kind<string> = {
  noun: "an address of this server",
  takes: "http:// or https://, a host, and optionally a path, such as https://api.example.com",
  isSecret: false,
  parse(text) {
    const url = URL.parse(text.trim());
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return bad();
    const hasMore = url.username + url.password + url.search + url.hash !== "";
    return hasMore ? bad() : good(url.href.replace(/\/+$/, ""));
  },
  show: (value) => value,
};

export const publicUrls: Kind<readonly string[]> = {
  noun: "a list of addresses",
  takes: `a comma list, each ${publicUrl.takes}`,
  isSecret: false,
  parse(text) {
    const listed = text.split(",").map((item) => item.trim());
    const parsed = listed.filter((item) => item !== "").map((item) => publicUrl.parse(item));
    return parsed.every((each) => each.ok) ? good(parsed.map(({ value }) => value)) : bad();
  },
  show: (value) => value,
};

export const redisUrl: Kind<string> = {
  noun: "a Redis address",
  takes: "redis://[user:password@]host[:port][/number], or rediss:// for TLS",
  isSecret: true,
  parse(text) {
    const url = URL.parse(text.trim());
    if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === "" || url.hash !== "")
      return bad();
    return /^\/?\d{0,9}$/.test(url.pathname) ? good(url.href) : bad();
  },
  show: maskedUrl,
};

/** A place in a bucket; `prefix` is empty or ends in a slash. */
export interface S3Location {
  readonly bucket: string;
  readonly prefix: string;
}

/** One file in a bucket, as people write it; null where it is none. */
export function s3File(address: string): { readonly place: S3Location; readonly name: string } | null {
  const slash = address.lastIndexOf("/");
  const name = address.slice(slash + 1);
  const place = s3Location.parse(address.slice(0, Math.max(0, slash)));
  return place.ok && /^[A-Za-z0-9_.-]*[A-Za-z0-9_-]$/.test(name) ? { place: place.value, name } : null;
}

export const s3Location: Kind<S3Location> = {
  noun: "a place in a bucket",
  takes: "s3://bucket or s3://bucket/prefix",
  isSecret: false,
  parse(text) {
    const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9_.\/-]*))?$/.exec(text.trim());
    const [, bucket, path = ""] = match ?? [];
    const folders = path.split("/").filter((folder) => folder !== "");
    if (bucket === undefined || folders.some((folder) => /^\.+$/.test(folder))) return bad();
    return good({ bucket, prefix: folders.map((folder) => `${folder}/`).join("") });
  },
  show: ({ bucket, prefix }) => `s3://${bucket}/${prefix}`,
};

export const s3Endpoint: Kind<string> = {
  noun: "an address of a server",
  takes: "http:// or https:// and a host, such as https://minio.example.com:9000",
  isSecret: false,
  parse(text) {
    const url = URL.parse(text.trim());
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return bad();
    return url.href === `${url.origin}/` ? good(url.origin) : bad();
  },
  show: (value) => value,
};

/** A name that a server gives out, such as a region or the id of a key. */
export function identifier(noun: string): Kind<string> {
  return {
    noun,
    takes: "letters, digits and . _ / + = -",
    isSecret: false,
    parse(text) {
      const name = text.trim();
      return /^[A-Za-z0-9._/+=-]+$/.test(name) ? good(name) : bad();
    },
    show: (value) => value,
  };
}

/** An address with its password left out; a lone user name too, since that is where Redis tokens get put. */
export function maskedUrl(address: string): string {
  const url = URL.parse(address);
  if (url === null) return MASK;
  if (url.password !== "") url.password = MASK;
  else if (url.username !== "" && url.protocol.startsWith("redis")) url.username = MASK;
  for (const name of [...url.searchParams.keys()]) {
    if (/pass|secret|token|key/i.test(name)) url.searchParams.set(name, MASK);
  }
  return url.href;
}

/** A JSON array or a comma list, since both are in use for it. */
export const origins: Kind<readonly string[]> = {
  noun: "a list of origins",
  takes: "a JSON array or a comma list of scheme://host[:port], without paths; never *",
  isSecret: false,
  parse(text) {
    const listed = text.trim().startsWith("[") ? jsonTexts(text) : text.split(",");
    if (listed === null) return bad();
    const found = new Set<string>();
    for (const item of listed.map((each) => each.trim()).filter((each) => each !== "")) {
      const origin = originOf(item);
      if (origin === null) return bad(`${quoted(item)} is not an origin`);
      found.add(origin);
    }
    return good([...found]);
  },
  show: (value) => value,
};

function jsonTexts(text: string): readonly string[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (!Array.isArray(value)) return null;
  const items: readonly unknown[] = value;
  const texts = items.filter((item) => typeof item === "string");
  return texts.length === items.length ? texts : null;
}

/** As a browser writes it: lower case, no default port. A slash at the end is forgiven. */
function originOf(text: string): string | null {
  const bare = text.replace(/\/$/, "");
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*\\]+$/i.test(bare)) return null;
  const url = URL.parse(bare);
  if (url === null || url.hostname === "") return null;
  return url.origin === "null" ? bare.toLowerCase() : url.origin;
}
