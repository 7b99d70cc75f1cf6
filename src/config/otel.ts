import { bad, good, type Kind, MASK, publicUrl, quoted } from "./kinds.ts";

export type NamedValues = Readonly<Record<string, string>>;

/** The address of a collector; what a query or a user name would say belongs into the headers. */
export const collectorUrl: Kind<string> = {
  ...publicUrl,
  noun: "an address of a collector",
  takes: "http:// or https://, a host, and optionally a port and a path, such as http://127.0.0.1:4318",
};

/** Attributes are shown, and so may hold anything but a secret. */
export const attributes: Kind<NamedValues> = {
  noun: "a list of attributes",
  takes: "name=value,name=value, with percent signs for what is special",
  isSecret: false,
  parse(text) {
    const values = namedValues(text, /^[^\s=,]+$/, /^[^\u0000-\u001f\u007f]*$/);
    return values === null ? bad() : good(values);
  },
  show: (values) => Object.entries(values).map(([name, value]) => `${name}=${value}`),
};

/** They nearly always hold a key to the collector. */
export const headers: Kind<NamedValues> = {
  noun: "a list of headers",
  takes: "name=value,name=value, with percent signs for what is special, such as Authorization=Bearer%20abc",
  isSecret: true,
  parse(text) {
    const values = namedValues(text, /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, /^[\x20-\x7e]*$/);
    return values === null ? bad() : good(values);
  },
  show: (values) => (Object.keys(values).length === 0 ? null : MASK),
};

/** How OpenTelemetry writes a map into one variable. Null where it is none. */
function namedValues(text: string, isName: RegExp, isValue: RegExp): NamedValues | null {
  const values = new Map<string, string>();
  for (const pair of text.split(",").filter((each) => each.trim() !== "")) {
    const equals = pair.indexOf("=");
    const name = decoded(pair.slice(0, Math.max(0, equals)).trim());
    const value = decoded(pair.slice(equals + 1).trim());
    if (name === null || value === null || !isName.test(name) || !isValue.test(value)) return null;
    values.set(name, value);
  }
  return Object.fromEntries(values);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
}

/** A part of a whole. */
export const ratio: Kind<number> = {
  noun: "a share",
  takes: "a number from 0 to 1, such as 0.05",
  isSecret: false,
  parse(text) {
    if (!/^\s*(?:\d+(?:\.\d*)?|\.\d+)\s*$/.test(text)) return bad(`${quoted(text)} is not a number`);
    const value = Number(text);
    return value <= 1 ? good(value) : bad(`${quoted(text)} is out of range`);
  },
  show: (value) => value,
};

export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio";

/** What a sampler of OpenTelemetry's comes to: whether it follows its caller, and else what share it takes. */
export function samplerOf(
  name: SamplerName,
  share: number,
): { readonly followsParent: boolean; readonly ratio: number } {
  const followsParent = name.startsWith("parentbased_");
  if (name.endsWith("always_on")) return { followsParent, ratio: 1 };
  return { followsParent, ratio: name.endsWith("always_off") ? 0 : share };
}
