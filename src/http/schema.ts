/**
 * The shapes of requests and answers, in TypeBox, the schema library inside Elysia: the types of handlers and the
 * API's documentation come from one place. (Elysia's own `t` takes the text "5" for an integer, in JSON too.)
 *
 * The checking is done here, because the contract wants every wrong field named in words, lengths in characters
 * rather than UTF-16 units, and never an echo of what was sent.
 */
import { Type as t } from "@sinclair/typebox";
import type { Static, TObject, TSchema } from "@sinclair/typebox";
import type { FieldProblem } from "../core/fault.ts";
import { emailProblem, usernameProblem } from "../core/identity.ts";
import { describePassword, passwordProblem, passwordTextProblem } from "../core/passwords.ts";
import type { PasswordRule } from "../core/passwords.ts";

export { t };
export type { Static, TObject, TSchema };

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

export const nullable = <S extends TSchema>(schema: S) => t.Union([schema, t.Null()]);

/** Reads the documented fields of `value`, and no others, or answers what is wrong with each of them. */
export function readObject<S extends TObject>(
  schema: S,
  value: unknown,
  where: FieldProblem["where"],
): { readonly value: Static<S> } | { readonly problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = [];
  const picked = pickFields(schema, value, where, problems);
  return conforms(schema, picked, problems) ? { value: picked } : { problems };
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
  where: FieldProblem["where"],
  problems: FieldProblem[],
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  if (!isRecord(value)) {
    problems.push({ where, name: "", message: "Input should be an object" });
    return picked;
  }
  const required = new Set(schema.required ?? []);
  for (const [name, field] of Object.entries(schema.properties)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    if (given === undefined) {
      if (required.has(name)) problems.push({ where, name, message: "Field required" });
      continue;
    }
    const message = problemWith(field, given);
    if (message === null) picked[name] = given;
    else problems.push({ where, name, message });
  }
  return picked;
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
