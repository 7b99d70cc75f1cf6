/**
 * The shapes of requests and answers, in TypeBox, the schema library inside Elysia: the types of handlers and the
 * API's documentation come from one place. (Elysia's own `t` takes the text "5" for an integer, in JSON too.)
 *
 * The checking is done here, because the contract wants every wrong field named in words, lengths in characters
 * rather than UTF-16 units, and never an echo of what was sent.
 */
import { Type as t } from "@sinclair/typebox";
import type { SchemaOptions, Static, TArray, TObject, TSchema } from "@sinclair/typebox";
import type { FieldProblem } from "../core/fault.ts";
import { emailProblem, usernameProblem } from "../core/identity.ts";
import { describePassword, passwordProblem, passwordTextProblem } from "../core/passwords.ts";
import type { PasswordRule } from "../core/passwords.ts";

export { t };
export type { SchemaOptions, Static, TObject, TSchema };

/** What is wrong with a value whose type is right, in words for the client; null where nothing is. */
export type Rule = (value: string) => string | null;

const RULE: unique symbol = Symbol("rule");
const TRIM: unique symbol = Symbol("trim");

interface TextLimits {
  readonly min?: number;
  readonly max?: number;
  /** The value is measured, and kept by the core, without the white space around it. */
  readonly trim?: boolean;
  readonly rule?: Rule;
  readonly format?: string;
  readonly example?: string;
  readonly description?: string;
}

/** Text as every engine can store it: well-formed Unicode without NUL, within its limits in characters. */
export function text(limits: TextLimits = {}) {
  const { min, max, rule, trim, ...documented } = limits;
  return t.String({
    ...documented,
    ...(min === undefined ? {} : { minLength: min }),
    ...(max === undefined ? {} : { maxLength: max }),
    ...(trim === undefined ? {} : { [TRIM]: trim }),
    ...(rule === undefined ? {} : { [RULE]: rule }),
  });
}

export const email = () => text({ format: "email", rule: emailProblem, example: "user@example.com" });
export const username = () => text({ rule: usernameProblem, description: "3 to 50 of `A-Z a-z 0-9 . _ -`" });

/** A password where one is set, by the surface's rule. Where one is only compared, `password()` will do. */
export const newPassword = (rule: PasswordRule) =>
  text({
    rule: (value) => passwordProblem(rule, value),
    description: describePassword(rule),
    format: "password",
    example: "password123",
  });
export const password = () => text({ rule: passwordTextProblem, format: "password", example: "password123" });

/** What an answer holds that is not JSON. */
export const content = (type: string) => t.String({ contentMediaType: type });

export const nullable = <S extends TSchema>(schema: S, documented: SchemaOptions = {}) =>
  t.Union([schema, t.Null()], documented);

export function takesNull(schema: TSchema): boolean {
  return (alternativesOf(schema) ?? [schema]).some(({ type }) => type === "null");
}

/** Reads the documented fields of `value` but those to be ignored, or answers what is wrong with each of them. */
export function readObject<S extends TObject>(
  schema: S,
  value: unknown,
  where: FieldProblem["where"],
  ignored: readonly string[] = [],
): { readonly value: Static<S> } | { readonly problems: readonly FieldProblem[] } {
  const problems = new Problems(where, "", []);
  const picked = pickFields(schema, value, problems, ignored);
  return conforms(schema, picked, problems.found) ? { value: picked } : { problems: problems.found };
}

/** Gathers what is wrong, each with the path of its field: `title`, or `operations[3].title`. */
class Problems {
  readonly found: FieldProblem[];
  readonly #where: FieldProblem["where"];
  readonly #path: string;

  constructor(where: FieldProblem["where"], path: string, found: FieldProblem[]) {
    this.#where = where;
    this.#path = path;
    this.found = found;
  }

