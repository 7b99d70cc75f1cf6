/**
 * A route is data: its method and path, what it takes, what it answers, and a function between the two. The same
 * list is what the server serves, what answers 405 with `Allow`, what the documentation is made from, and what the
 * tests walk.
 *
 * What a route takes is a set of named parts. Guards run first, in the order given, before a byte of the body is
 * read; then the inputs, whose problems are gathered, so that a 422 names every wrong field at once.
 */
import type { Realm } from "../core/accounts.ts";
import type { Caller, Scope } from "../core/caller.ts";
import { Fault } from "../core/fault.ts";
import type { AnyFault, FaultKind, FieldProblem, Noun } from "../core/fault.ts";
import { FORM_TYPES, isForm, readJson, readJsonOrMultipart } from "./body.ts";
import type { Form } from "./body.ts";
import type { Dialect } from "./dialect.ts";
import { isWellEscaped } from "./escapes.ts";
import type { Exchange, LimitName, Values } from "./exchange.ts";
import type { Reply } from "./reply.ts";
import { readObject, takesNull } from "./schema.ts";
import type { Static, TObject, TSchema } from "./schema.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Part<T> {
  readonly kind: "guard" | "input";
  read(exchange: Exchange): T | Promise<T>;
  readonly documents: PartDocs;
}

/** What a part adds to the documentation of its route. */
export interface PartDocs {
  readonly realm?: Realm;
  /** All of which a token needs that is narrowed to any. */
  readonly scopes?: readonly Scope[];
  /** The route answers without the credentials too, if not always the same. */
  readonly isOptional?: boolean;
  readonly limit?: LimitName;
  /** Without a schema it is an id. */
  readonly path?: { readonly name: string; readonly schema?: TSchema };
  readonly header?: { readonly name: string; readonly description: string };
  readonly query?: TObject;
  readonly json?: TObject;
  readonly form?: TObject;
  /** Beside `json`: the same fields may come by multipart, and this file with them. */
  readonly upload?: { readonly field: string; readonly maxBytes: number };
  readonly cookie?: string;
  /** What a good answer carries in its headers by the part's doing. */
  readonly sends?: Readonly<Record<string, string>>;
  /** What the part itself may fail with. */
  readonly fails?: readonly Failure[];
}

/** A way to fail, by its kind alone or with what it would carry, as the documentation's example. */
export type Failure = FaultKind | AnyFault;

export type Parts = Readonly<Record<string, Part<unknown>>>;
type Inputs<P extends Parts> = { readonly [Name in keyof P]: P[Name] extends Part<infer T> ? T : never };

export interface RouteSpec<P extends Parts> {
  /** A few words in the imperative, as the documentation's headline. */
  readonly summary: string;
  readonly description?: string;
  /** The name of the route in generated clients. */
  readonly operation: string;
  readonly takes: P;
  /** The shape of each good answer, by status; null where it has no body. */
  readonly returns: Readonly<Record<number, TSchema | null>>;
  /** What `run` may fail with, beside what the parts do; that any request may be `unavailable` goes without saying. */
  readonly fails?: readonly Failure[];
  /** What a good answer carries in its headers. */
  readonly sends?: Readonly<Record<string, string>>;
  run(inputs: Inputs<P>, exchange: Exchange): Reply | Promise<Reply>;
}

export interface Route {
  readonly method: Method;
  /** A template, as `/todos/:todo_id`, below the surface's prefix. */
  readonly path: string;
  /** How it fails, where that is not the surface's own way. */
  readonly dialect?: Dialect;
  readonly docs: Omit<RouteSpec<Parts>, "run" | "takes"> & { readonly parts: readonly PartDocs[] };
  readonly handle: (exchange: Exchange) => Promise<Reply>;
}

export function route<P extends Parts>(method: Method, path: string, spec: RouteSpec<P>): Route {
  const { takes, run, ...docs } = spec;
  const parts = Object.entries(takes);
  const guards = parts.filter(([, part]) => part.kind === "guard");
  const inputs = parts.filter(([, part]) => part.kind === "input");
  // Only they are asked again, and only where a body may come.
  const askers = method === "GET" ? [] : guards.filter(([, part]) => part.documents.realm !== undefined);
  const askAgain = async (exchange: Exchange, values: Values) => {
    for (const [name, asker] of askers) values[name] = await asker.read(exchange);
  };

  return {
    method,
    path,
    docs: { ...docs, parts: parts.map(([, part]) => part.documents) },
    async handle(exchange) {
      const values: Values = {};
      for (const [name, guard] of guards) {
        const read = guard.read(exchange);
        values[name] = read instanceof Promise ? await read : read;
      }
      if (askers.length > 0) exchange.onSlowBody(askAgain, values);
      let problems: readonly FieldProblem[] = [];
      for (const [name, input] of inputs) {
        try {
          const read = input.read(exchange);
          values[name] = read instanceof Promise ? await read : read;
        } catch (error) {
          problems = [...problems, ...problemsIn(error)];
        }
      }
      if (problems.length > 0) throw Fault.of({ kind: "invalid", problems });
      if (!isComplete(takes, values))
        throw new Error(`${method} ${path}: a part of the request was not read`);
      const reply = run(values, exchange);
      // To return a promise from here would take two turns more of the promise queue than to wait for it.
      return reply instanceof Promise ? await reply : reply;
    },
  };
}

