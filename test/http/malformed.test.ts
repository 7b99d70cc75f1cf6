import { expect, test } from "bun:test";
import { openWire, statuses } from "../faults/wire.ts";
import { listening } from "../support/listening.ts";
import { forEachEngine, shared } from "../support/program.ts";

type Body = string | Uint8Array<ArrayBuffer>;

const NO_JSON = "The body is not valid JSON";
const NO_TEXT = "The body is not valid UTF-8";

/** One route of each dialect that takes JSON from anybody, and how that dialect refuses what is none. */
const DIALECTS: readonly (readonly [path: string, refusal: (message: string) => object])[] = [
  ["/api/v1/users/register", (message) => ({ detail: message })],
  ["/v1/auth/register", (message) => ({ error: { status_code: 400, message, type: "client_error" } })],
  ["/auth/register", (message) => ({ success: false, message, error: { code: "BAD_REQUEST", message } })],
];

const bytes = (...values: number[]) => new Uint8Array(values);

/** A string value of such bytes, within an object. */
const holding = (...values: number[]) => bytes(...Buffer.from('{"email":"'), ...values, ...Buffer.from('"}'));

const MALFORMED: readonly (readonly [name: string, body: Body])[] = [
  ["nothing", ""],
  ["white space", " \t\r\n"],
  ["a form feed before it", '\f{"email":"a"}'],
  ["a no-break space before it", '\u00a0{"email":"a"}'],
  ["a byte order mark alone", bytes(0xef, 0xbb, 0xbf)],
  ["two byte order marks", bytes(0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 0x7b, 0x7d)],
  ["UTF-16 without a mark", new Uint8Array(Buffer.from("{}", "utf16le"))],

  ["an open object", '{"email":"a@example.com"'],
  ["an open list", '{"email":["a"'],
  ["an open string", '{"email":"a@example.com'],
  ["an open escape", '{"email":"a\\'],
  ["an open Unicode escape", '{"email":"\\u00'],
  ["a name alone", '{"email"'],
  ["a name without a value", '{"email":}'],
  ["a value without a name", '{:"a"}'],
  ["a name without quotes", '{email:"a"}'],
  ["a number for a name", '{1:"a"}'],
  ["a list closed as an object", '{"email":["a"}'],
  ["an object closed twice", '{"email":"a"}}'],
  ["an object closed before it is open", '}{"email":"a"'],
  ["a comma at the end", '{"email":"a",}'],
  ["a comma at the end of a list", '{"email":["a",]}'],
  ["a comma at the start", '{,"email":"a"}'],
  ["two commas", '{"email":"a",,"password":"b"}'],
  ["no comma", '{"email":"a" "password":"b"}'],
  ["two colons", '{"email"::"a"}'],
  ["an equals sign", '{"email"="a"}'],
  ["two values", '{"email":"a"}{"password":"b"}'],
  ["a value and a word", '{"email":"a"} null'],
  ["brackets without an end", "[".repeat(100_000)],
  ["objects without an end", '{"a":'.repeat(100_000)],

  ["a bare word", "email"],
  ["undefined", "undefined"],
  ["a word in capitals", '{"email":TRUE}'],
  ["half a word", '{"email":nul}'],
  ["a word and more", '{"email":nulll}'],
  ["NaN", '{"email":NaN}'],
  ["infinity", '{"email":-Infinity}'],
  ["a line comment", '{"email":"a"} // done'],
  ["a block comment", '{/* who */"email":"a"}'],
  ["single quotes", "{'email':'a'}"],
  ["back quotes", "{`email`:`a`}"],
  ["curly quotes", "{“email”:“a”}"],
  ["a form", "email=a%40example.com&password=b"],
  ["a page", "<html><body>{}</body></html>"],

  ["a plus sign", '{"email":+1}'],
  ["a minus sign alone", '{"email":-}'],
  ["two minus signs", '{"email":--1}'],
  ["a zero in front", '{"email":012}'],
  ["no digit before the point", '{"email":.5}'],
  ["no digit after the point", '{"email":1.}'],
  ["two points", '{"email":1.2.3}'],
  ["an exponent without a digit", '{"email":1e}'],
  ["an exponent of a sign", '{"email":1e+}'],
  ["a hexadecimal number", '{"email":0x1F}'],
  ["an octal number", '{"email":0o17}'],
  ["a big integer of JavaScript", '{"email":1n}'],
  ["separators", '{"email":1_000}'],
  ["digits of another script", '{"email":１２}'],

  ["an unknown escape", '{"email":"\\x61"}'],
  ["an escaped quote of JavaScript", '{"email":"it\\\'s"}'],
  ["an escape of a line's end", '{"email":"a\\\nb"}'],
  ["a short Unicode escape", '{"email":"\\u00e"}'],
  ["a Unicode escape in brackets", '{"email":"\\u{1F600}"}'],
  ["a Unicode escape of no digits", '{"email":"\\uzzzz"}'],
  ["a tab in a string", '{"email":"a\tb"}'],
  ["a line's end in a string", '{"email":"a\nb"}'],
  ["NUL in a string", '{"email":"a\0b"}'],
  ["NUL between values", '{"email":\0"a"}'],
  ["NUL after all", '{"email":"a"}\0'],
];

