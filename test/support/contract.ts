/**
 * Holds every answer that a test gets against the OpenAPI document of the program that gave it: the status must be
 * documented for the route, the body must have the documented shape, and no field nor header that is not documented.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Dialect } from "../../src/http/dialect.ts";
import { SchemaBook } from "../../src/http/json-schema.ts";
import { openApiDocument, templated } from "../../src/http/openapi.ts";
import type { OpenApiDocument, Operation } from "../../src/http/openapi.ts";
import type { HttpServer } from "../../src/http/server.ts";
import type { Surface } from "../../src/http/surface.ts";

export interface GivenAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export const OPTIONS = {
  title: "Latchkey",
  description: "As the tests see it",
  version: "0.0.0",
  serverUrl: "/",
  tokenPaths: { user: "/api/v1/auth/token", admin: "/admin/auth/login" },
} as const;

const refusals = new WeakMap<Dialect, ValidateFunction>();
const contracts = new WeakMap<HttpServer, Contract>();
/** Programs of one shape share their compiled schemas: most tests start one of their own. */
const compiled = new Map<string, Schemas>();

export function contractOf(app: HttpServer): Contract {
  const known = contracts.get(app) ?? new Contract(app);
  contracts.set(app, known);
  return known;
}

export class Contract {
  readonly #app: HttpServer;
  readonly #document: OpenApiDocument;
  readonly #schemas: Schemas;

  constructor(app: HttpServer) {
    this.#app = app;
    this.#document = openApiDocument(app.surfaces, OPTIONS);
    const text = JSON.stringify(this.#document);
    this.#schemas = compiled.get(text) ?? new Schemas(this.#document);
    compiled.set(text, this.#schemas);
  }

  /** What the document does not foresee of this answer, in words; null where it is as promised. */
  problemWith(method: string, path: string, answer: GivenAnswer): string | null {
    if (method === "OPTIONS" && answer.status === 204) return null;
    const found = this.#operation(method, path);
    const isHead = method === "HEAD";
    if (found === null) return this.#refusalProblem(path, answer, isHead);
    const { operation, pointer } = found;
    const response = operation.responses[answer.status];
    if (response === undefined) return `${operation.operationId} does not document status ${answer.status}`;
    if (!answer.headers.has("x-request-id")) return "X-Request-ID is missing";
    const undocumented = headersBeside(answer.headers, Object.keys(response.headers));
    if (undocumented.length > 0) {
      return `${operation.operationId} ${answer.status} does not document ${undocumented.join(", ")}`;
    }
    if (isHead) return null;
    if (response.content === undefined) {
      return answer.body === undefined
        ? null
        : `${operation.operationId} ${answer.status} should have no body`;
    }
    return this.#bodyProblem(answer, Object.keys(response.content), `${pointer}/responses/${answer.status}`);
  }

  #bodyProblem(answer: GivenAnswer, types: readonly string[], pointer: string): string | null {
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "none";
    const documented = types.find((each) => isWithin(type, each));
    if (documented === undefined) return `the content type is ${type}, not ${types.join(" or ")}`;
    if (documented !== "application/json") return null;
    return this.#schemas.problemWith(`${pointer}/content/application~1json/schema`, answer.body);
  }

  /** Where no route is, the surface that the path would belong to says so in its dialect. */
  #refusalProblem(path: string, answer: GivenAnswer, isHead: boolean): string | null {
    if (![404, 405].includes(answer.status)) return `status ${answer.status} where no route is documented`;
    if (isHead) return null;
    return refusalProblem(dialectFor(this.#app, path), answer);
  }

  #operation(method: string, path: string): { operation: Operation; pointer: string } | null {
    const wanted = method === "HEAD" ? "get" : method.toLowerCase();
    const bare = decodedPath(path);
    const template = Object.keys(this.#document.paths)
      .filter((each) => matches(each, bare))
      .toSorted((a, b) => a.split("{").length - b.split("{").length)[0];
    const operation = template === undefined ? undefined : this.#document.paths[template]?.[wanted];
    if (template === undefined || operation === undefined) return null;
    return { operation, pointer: `#/paths/${template.replaceAll("/", "~1")}/${wanted}` };
  }
}

/** The document's schemas, made strict: what is not documented may not be answered. */
class Schemas {
  readonly #ajv = newAjv();
  readonly #validators = new Map<string, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#ajv.addSchema(Object(strict(document)), "document");
  }

  problemWith(pointer: string, body: unknown): string | null {
    const validate = this.#validators.get(pointer) ?? this.#ajv.compile({ $ref: `document${pointer}` });
    this.#validators.set(pointer, validate);
    return validate(body) ? null : `${pointer}: ${this.#ajv.errorsText(validate.errors)}`;
  }
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addFormat("idn-email", /^[^@\s]+@[^@\s]+$/);
  ajv.addFormat("binary", true);
  return ajv;
}

function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict);
  if (typeof node !== "object" || node === null) return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, strict(value)]));
  const isClosed = "properties" in node && !("additionalProperties" in node);
  return isClosed ? { ...copy, additionalProperties: false } : copy;
}

function refusalProblem(dialect: Dialect, { body }: GivenAnswer): string | null {
  const validate = refusals.get(dialect) ?? refusalValidator(dialect);
  refusals.set(dialect, validate);
  return validate(body) ? null : `not the dialect's words: ${Bun.inspect(body)}`;
}

function refusalValidator({ schemas }: Dialect): ValidateFunction {
  const book = new SchemaBook();
  const written = book.write("", schemas.failure);
  return newAjv().compile({ ...written, components: { schemas: book.schemas } });
}

function dialectFor({ surfaces, fallback }: HttpServer, path: string): Dialect {
  const bare = decodedPath(path);
  const isAt = ({ prefixes, routes }: Surface) =>
    prefixes.some((prefix) => bare === prefix || bare.startsWith(`${prefix}/`)) ||
    routes.some((route) => matches(templated(route.path), bare));
  return surfaces.find(isAt)?.dialect ?? fallback;
}

function matches(template: string, path: string): boolean {
  const expected = template.split("/");
  const given = path.split("/");
  return (
    expected.length === given.length &&
    expected.every((part, index) => (part.startsWith("{") ? given[index] !== "" : part === given[index]))
  );
}

/** What any answer may have, whatever it is about. */
const ON_ANY_ANSWER =
  /^(?:cache-control|connection|content-.*|referrer-policy|strict-transport-security|traceresponse|vary|x-content-type-options|x-frame-options|access-control-.*)$/;

function headersBeside(headers: Headers, documented: readonly string[]): readonly string[] {
  const known = new Set(documented.map((name) => name.toLowerCase()));
  return [...headers.keys()].filter((name) => !known.has(name) && !ON_ANY_ANSWER.test(name));
}

/** Without the query, and the slash at its end. */
function decodedPath(path: string): string {
  const bare = path.split("?")[0] ?? "";
  return bare.length > 1 && bare.endsWith("/") ? bare.slice(0, -1) : bare;
}

function isWithin(type: string, range: string): boolean {
  return range === "*/*" || range === type || (range.endsWith("/*") && type.startsWith(range.slice(0, -1)));
}
