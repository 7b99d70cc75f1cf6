/**
 * A route is data: its method and path, what it takes, what it answers, and a function between the two. The same
 * list is what the server serves, what answers 405 with `Allow`, what the documentation is made from, and what the
 * tests walk.
 *
 * What a route takes is a set of named parts. Guards run first, in the order given, before a byte of the body is
 * read; then the inputs, whose problems are gathered, so that a 422 names every wrong field at once.
 */
import type { Realm } from "../core/accounts.ts";
import { requireScope } from "../core/caller.ts";
import type { Caller, Scope } from "../core/caller.ts";
import { Fault } from "../core/fault.ts";
import type { AnyFault, FaultKind, FieldProblem, Noun } from "../core/fault.ts";
import { readForm, readJson } from "./body.ts";
import type { Dialect } from "./dialect.ts";
import type { Exchange, LimitName } from "./exchange.ts";
import type { Reply } from "./reply.ts";
import { readObject } from "./schema.ts";
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
  readonly scope?: Scope;
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

  return {
    method,
    path,
    docs: { ...docs, parts: parts.map(([, part]) => part.documents) },
    async handle(exchange) {
      const values: Record<string, unknown> = {};
      for (const [name, guard] of guards) values[name] = await guard.read(exchange);
      await readInputs(inputs, exchange, values);
      if (!isComplete(takes, values))
        throw new Error(`${method} ${path}: a part of the request was not read`);
      return run(values, exchange);
    },
  };
}

async function readInputs(
  inputs: readonly (readonly [string, Part<unknown>])[],
  exchange: Exchange,
  values: Record<string, unknown>,
): Promise<void> {
  const problems: FieldProblem[] = [];
  for (const [name, input] of inputs) {
    try {
      values[name] = await input.read(exchange);
    } catch (error) {
      if (!(error instanceof Fault) || error.what.kind !== "invalid") throw error;
      problems.push(...error.what.problems);
    }
  }
  if (problems.length > 0) throw Fault.of({ kind: "invalid", problems });
}

function isComplete<P extends Parts>(takes: P, values: Record<string, unknown>): values is Inputs<P> {
  return Object.keys(takes).every((name) => name in values);
}

// Guards

/** Counts the request against a budget before anything else is done with it. */
export function limited(limit: LimitName): Part<void> {
  return {
    kind: "guard",
    documents: { limit, fails: ["rate_limited"] },
    read: (exchange) => exchange.spend(limit),
  };
}

/** The account that the request's token belongs to, as long as the token is good for `scope`. */
export function caller(realm: Realm, scope: Scope): Part<Caller> {
  return {
    kind: "guard",
    documents: {
      realm,
      scope,
      fails: [
        "unauthenticated",
        "invalid_token",
        { kind: "forbidden", why: { rule: "scope_required", scope } },
      ],
    },
    async read(exchange) {
      const caller = await exchange.authenticate(realm);
      requireScope(caller, scope);
      return caller;
    },
  };
}

/** Keeps pages of other sites from using a visitor's cookies. */
export const ownOrigin: Part<void> = {
  kind: "guard",
  documents: { fails: [{ kind: "forbidden", why: { rule: "foreign_origin" } }] },
  read: (exchange) => exchange.requireOwnOrigin(),
};

// Inputs

const BODY_FAILS = ["malformed", "invalid", "unsupported_media_type", "too_large"] as const;

export function json<S extends TObject>(schema: S): Part<Static<S>> {
  return {
    kind: "input",
    documents: { json: schema, fails: BODY_FAILS },
    async read(exchange) {
      return valueOf(readObject(schema, await readJson(exchange.request), "body"));
    },
  };
}

/** The fields of a login form, urlencoded or multipart. */
export function form<S extends TObject>(schema: S): Part<Static<S>> {
  return {
    kind: "input",
    documents: { form: schema, fails: BODY_FAILS },
    async read(exchange) {
      const fields = await readForm(exchange.request);
      return valueOf(readObject(schema, Object.fromEntries(fields), "form"));
    },
  };
}

export function query<S extends TObject>(schema: S): Part<Static<S>> {
  return {
    kind: "input",
    documents: { query: schema, fails: ["invalid"] },
    read(exchange) {
      const { request } = exchange;
      const mark = request.url.indexOf("?");
      const given = new URLSearchParams(mark === -1 ? "" : request.url.slice(mark));
      const typed = [...given].map(([name, value]) => [name, typedValue(schema.properties[name], value)]);
      return valueOf(readObject(schema, Object.fromEntries(typed), "query"));
    },
  };
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

export function cookie(name: string, { isOptional = false } = {}): Part<string | null> {
  return {
    kind: "input",
    documents: { cookie: name, isOptional },
    read: (exchange) => new Bun.CookieMap(exchange.header("cookie") ?? "").get(name),
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