/** Of an input that is wrong; whatever else it failed with is thrown again. */
function problemsIn(error: unknown): readonly FieldProblem[] {
  if (!(error instanceof Fault) || error.what.kind !== "invalid") throw error;
  return error.what.problems;
}

function isComplete<P extends Parts>(takes: P, values: Values): values is Inputs<P> {
  for (const name in takes) if (!(name in values)) return false;
  return true;
}

// Guards

const BODY_FAILS = ["malformed", "invalid", "unsupported_media_type", "too_large"] as const;

/** Counts the request against a budget before anything else is done with it. */
export function limited(limit: LimitName): Part<void> {
  return {
    kind: "guard",
    documents: { limit, fails: ["rate_limited"] },
    read: (exchange) => exchange.spend(limit),
  };
}

/**
 * Counts the request against the budget that its form asks for, and against `otherwise` where the form cannot be
 * read: a broken request is not a free one.
 */
export function limitedByForm(otherwise: LimitName, choose: (form: Form) => LimitName): Part<void> {
  return {
    kind: "guard",
    documents: { limit: otherwise, fails: ["rate_limited", ...BODY_FAILS] },
    async read(exchange) {
      const [read] = await Promise.allSettled([exchange.form()]);
      await exchange.spend(read.status === "fulfilled" ? choose(read.value) : otherwise);
      if (read.status === "rejected") throw read.reason;
    },
  };
}

/** The account that the request's token belongs to, as long as the token is good for all of `scopes`. */
export function caller(realm: Realm, ...scopes: readonly Scope[]): Part<Caller> {
  return {
    kind: "guard",
    documents: { realm, scopes, fails: ["unauthenticated", "invalid_token", ...lacking(scopes)] },
    read: (exchange) => exchange.authenticate(realm, scopes),
  };
}

/** How a token fails that lacks one of them. */
export function lacking(scopes: readonly Scope[]): readonly Failure[] {
  return scopes.map((scope) => ({ kind: "forbidden", why: { rule: "scope_required", scope } }));
}

/** The account behind the request's token, if it brings one; a bad one is refused all the same. */
export function callerIfAny(realm: Realm): Part<Caller | null> {
  return {
    kind: "guard",
    documents: { realm, isOptional: true, fails: ["invalid_token"] },
    read: (exchange) => (exchange.header("authorization") === null ? null : exchange.authenticate(realm, [])),
  };
}

/** Keeps pages of other sites from using a visitor's cookies. */
export const ownOrigin: Part<void> = {
  kind: "guard",
  documents: { fails: [{ kind: "forbidden", why: { rule: "foreign_origin" } }] },
  read: (exchange) => exchange.requireOwnOrigin(),
};

// Inputs

/** Fields of `adminOnly`, which give rights, are nothing, as unknown ones are, to anyone who may not give any. */
export function json<S extends TObject>(
  schema: S,
  { adminOnly = [] }: { readonly adminOnly?: readonly (keyof Static<S> & string)[] } = {},
): Part<Static<S>> {
  return {
    kind: "input",
    documents: { json: schema, fails: BODY_FAILS },
    async read(exchange) {
      const body = await readJson(exchange);
      const ignored = exchange.mayGiveRights ? [] : adminOnly;
      return valueOf(readObject(schema, body, "body", ignored));
    },
  };
}

/** The fields of a login form, urlencoded or multipart. */
export function form<S extends TObject>(schema: S): Part<Static<S>> {
  return {
    kind: "input",
    documents: { form: schema, fails: BODY_FAILS },
    read: async (exchange) => formFields(schema, await exchange.form()),
  };
}

/** Reads the fields of a form; fails with `invalid`. */
export function formFields<S extends TObject>(schema: S, form: Form): Static<S> {
  return valueOf(readObject(schema, Object.fromEntries(form), "form"));
}

/** A body in one of two shapes, which the content type tells apart: what it turned out to be is its name. */
export function jsonOrForm<Json extends TObject, Fields extends TObject>(
  jsonSchema: Json,
  formSchema: Fields,
): Part<{ readonly json: Static<Json> } | { readonly form: Static<Fields> }> {
  return {
    kind: "input",
    documents: { json: jsonSchema, form: formSchema, fails: BODY_FAILS },
    async read(exchange) {
      if (isForm(exchange.request)) return { form: formFields(formSchema, await exchange.form()) };
      const body = await readJson(exchange, FORM_TYPES);
      return { json: valueOf(readObject(jsonSchema, body, "body")) };
    },
  };
}

