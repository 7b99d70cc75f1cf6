import type { PartDocs, Route } from "../../src/http/route.ts";
import type { TObject, TSchema } from "../../src/http/schema.ts";
import { fc } from "../support/seed.ts";

/** A request for one route, as strange as it can be and still be sent by an HTTP client. */
export interface Oddity {
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
  readonly who: "nobody" | "somebody" | "admin";
}

const NASTY_TEXT = [
  "",
  " ",
  "\0",
  "a\0b",
  "\ud800",
  "\udfff",
  "\u202e",
  "\ufeff",
  "'",
  '"; DROP TABLE users; --',
  "' OR '1'='1",
  "$1",
  "?1",
  "%",
  "_%",
  "\\",
  "../../etc/passwd",
  "__proto__",
  "constructor",
  "null",
  "true",
  "NaN",
  "-0",
  "1e3",
  "0x10",
  "9007199254740993",
  "99999999999999999999",
  "2147483648",
  "-1",
  "0",
  "1",
  "İ",
  "ß",
  "ﬁ",
  "a\u0301".repeat(40),
  "👨‍👩‍👧‍👦".repeat(20),
  "x".repeat(256),
  "x".repeat(70_000),
];

const NASTY_NUMBERS = [0, -0, 1, -1, 0.5, 1e308, 2 ** 31, 2 ** 53, 2 ** 63, Number.MIN_VALUE];

const text = fc.oneof(
  fc.constantFrom(...NASTY_TEXT),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string(),
);
const number = fc.oneof(
  fc.constantFrom(...NASTY_NUMBERS),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const anything = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ stringUnit: "binary", maxDepth: 3 }),
);

/** A value that the schema takes, or may take, so that requests get past the checks as well. */
function fitting(schema: TSchema): fc.Arbitrary<unknown> {
  if (Array.isArray(schema.anyOf)) return fc.oneof(...schema.anyOf.map(fitting));
  if (schema.const !== undefined) return fc.constant(schema.const);
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1) });
    case "null":
      return fc.constant(null);
    case "string":
      return fittingText(schema);
    default:
      return anything;
  }
}

function fittingText({ format, minLength, maxLength }: TSchema): fc.Arbitrary<string> {
  if (format === "email") {
    return fc
      .tuple(fc.stringMatching(/^[a-z0-9]{1,12}$/), fc.constantFrom("example.com", "EXAMPLE.org"))
      .map((parts) => parts.join("@"));
  }
  if (format === "password") return fc.stringMatching(/^[a-zA-Z0-9]{8,20}$/);
  const max = Math.min(maxLength ?? 50, 1_100);
  return fc.oneof(
    fc.stringMatching(/^[a-z0-9]{3,20}$/),
    fc.string({ unit: "grapheme", minLength: Math.min(minLength ?? 0, max), maxLength: max }),
  );
}

/** The schema's fields, most of them fitting, some not, some absent, and some that nobody asked for. */
function fields(schema: TObject): fc.Arbitrary<Record<string, unknown>> {
  const known = Object.fromEntries(
    Object.entries(schema.properties).map(([name, field]) => [
      name,
      fc.option(fc.oneof({ weight: 4, arbitrary: fitting(field) }, { weight: 1, arbitrary: anything }), {
        nil: undefined,
        freq: 8,
      }),
    ]),
  );
  const unknown = fc.dictionary(
    fc.constantFrom("id", "role", "user_id", "is_superuser", "__proto__", "constructor", "extra"),
    anything,
    { maxKeys: 2 },
  );
  return fc.tuple(fc.record(known), unknown).map(([right, wrong]) => ({ ...wrong, ...right }));
}

function pathOf(path: string): fc.Arbitrary<string> {
  const parts = path.split("/").map((part) => (part.startsWith(":") ? segment : fc.constant(part)));
  return fc.tuple(...parts).map((segments) => segments.join("/"));
}

const segment = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }).map(String) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: 10n ** 25n }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("%FF", "%00", "%", "%2F", "1%00", "%ED%A0%80", "1;x=1", "١"),
  },
  { weight: 1, arbitrary: text.map(encoded) },
);