const NOT_UTF8: readonly (readonly [name: string, body: Body])[] = [
  ["UTF-16, little end first", new Uint8Array(Buffer.from('\ufeff{"email":"a"}', "utf16le"))],
  ["a byte that begins nothing", holding(0xff)],
  ["a byte that goes on with nothing", holding(0x80)],
  ["a character cut short", holding(0xe2, 0x82)],
  ["a slash in two bytes", holding(0xc0, 0xaf)],
  ["NUL in two bytes", holding(0xc0, 0x80)],
  ["half a surrogate pair in three bytes", holding(0xed, 0xa0, 0x80)],
  ["a character beyond the last", holding(0xf4, 0x90, 0x80, 0x80)],
  ["a character in six bytes", holding(0xfc, 0x83, 0xbf, 0xbf, 0xbf, 0xbf)],
  ["Latin-1", holding(0xe9)],
];

/** What is JSON, however odd, and no account: the schema refuses it, not the parser. */
const ODD: readonly (readonly [name: string, body: Body])[] = [
  ["a byte order mark and an object", bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d)],
  ["white space around it", "\r\n\t {}\t\r\n "],
  ["a list", '[{"email":"a@example.com","password":"password1"}]'],
  ["a string", '"email"'],
  ["a number", "-0"],
  ["true", "true"],
  ["null", "null"],
  ["a name twice, the last of them wrong", '{"email":"a@example.com","email":1,"password":"password1"}'],
  ["an empty name", '{"":"a@example.com"}'],
  ["a prototype", '{"__proto__":{"email":"a@example.com","password":"password1"}}'],
  ["a number beyond all", '{"email":1e99999,"password":-1e99999}'],
  ["a number of a thousand digits", `{"email":${"9".repeat(1_000)},"password":1}`],
  ["a number near nothing", '{"email":1e-99999,"password":0}'],
  ["NUL, escaped", '{"email":"a\\u0000@example.com","username":"a\\u0000b","password":"pass\\u0000word1"}'],
  ["half a surrogate pair", '{"email":"\\ud83d@example.com","username":"\\ude00","password":"\\udc00"}'],
  ["a pair the wrong way round", '{"email":"\\ude00\\ud83d@example.com","password":"\\ude00\\ud83d"}'],
  ["a hundred thousand lists", `${"[".repeat(100_000)}${"]".repeat(100_000)}`],
  ["a hundred thousand objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
  ["lists in a field", `{"email":${"[".repeat(100_000)}${"]".repeat(100_000)},"password":{}}`],
];

forEachEngine("bodies that are no JSON", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });
  const headers = { "content-type": "application/json" };

  test.each(DIALECTS)("S25 S26 %s refuses each with 400, in its dialect", async (path, refusal) => {
    const client = program().client();
    const answers: Record<string, unknown> = {};
    for (const [bodies, why] of [
      [MALFORMED, NO_JSON],
      [NOT_UTF8, NO_TEXT],
    ] as const) {
      for (const [name, raw] of bodies) {
        const { status, body } = await client.send("POST", path, { raw, headers });
        if (status !== 400 || !Bun.deepEquals(body, refusal(why))) answers[name] = { status, body };
      }
    }
    expect(answers).toEqual({});
  });

  test.each(DIALECTS)("S26 %s refuses what is JSON, and odd, with 422", async (path) => {
    const client = program().client();
    const answers: Record<string, number> = {};
    for (const [name, raw] of ODD) {
      const { status } = await client.send("POST", path, { raw, headers });
      if (status !== 422) answers[name] = status;
    }
    expect(answers).toEqual({});
  });

  const serving = listening(start);
  test.each(DIALECTS)("S25 after all of them at %s their connection is as good as before", async (path) => {
    const wire = await openWire(serving().origin);
    const bodies = [...MALFORMED, ...NOT_UTF8];
    for (const [index, [, body]] of bodies.entries()) {
      const content = Buffer.from(body);
      wire.send(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Request-ID: body-${index}.\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${content.length}\r\n\r\n`,
      );
      wire.send(content);
      await wire.heard(`body-${index}.`);
    }
    wire.send("GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\n");
    await wire.heard('{"status":"alive"}');
    expect(statuses(wire.received())).toEqual([...bodies.map(() => 400), 200]);
    wire.end();
  });
});