/**
 * The same fields as JSON or as a multipart form, which may bring a file along.
 *
 * A form sends each of its inputs, filled in or not, and has no word for null. So an empty field of a form is null
 * where the schema takes null, and else it is absent.
 */
export function jsonOrMultipart<S extends TObject>(
  schema: S,
  upload: { readonly field: string; readonly maxBytes: number },
): Part<{ readonly fields: Static<S>; readonly file: Uint8Array | null }> {
  return {
    kind: "input",
    documents: { json: schema, upload, fails: BODY_FAILS },
    async read(exchange) {
      const sent = await readJsonOrMultipart(exchange, upload);
      if ("json" in sent) return { fields: valueOf(readObject(schema, sent.json, "body")), file: null };
      const values = formValues(schema, sent.form, upload.field);
      return { fields: valueOf(readObject(schema, values, "form")), file: sent.file };
    },
  };
}

function formValues(schema: TObject, form: Form, fileField: string): Record<string, unknown> {
  if ((form.get(fileField) ?? "") !== "") throw Fault.invalid("form", fileField, "Input should be a file");
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.properties)) {
    const value = form.get(name);
    if (value === undefined || name === fileField) continue;
    if (value !== "") values[name] = typedValue(field, value);
    else if (takesNull(field)) values[name] = null;
  }
  return values;
}

export function query<S extends TObject>(schema: S): Part<Static<S>> {
  return {
    kind: "input",
    documents: { query: schema, fails: ["invalid"] },
    read(exchange) {
      const { request } = exchange;
      const mark = request.url.indexOf("?");
      const typed: Record<string, unknown> = {};
      if (mark !== -1) {
        const given = request.url.slice(mark + 1);
        requireWellEscaped(given);
        new URLSearchParams(given).forEach((value, name) => {
          typed[name] = typedValue(schema.properties[name], value);
        });
      }
      return valueOf(readObject(schema, typed, "query"));
    },
  };
}

function requireWellEscaped(given: string): void {
  if (!given.includes("%")) return;
  for (const pair of given.split("&")) {
    const [name = ""] = pair.split("=");
    if (!isWellEscaped(pair)) throw Fault.invalid("query", name, "Input should be valid UTF-8");
  }
}

/** An id in the path: a positive integer. One too large for any row belongs to none. */
export function id(name: string, noun: Noun): Part<number> {
  return {
    kind: "input",
    documents: { path: { name }, fails: ["invalid", { kind: "not_found", noun, id: 7 }] },
    read(exchange) {
      const given = exchange.params[name] ?? "";
      if (!/^[1-9][0-9]*$/.test(given))
        throw Fault.invalid("path", name, "Input should be a positive integer");
      const value = Number(given);
      if (!Number.isSafeInteger(value)) throw Fault.of({ kind: "not_found", noun, id: given.slice(0, 40) });
      return value;
    },
  };
}

/** Many more of one name than a browser has by mistake: each costs a look-up. */
const MOST_COOKIES = 16;

/**
 * The cookies of a name, the last first. Where one was set for another domain than now, or by a neighbour for theirs, a
 * browser sends both: of those for one path that first which it has had for longest (RFC 6265, 5.4).
 */
export function cookies(name: string, { isOptional = false } = {}): Part<readonly string[]> {
  return {
    kind: "input",
    documents: { cookie: name, isOptional },
    read: (exchange) =>
      [...new Bun.CookieMap(exchange.header("cookie") ?? "")]
        .filter(([each]) => each === name)
        .map(([, value]) => value)
        .slice(-MOST_COOKIES)
        .reverse(),
  };
}

/** What one route alone reads from its request. */
export function input<T>(documents: PartDocs, read: (exchange: Exchange) => T | Promise<T>): Part<T> {
  return { kind: "input", documents, read };
}

function valueOf<T>(read: { readonly value: T } | { readonly problems: readonly FieldProblem[] }): T {
  if ("problems" in read) throw Fault.of({ kind: "invalid", problems: read.problems });
  return read.value;
}

/** A query holds text alone: what its field wants to be decides how the text is read. */
function typedValue(schema: TSchema | undefined, given: string): unknown {
  if (schema?.type === "integer" && /^-?[0-9]{1,16}$/.test(given)) return Number(given);
  if (schema?.type === "boolean") {
    if (/^(?:true|1|yes|on)$/i.test(given)) return true;
    if (/^(?:false|0|no|off)$/i.test(given)) return false;
  }
  return given;
}