/** What is left of nothing, or of dots, is the path of another route. */
function encoded(part: string): string {
  return /^\.{0,2}$/.test(part) ? "%20" : encodeURIComponent(part.toWellFormed()).slice(0, 5_000);
}

function queryOf(parts: readonly PartDocs[]): fc.Arbitrary<string> {
  const schema = parts.find(({ query }) => query !== undefined)?.query;
  const known = schema === undefined ? fc.constant({}) : fields(schema);
  const usual = known.map((values) => {
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    return new URLSearchParams(
      given.map(([name, value]): [string, string] => [name, asText(value).slice(0, 5_000)]),
    ).toString();
  });
  const broken = fc.constantFrom(
    "",
    "&&&",
    "=",
    "limit=%FF",
    "limit",
    "limit=1&limit=x",
    "a[]=1",
    "%",
    "?".repeat(100),
  );
  return fc
    .oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: broken })
    .map((query) => (query === "" ? "" : `?${query}`));
}

const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";

type Content = Pick<Oddity, "body"> & { readonly type: string | undefined };

function contentOf({ method, docs }: Route): fc.Arbitrary<Content> {
  if (method === "GET") return fc.constant({ body: undefined, type: undefined });
  const usual = docs.parts.flatMap(({ json, form }) => [
    ...(json === undefined ? [] : [jsonContent(json)]),
    ...(form === undefined ? [] : [formContent(form)]),
  ]);
  const none = fc.constant<Content>({ body: undefined, type: undefined });
  return fc.oneof(
    { weight: 6, arbitrary: usual.length === 0 ? none : fc.oneof(...usual) },
    { weight: 1, arbitrary: oddContent },
    { weight: 1, arbitrary: none },
  );
}

const jsonContent = (schema: TObject): fc.Arbitrary<Content> =>
  fields(schema).map((values) => ({ body: JSON.stringify(values), type: JSON_TYPE }));

const formContent = (schema: TObject): fc.Arbitrary<Content> =>
  fields(schema).map((values) => {
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    return {
      body: new URLSearchParams(
        given.map(([name, value]): [string, string] => [name, asText(value)]),
      ).toString(),
      type: FORM_TYPE,
    };
  });

/** A query and a form hold text alone; an object may have nothing by which `String` could write it. */
function asText(value: unknown): string {
  return typeof value === "object" ? (JSON.stringify(value) ?? "") : String(value);
}

const oddContent: fc.Arbitrary<Content> = fc.record({
  body: fc.oneof(
    anything.map((value) => JSON.stringify(value)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array(bytes)),
    fc.constantFrom("{", "[".repeat(60_000), '{"a":', "--x\r\n\r\n--x--", "a=%FF&b=%", "\ufeff{}"),
  ),
  type: fc.constantFrom(
    undefined,
    "",
    JSON_TYPE,
    FORM_TYPE,
    "text/plain",
    "application/json; charset=utf-16",
    "application/json;;;",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=",
  ),
});

/** What a header may hold at all. */
const headerText = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.constantFrom(
    "",
    "null",
    "*",
    "x".repeat(8_000),
    "\u00ff\u0080",
    "1, 2, 3",
    "%00",
    "::1",
    "999.999.999.999",
  ),
);

const HEADERS = [
  "accept",
  "authorization",
  "cookie",
  "forwarded",
  "if-none-match",
  "origin",
  "range",
  "user-agent",
  "x-forwarded-for",
  "x-request-id",
  "x-http-method-override",
];

const headers = fc.array(
  fc
    .tuple(fc.constantFrom(...HEADERS), headerText)
    .map(([name, value]) => [name, name === "authorization" ? `Bearer ${value}` : value] as const),
  { maxLength: 4 },
);

export function oddityFor(route: Route): fc.Arbitrary<Oddity> {
  return fc
    .record({
      path: pathOf(route.path),
      query: queryOf(route.docs.parts),
      content: contentOf(route),
      headers,
      who: fc.constantFrom<Oddity["who"]>("nobody", "somebody", "somebody", "admin", "admin"),
    })
    .map(({ path, query, content, headers, who }) => ({
      path: path + query,
      headers: content.type === undefined ? headers : [...headers, ["content-type", content.type] as const],
      body: content.body,
      who,
    }));
}
