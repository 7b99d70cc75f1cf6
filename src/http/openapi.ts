/**
 * The OpenAPI document, made from the same list of routes that the server serves. What a failure looks like is not
 * written down anywhere for it: each example is what the surface's dialect answers to a sample of the fault.
 */
import { type Realm, REALMS } from "../core/accounts.ts";
import type { AnyFault } from "../core/fault.ts";
import type { Dialect } from "./dialect.ts";
import { IF_NONE_MATCH } from "./etag.ts";
import { exampleOf, isSchema, SchemaBook } from "./json-schema.ts";
import type { JsonSchema } from "./json-schema.ts";
import type { Failure, PartDocs, Route } from "./route.ts";
import { sampleFault } from "./sample-faults.ts";
import { t } from "./schema.ts";
import type { TObject, TSchema } from "./schema.ts";
import type { Surface } from "./surface.ts";

export interface OpenApiOptions {
  readonly title: string;
  readonly description: string;
  readonly version: string;
  readonly serverUrl: string;
  /** The paths at which a form with name and password buys an access token. */
  readonly tokenPaths: Readonly<Record<Realm, string>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: Readonly<Record<string, unknown>>;
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly "x-tagGroups": readonly { readonly name: string; readonly tags: readonly string[] }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>> & {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
  };
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: MediaTypes };
  readonly responses: Readonly<Record<string, Response>>;
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface Response {
  readonly description: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly content?: MediaTypes;
}

type MediaTypes = Readonly<Record<string, MediaType>>;

interface MediaType {
  readonly schema: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>;
}

export function openApiDocument(surfaces: readonly Surface[], options: OpenApiOptions): OpenApiDocument {
  const book = new SchemaBook();
  const served = surfaces.flatMap((surface) => surface.routes.map((route) => ({ surface, route })));
  const schemes = securitySchemes(
    served.map(({ route }) => route),
    options,
  );
  const paths: Record<string, Record<string, Operation>> = {};
  for (const { surface, route } of served) {
    const item = (paths[templated(route.path)] ??= {});
    item[route.method.toLowerCase()] = operationObject(surface, route, book, Object.keys(schemes));
  }
  requireUnique(Object.values(paths).flatMap((item) => Object.values(item)));
  return {
    openapi: "3.1.0",
    info: {
      title: options.title,
      version: options.version,
      description: options.description,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: options.serverUrl }],
    tags: surfaces.flatMap((surface) =>
      tagsOf(surface).map((name) => ({
        name,
        description: surface.about ?? `What ${surface.name} answers.`,
      })),
    ),
    "x-tagGroups": surfaces.map((surface) => ({ name: surface.name, tags: tagsOf(surface) })),
    paths,
    components: { securitySchemes: schemes, headers: HEADERS, schemas: book.schemas },
  };
}

function operationObject(
  surface: Surface,
  route: Route,
  book: SchemaBook,
  schemes: readonly string[],
): Operation {
  const { summary, description, operation, parts } = route.docs;
  const prefix = prefixOf(surface);
  const parameters = parametersOf(route, prefix, book);
  const content = requestContent(parts, prefix, book);
  const about = [description, ...parts.map(scopeNote)].filter((line) => line !== undefined).join("\n\n");
  return {
    operationId: prefix === "" ? operation : `${uncapital(prefix)}${capital(operation)}`,
    tags: [tagOf(surface, route)],
    summary,
    ...(about === "" ? {} : { description: about }),
    security: securityOf(parts, schemes),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(Object.keys(content).length === 0 ? {} : { requestBody: { required: true, content } }),
    responses: responsesOf(surface, route, book),
  };
}

function requireUnique(operations: readonly Operation[]): void {
  const seen = new Set<string>();
  for (const { operationId } of operations) {
    if (seen.has(operationId)) throw new Error(`two operations are called ${operationId}`);
    seen.add(operationId);
  }
}

// Names

/** `/todos/:todo_id` as OpenAPI writes it. */
export function templated(path: string): string {
  return path.replaceAll(/:([A-Za-z0-9_]+)/g, "{$1}");
}

/** What a surface's names begin with, so that they stay the same whatever else is served; nothing outside the contracts. */
function prefixOf({ name, prefixes }: Surface): string {
  return prefixes.length === 0 ? "" : name.split("-").map(capital).join("");
}

function tagsOf(surface: Surface): readonly string[] {
  return [...new Set(surface.routes.map((route) => tagOf(surface, route)))];
}