  add(message: string): void {
    this.found.push({ where: this.#where, name: this.#path, message });
  }

  of(field: string): Problems {
    return new Problems(this.#where, this.#path === "" ? field : `${this.#path}.${field}`, this.found);
  }

  at(index: number): Problems {
    return new Problems(this.#where, `${this.#path}[${index}]`, this.found);
  }
}

/** Holds once every field has been looked at: what is left in `problems` decides. */
function conforms<S extends TObject>(
  _schema: S,
  _value: unknown,
  problems: readonly FieldProblem[],
): _value is Static<S> {
  return problems.length === 0;
}

function pickFields(
  schema: TObject,
  value: unknown,
  problems: Problems,
  ignored: readonly string[] = [],
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  if (!isRecord(value)) {
    problems.add("Input should be an object");
    return picked;
  }
  const { required = [], properties } = schema;
  for (const [name, field] of Object.entries(properties)) {
    const given = Object.hasOwn(value, name) && !ignored.includes(name) ? value[name] : undefined;
    if (given !== undefined) picked[name] = pickField(field, given, problems.of(name));
    else if (required.includes(name)) problems.of(name).add("Field required");
  }
  return picked;
}

function pickField(schema: TSchema, given: unknown, problems: Problems): unknown {
  if (isListOfObjects(schema)) return pickItems(schema, given, problems);
  const message = problemWith(schema, given);
  if (message !== null) problems.add(message);
  return given;
}

function pickItems(schema: TArray, given: unknown, problems: Problems): readonly unknown[] {
  const { minItems = 0, maxItems = Infinity, items } = schema;
  if (!Array.isArray(given)) problems.add("Input should be a valid list");
  else if (given.length < minItems || given.length > maxItems)
    problems.add(`Input should have ${minItems} to ${maxItems} items`);
  else return given.map((item, index) => pickItem(items, item, problems.at(index)));
  return [];
}

/** An item is an object of one shape, or of one of several, which a constant among their fields tells apart. */
function pickItem(schema: TSchema, item: unknown, problems: Problems): unknown {
  const shapes = shapesOf(schema);
  const [first] = shapes;
  if (first === undefined) throw new Error("a list of objects says nothing of their shape");
  const tag = Object.keys(first.properties).find((name) => first.properties[name]?.const !== undefined);
  if (tag === undefined || !isRecord(item)) return pickFields(first, item, problems);
  const shape = shapes.find(({ properties }) => properties[tag]?.const === item[tag]);
  if (shape !== undefined) return pickFields(shape, item, problems);
  const tags = shapes.flatMap(({ properties }) => properties[tag] ?? []);
  problems.of(tag).add(problemWithAll(tags, item[tag]) ?? "Input is not valid");
  return item;
}

function isListOfObjects(schema: TSchema): schema is TArray {
  const { items } = schema;
  return schema.type === "array" && isSchema(items) && shapesOf(items).length > 0;
}

/** What an object may look like, by a schema that is for objects: one shape, or several. */
function shapesOf(schema: TSchema): readonly TObject[] {
  return (alternativesOf(schema) ?? [schema]).filter(isObjectSchema);
}

function isObjectSchema(schema: TSchema): schema is TObject {
  return schema.type === "object";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is wrong with one field's value, in words; null where nothing is. */
function problemWith(schema: TSchema, value: unknown): string | null {
  const alternatives = alternativesOf(schema);
  if (alternatives !== null) return problemWithAll(alternatives, value);
  if (schema.const !== undefined) return value === schema.const ? null : `Input should be '${schema.const}'`;
  switch (schema.type) {
    case "null":
      return value === null ? null : "Input should be null";
    case "boolean":
      return typeof value === "boolean" ? null : "Input should be a valid boolean";
    case "integer":
      return problemWithInteger(schema, value);
    case "string":
      return problemWithText(schema, value);
    case "array":
      return problemWithList(schema, value);
    default:
      throw new Error(`a schema of type ${schema.type} cannot be checked`);
  }
}

function alternativesOf(schema: TSchema): readonly TSchema[] | null {
  return isUnion(schema) ? schema.anyOf : null;
}

function isUnion(schema: TSchema): schema is TSchema & { anyOf: readonly TSchema[] } {
  return Array.isArray(schema.anyOf);
}

/** Of several alternatives, the one that says most: a literal's list of choices, or what is wrong with the value. */
function problemWithAll(alternatives: readonly TSchema[], value: unknown): string | null {
  const problems = alternatives.map((alternative) => problemWith(alternative, value));
  if (problems.includes(null)) return null;
  const choices = alternatives.flatMap((alternative) =>
    alternative.const === undefined ? [] : [alternative.const],
  );
  if (choices.length > 0) return `Input should be ${choices.map((choice) => `'${choice}'`).join(" or ")}`;
  const substantial = alternatives.findIndex((alternative) => alternative.type !== "null");
  return problems[substantial] ?? "Input is not valid";
}

function problemWithInteger(schema: TSchema, value: unknown): string | null {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return "Input should be a valid integer";
  if (schema.minimum !== undefined && value < schema.minimum) {
    return `Input should be greater than or equal to ${schema.minimum}`;
  }
  if (schema.maximum !== undefined && value > schema.maximum) {
    return `Input should be less than or equal to ${schema.maximum}`;
  }
  return null;
}

/** For a list of plain values: the first thing that is wrong with any of them; it says which only by what it should be. */
function problemWithList(schema: TSchema, value: unknown): string | null {
  const { items } = schema;
  if (!isSchema(items)) throw new Error("a list's schema must say what is in it");
  if (!Array.isArray(value)) return "Input should be a valid list";
  for (const item of value) {
    const problem = problemWith(items, item);
    if (problem !== null) return problem;
  }
  return null;
}

function isSchema(value: unknown): value is TSchema {
  return isRecord(value);
}

function problemWithText(schema: TSchema, value: unknown): string | null {
  if (typeof value !== "string") return "Input should be a valid string";
  if (!value.isWellFormed()) return "Input should be well-formed Unicode";
  if (value.includes("\0")) return "Input should not contain the NUL character";
  const measured = ruleOf(schema, TRIM) === true ? value.trim() : value;
  const { minLength, maxLength } = schema;
  // A text of n UTF-16 units has between n/2 and n characters: most need no counting.
  if (minLength !== undefined && (measured.length < minLength || characters(measured) < minLength)) {
    return `Input should have at least ${minLength} ${minLength === 1 ? "character" : "characters"}`;
  }
  if (maxLength !== undefined && measured.length > maxLength && characters(measured) > maxLength) {
    return `Input should have at most ${maxLength} characters`;
  }
  const rule = ruleOf(schema, RULE);
  return isRule(rule) ? rule(value) : null;
}

function ruleOf(schema: TSchema, key: symbol): unknown {
  return Reflect.get(schema, key);
}

function isRule(value: unknown): value is Rule {
  return typeof value === "function";
}

function characters(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}
