import { Fault } from "../core/fault.ts";
import { isWellEscaped } from "./escapes.ts";

/** JSON and plain forms are small; only uploads, which have a limit of their own, are not. */
export const MAX_BODY_BYTES = 1024 * 1024;

export type Form = ReadonlyMap<string, string>;

/** A request whose body is to be read. */
export interface Sent {
  readonly request: Request;
  /** All of it, once it is there; fails with `too_large` where that is more. */
  bytes(limitBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

const FORM_TYPE = "application/x-www-form-urlencoded";
const MULTIPART_TYPE = "multipart/form-data";
const JSON_TYPE = "application/json";
export const FORM_TYPES: readonly string[] = [FORM_TYPE, MULTIPART_TYPE];

/** More than any form has that is no upload. To read so many takes far longer than to count them, and a refusal comes behind. */
const MOST_FIELDS = 100;

/** What a form's reader puts where bytes are no text. Nobody means it. */
const REPLACEMENT = "\ufffd";

/** The body of a JSON route: nothing but JSON, said to be JSON. `alternatives` are named where it is not. */
export async function readJson(sent: Sent, alternatives: readonly string[] = []): Promise<unknown> {
  requireType(sent.request, [JSON_TYPE], alternatives);
  const text = decodeUtf8(await sent.bytes(MAX_BODY_BYTES));
  try {
    return JSON.parse(text);
  } catch (error) {
    // JSON nested too deep for the parser ends here as well.
    throw Fault.of({ kind: "malformed", reason: "The body is not valid JSON" }, error);
  }
}

/** The text fields of a form, urlencoded or multipart. Of a repeated field the last one counts. */
export async function readForm(sent: Sent): Promise<Form> {
  const type = requireType(sent.request, FORM_TYPES);
  const bytes = await sent.bytes(MAX_BODY_BYTES);
  requireFewFields(bytes, type === FORM_TYPE ? "&" : "\n--");
  if (type === FORM_TYPE) {
    const text = decodeUtf8(bytes);
    if (!isWellEscaped(text)) throw notUtf8();
    return new Map(new URLSearchParams(text));
  }
  const fields = new Map<string, string>();
  (await parseMultipart(sent.request, bytes)).forEach((value, name) => {
    if (typeof value === "string") fields.set(name, value);
  });
  return fields;
}

/** What a route was sent that takes a file beside its fields; `file` is null where none was chosen. */
export type Submission =
  { readonly json: unknown } | { readonly form: Form; readonly file: Uint8Array<ArrayBuffer> | null };

/**
 * JSON, or a multipart form of which one part may be a file. The file alone has the larger limit: whatever else is
 * sent is held to that of any other body. Of the file nothing is kept but its bytes: what its sender called it, or
 * said that it is, is nothing to go by.
 */
export async function readJsonOrMultipart(
  sent: Sent,
  upload: { readonly field: string; readonly maxBytes: number },
): Promise<Submission> {
  if (requireType(sent.request, [JSON_TYPE, MULTIPART_TYPE]) === JSON_TYPE)
    return { json: await readJson(sent) };
  const bytes = await sent.bytes(upload.maxBytes + MAX_BODY_BYTES);
  const form = new Map<string, string>();
  const files: File[] = [];
  let textBytes = 0;
  (await parseMultipart(sent.request, bytes)).forEach((value, name) => {
    if (typeof value !== "string") {
      if (name === upload.field) files.push(value);
      return;
    }
    form.set(name, value);
    textBytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  });
  if (textBytes > MAX_BODY_BYTES) throw Fault.of({ kind: "too_large", limitBytes: MAX_BODY_BYTES });
  return { form, file: await chosenFile(files, upload.maxBytes) };
}

/** A form in which no file was chosen sends an empty one. */
async function chosenFile(files: readonly File[], maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const file = files.at(-1);
  if (file === undefined || file.size === 0) return null;
  if (file.size > maxBytes) throw Fault.of({ kind: "too_large", limitBytes: maxBytes });
  return new Uint8Array(await file.arrayBuffer());
}

function requireFewFields(bytes: Uint8Array<ArrayBuffer>, separator: string): void {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = -1;
  for (let fields = 0; fields <= MOST_FIELDS; fields += 1) {
    at = body.indexOf(separator, at + 1);
    if (at === -1) return;
  }
  throw Fault.of({ kind: "malformed", reason: `The form has more than ${MOST_FIELDS} fields` });
}

async function parseMultipart(request: Request, bytes: Uint8Array<ArrayBuffer>) {
  const contentType = request.headers.get("content-type") ?? "";
  const form = await new Response(bytes, { headers: { "content-type": contentType } })
    .formData()
    .catch((error: unknown) => {
      throw Fault.of({ kind: "malformed", reason: "The body is not a valid form" }, error);
    });
  form.forEach((value) => {
    if (typeof value === "string" && value.includes(REPLACEMENT)) throw notUtf8();
  });
  return form;
}

export function isForm(request: Request): boolean {
  return FORM_TYPES.includes(mediaType(request).type);
}

/** The media type, without its parameters, if it is one that the route takes. */
function requireType(
  request: Request,
  expected: readonly string[],
  alternatives: readonly string[] = [],
): string {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity")
    throw unsupported([...expected, ...alternatives], ", not encoded");
  // Nearly all say this and no more.
  if (request.headers.get("content-type") === JSON_TYPE && expected.includes(JSON_TYPE)) return JSON_TYPE;
  const { type, parameters } = mediaType(request);
  if (!expected.includes(type)) throw unsupported([...expected, ...alternatives]);
  const charset = parameters
    .map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith("charset="));
  if (charset !== undefined && !UTF_8.test(charset))
    throw unsupported([...expected, ...alternatives], " in UTF-8");
  return type;
}

function unsupported(types: readonly string[], words = ""): Fault {
  return Fault.of({ kind: "unsupported_media_type", expected: types.map((type) => `${type}${words}`) });
}

/** ASCII is a part of it. */
const UTF_8 = /^charset="?(?:utf-?8|us-ascii)"?$/;

function mediaType(request: Request) {
  const [type = "", ...parameters] = (request.headers.get("content-type") ?? "").toLowerCase().split(";");
  return { type: type.trim(), parameters };
}

/** One for all: without `stream` it keeps nothing from one text to the next. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw notUtf8(error);
  }
}

function notUtf8(cause?: unknown): Fault {
  return Fault.of({ kind: "malformed", reason: "The body is not valid UTF-8" }, cause);
}

/** Refuses by the declared length before it reads, and by the counted one while it does. */
export async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const declared = request.headers.get("content-length");
  if (declared !== null && Number(declared) > limitBytes) throw Fault.of({ kind: "too_large", limitBytes });
  try {
    // With a declared length the server itself reads no more than that, and needs no stream, which costs far more.
    if (declared !== null) return new Uint8Array(await request.arrayBuffer());
    return request.body === null ? new Uint8Array() : await readChunks(request.body, limitBytes);
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw Fault.of({ kind: "malformed", reason: "The body could not be read" }, error);
  }
}

async function readChunks(
  body: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  for await (const chunk of body) {
    lengthBytes += chunk.length;
    if (lengthBytes > limitBytes) throw Fault.of({ kind: "too_large", limitBytes });
    chunks.push(chunk);
  }
  const joined = new Uint8Array(lengthBytes);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