/** The surface, and the noun that the path begins with. */
function tagOf({ name, prefixes }: Surface, { path }: Route): string {
  const [prefix = "", ...others] = prefixes;
  if (prefix === "") return name;
  const noun = (others.length === 0 ? path.slice(prefix.length) : path).split("/")[1];
  return noun === undefined || noun === "" ? name : `${name} ${noun}`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function uncapital(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1);
}

// Who may ask

const SCHEMES = {
  user: { token: "userToken", password: "userPassword" },
  admin: { token: "adminToken", password: "adminPassword" },
} as const;

function securitySchemes(
  routes: readonly Route[],
  options: OpenApiOptions,
): Readonly<Record<string, unknown>> {
  const schemes: Record<string, unknown> = {};
  const parts = routes.flatMap(({ docs }) => docs.parts);
  for (const realm of REALMS) {
    if (!parts.some((part) => part.realm === realm)) continue;
    schemes[SCHEMES[realm].token] = {
      type: "http",
      scheme: "bearer",
      bearerFormat: "JWT",
      description: `The access token of ${REALM_NOUN[realm]}, as its login answers it.`,
    };
    const tokenPath = options.tokenPaths[realm];
    if (!routes.some(({ method, path }) => method === "POST" && path === tokenPath)) continue;
    schemes[SCHEMES[realm].password] = {
      type: "oauth2",
      description: `Logs in as ${REALM_NOUN[realm]}, by username or e-mail address and password.`,
      flows: { password: { tokenUrl: resolved(tokenPath, options.serverUrl), scopes: {} } },
    };
  }
  for (const { cookie } of parts) {
    if (cookie === undefined) continue;
    schemes[cookieScheme(cookie)] = {
      type: "apiKey",
      in: "cookie",
      name: cookie,
      description: "Set by the login, and sent by the browser itself.",
    };
  }
  return schemes;
}

const REALM_NOUN = { user: "a user", admin: "an administrator" } as const;

function resolved(path: string, serverUrl: string): string {
  return serverUrl.replace(/\/$/, "") + path;
}

function cookieScheme(cookie: string): string {
  return `${cookie.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())}Cookie`;
}

/** Any one of the alternatives will do; `{}` is to ask without credentials. */
function securityOf(parts: readonly PartDocs[], schemes: readonly string[]): Operation["security"] {
  return parts.flatMap(({ realm, cookie, isOptional = false }) => {
    const names =
      realm !== undefined
        ? Object.values(SCHEMES[realm]).filter((name) => schemes.includes(name))
        : cookie === undefined
          ? []
          : [cookieScheme(cookie)];
    const alternatives = names.map((name) => ({ [name]: [] }));
    return isOptional && names.length > 0 ? [...alternatives, {}] : alternatives;
  });
}

function scopeNote({ scopes }: PartDocs): string | undefined {
  const named = scopes?.map((scope) => `\`${scope}\``).join(" and ");
  return named === undefined ? undefined : `A token that is narrowed to scopes needs ${named}.`;
}

// What it takes

const ID = t.Integer({ minimum: 1, format: "int64", example: 1 });

function parametersOf(route: Route, prefix: string, book: SchemaBook): readonly Parameter[] {
  const { parts, returns } = route.docs;
  const inPath = [...route.path.matchAll(/:([A-Za-z0-9_]+)/g)].map(([, name = ""]): Parameter => {
    const documented = parts.find(({ path }) => path?.name === name)?.path;
    return parameter("path", name, true, documented?.schema ?? ID, prefix, book);
  });
  const inQuery = parts.flatMap(({ query }) =>
    query === undefined
      ? []
      : Object.entries(query.properties).map(([name, schema]) =>
          parameter("query", name, query.required?.includes(name) === true, schema, prefix, book),
        ),
  );
  const headers = [...parts.map(({ header }) => header), 304 in returns ? IF_NONE_MATCH : undefined];
  const inHeader = headers.flatMap((header) =>
    header === undefined
      ? []
      : [
          parameter(
            "header",
            header.name,
            false,
            t.String({ description: header.description }),
            prefix,
            book,
          ),
        ],
  );
  return [...inPath, ...inQuery, ...inHeader];
}

function parameter(
  where: Parameter["in"],
  name: string,
  required: boolean,
  schema: TSchema,
  prefix: string,
  book: SchemaBook,
): Parameter {
  const { description, ...written } = book.write(prefix, schema);
  const described = typeof description === "string" ? { description } : {};
  return { name, in: where, required, ...described, schema: written };
}

/** A body may come in each of the forms that the route reads. */
function requestContent(parts: readonly PartDocs[], prefix: string, book: SchemaBook): MediaTypes {
  const content: Record<string, MediaType> = {};
  const add = (type: string, schema: TObject) => {
    content[type] = { schema: book.write(prefix, schema), example: exampleOf(schema) };
  };
  for (const { json, form, upload } of parts) {
    if (json !== undefined) add("application/json", json);
    if (form !== undefined) {
      add("application/x-www-form-urlencoded", form);
      add("multipart/form-data", form);
    }
    if (json === undefined || upload === undefined) continue;
    const schema = book.write(prefix, withFile(json, upload));
    content["multipart/form-data"] = { schema };
  }
  return content;
}

/** The fields of the JSON body, and a file among them: another shape than that body, and so without its name. */
function withFile({ properties }: TObject, upload: NonNullable<PartDocs["upload"]>): TObject {
  const megabytes = upload.maxBytes / (1024 * 1024);
  const file = t.String({ format: "binary", description: `A file of at most ${megabytes} MiB` });
  return t.Object({ ...properties, [upload.field]: t.Optional(file) });
}

// What it answers

/** One thing that may come with a status: an answer of the route's, or a fault in the surface's words. */
interface Outcome {
  readonly name: string;
  readonly summary: string;
  readonly schema: TSchema | null;
  readonly example: unknown;
  /** By name, what each means. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Any request may meet these. */
const ALWAYS: readonly Failure[] = ["unavailable", "internal"];

function responsesOf(surface: Surface, route: Route, book: SchemaBook): Readonly<Record<string, Response>> {
  const outcomes = new Map<number, Outcome[]>();
  const add = (status: number, outcome: Outcome) => {
    const known = outcomes.get(status) ?? [];
    if (!known.some(({ example }) => Bun.deepEquals(example, outcome.example))) known.push(outcome);
    outcomes.set(status, known);
  };
  for (const [status, schema] of Object.entries(route.docs.returns))
    add(Number(status), answered(schema, route));
  for (const fault of faultsOf(route)) {
    const { status, ...outcome } = refused(route.dialect ?? surface.dialect, fault);
    add(status, outcome);
  }
  const inOrder = [...outcomes].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(
    inOrder.map(([status, each]) => [status, responseObject(status, each, prefixOf(surface), book)]),
  );
}

function answered(schema: TSchema | null, route: Route): Outcome {
  const byParts = route.docs.parts.flatMap(({ sends = {} }) => Object.entries(sends));
  return {
    name: "answer",
    summary: route.docs.summary,
    schema,
    example: schema === null ? undefined : exampleOf(schema),
    headers: { ...Object.fromEntries(byParts), ...route.docs.sends },
  };
}

function refused(dialect: Dialect, fault: AnyFault): Outcome & { readonly status: number } {
  const { status, body, headers } = dialect.answer(fault);
  const { failure, invalid } = dialect.schemas;
  return {
    status,
    name: fault.kind === "forbidden" ? fault.why.rule : fault.kind,
    summary: (fault.kind === "forbidden" ? fault.why.rule : fault.kind).replaceAll("_", " "),
    schema: fault.kind === "invalid" ? invalid : failure,
    example: body,
    headers: headers ?? {},
  };
}

function faultsOf({ docs }: Route): readonly AnyFault[] {
  const failures = [...docs.parts.flatMap(({ fails = [] }) => fails), ...(docs.fails ?? []), ...ALWAYS];
  return failures.map((failure) => {
    if (failure === "invalid") return { kind: "invalid", problems: sampleProblems(docs.parts) };
    return typeof failure === "string" ? sampleFault(failure) : failure;
  });
}

/** Fields that this route has, so that its example is not about another's. */
function sampleProblems(parts: readonly PartDocs[]) {
  for (const { json, form, query, path } of parts) {
    const [name] = (json ?? form)?.required ?? [];
    if (name !== undefined) {
      return [{ where: json === undefined ? "form" : "body", name, message: "Field required" } as const];
    }
    const [number] = Object.entries(query?.properties ?? {}).filter(([, { type }]) => type === "integer");
    if (number !== undefined) {
      return [{ where: "query", name: number[0], message: "Input should be a valid integer" } as const];
    }
    if (path !== undefined && path.schema === undefined) {
      return [{ where: "path", name: path.name, message: "Input should be a positive integer" } as const];
    }
  }
  return [{ where: "body", name: "", message: "Input should be an object" } as const];
}

function responseObject(
  status: number,
  outcomes: readonly Outcome[],
  prefix: string,
  book: SchemaBook,
): Response {
  const headers = Object.fromEntries(
    outcomes.flatMap(({ headers }) => Object.entries(headers).map(headerOf)),
  );
  const content = responseContent(outcomes, prefix, book);
  return {
    description: DESCRIPTIONS[status] ?? `Status ${status}`,
    headers: { "X-Request-ID": { $ref: "#/components/headers/RequestId" }, ...headers },
    ...(content === null ? {} : { content }),
  };
}

/** By content type: JSON, unless a schema says otherwise. */
function responseContent(outcomes: readonly Outcome[], prefix: string, book: SchemaBook): MediaTypes | null {
  const shaped = outcomes.flatMap((outcome) =>
    shapesOf(outcome.schema).map((schema) => ({ ...outcome, schema })),
  );
  const types = Map.groupBy(shaped, ({ schema }) => String(schema.contentMediaType ?? "application/json"));
  if (types.size === 0) return null;
  return Object.fromEntries(
    [...types].map(([type, each]) =>
      type === "application/json"
        ? [type, jsonContent(each, prefix, book)]
        : [type, { schema: { type: "string" } }],
    ),
  );
}

/** The schemas of an answer that comes in one of several content types. */
function shapesOf(schema: TSchema | null): readonly TSchema[] {
  if (schema === null) return [];
  const alternatives: readonly unknown[] = Array.isArray(schema.anyOf) ? schema.anyOf : [];
  const isMixed = alternatives.some((each) => isSchema(each) && each.contentMediaType !== undefined);
  return isMixed ? alternatives.filter(isSchema) : [schema];
}

function jsonContent(
  outcomes: readonly (Outcome & { readonly schema: TSchema })[],
  prefix: string,
  book: SchemaBook,
): MediaType {
  const schemas: JsonSchema[] = [];
  for (const { schema } of outcomes) {
    const written = book.write(prefix, schema);
    if (!schemas.some((known) => Bun.deepEquals(known, written))) schemas.push(written);
  }
  const [first = {}, ...others] = schemas;
  const schema = others.length === 0 ? first : { anyOf: schemas };
  const [only, ...more] = outcomes;
  return more.length === 0 ? { schema, example: only?.example } : { schema, examples: named(outcomes) };
}

function named(outcomes: readonly Outcome[]): NonNullable<MediaType["examples"]> {
  const examples: Record<string, { summary: string; value: unknown }> = {};
  for (const { name, summary, example } of outcomes) {
    const taken = Object.keys(examples).filter((known) => known.startsWith(name)).length;
    examples[taken === 0 ? name : `${name}_${taken + 1}`] = { summary, value: example };
  }
  return examples;
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  200: "Done",
  201: "Created",
  204: "Done; nothing to answer",
  302: "Elsewhere",
  304: "Unchanged since the caller's copy",
  400: "The request is not what it claims to be, or cannot be granted as it stands",
  401: "The credentials are missing or not good",
  403: "Known, but not allowed",
  404: "There is none",
  409: "A value that must be unique is taken",
  412: "It has changed since the caller read it",
  413: "The body is too large",
  415: "The body is of a type that this route does not take",
  422: "Fields break their rules; each is named",
  423: "Locked after too many failures",
  429: "Too many requests from this client",
  500: "A fault of the server's; the log has more under the request id",
  503: "Not now: what the server leans on is out of reach, or it is busy",
};

const HEADERS = {
  RequestId: {
    description: "The id of the request in the log: the caller's own, or a new one",
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,128}$" },
  },
  RetryAfter: { description: "Seconds to wait before asking again", schema: { type: "integer", minimum: 0 } },
  Authenticate: { description: "How to authenticate, after RFC 6750", schema: { type: "string" } },
} as const;

const SHARED_HEADERS: Readonly<Record<string, readonly [string, keyof typeof HEADERS]>> = {
  "retry-after": ["Retry-After", "RetryAfter"],
  "www-authenticate": ["WWW-Authenticate", "Authenticate"],
};

function headerOf([name, description]: readonly [string, string]): readonly [string, unknown] {
  const shared = SHARED_HEADERS[name.toLowerCase()];
  if (shared === undefined) return [name, { description, schema: { type: "string" } }];
  const [written, component] = shared;
  return [written, { $ref: `#/components/headers/${component}` }];
}
