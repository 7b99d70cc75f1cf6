/**
 * Writes the client's types, `client/src/types.ts`, from the OpenAPI document: the shapes that the three surfaces
 * take and answer, and the queries of their lists. A test holds the file to the document.
 *
 *     bun scripts/client-types.ts http://localhost:8000    where a server of this checkout runs
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const TYPES_FILE = join(import.meta.dir, "../client/src/types.ts");

const HEAD = `/**
 * The shapes that the server takes and answers. Made from its OpenAPI document by scripts/client-types.ts: change
 * the routes rather than this file.
 */
`;

/** What the client says of failures and forms it says in its own way. */
const LEFT_OUT = /(?:ErrorBody|Form)$/;
const SURFACES = /^(?:ApiV1|V1|Root)[A-Z]/;

export interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

interface DescribedOperation {
  readonly operationId: string;
  readonly parameters?: readonly DescribedParameter[];
}

interface DescribedParameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Schema {
  readonly [keyword: string]: unknown;
}

export function clientTypes({ paths, components }: Described): string {
  const shapes = Object.entries(components.schemas)
    .filter(([name]) => SURFACES.test(name) && !LEFT_OUT.test(name))
    .map(([name, schema]) => `export interface ${name} ${typeOf(schema, "")}`);
  const queries = Object.values(paths)
    .flatMap((item) => Object.values(item))
    .flatMap(({ operationId, parameters = [] }) => queryOf(operationId, parameters));
  return `${[HEAD, ...shapes, ...queries.toSorted()].join("\n\n").replace("\n\n\n", "\n\n")}\n`;
}

function queryOf(operationId: string, parameters: readonly DescribedParameter[]): readonly string[] {
  const query = parameters.filter((parameter) => parameter.in === "query");
  const name = operationId.charAt(0).toUpperCase() + operationId.slice(1);
  if (query.length === 0 || !SURFACES.test(name)) return [];
  const fields = query.map(({ name, required, description, schema }) =>
    field(name, { description, ...schema }, required, ""),
  );
  return [`export interface ${name}Query {\n${fields.join("\n")}\n}`];
}

function typeOf(schema: Schema, indent: string): string {
  const { $ref, const: only, enum: words, anyOf, type } = schema;
  if (typeof $ref === "string") return $ref.slice($ref.lastIndexOf("/") + 1);
  if (only !== undefined) return JSON.stringify(only);
  if (Array.isArray(anyOf)) return union(anyOf.map((each) => typeOf(Object(each), indent)));
  if (Array.isArray(type)) return union(type.map((each) => typeOf({ ...schema, type: each }, indent)));
  if (Array.isArray(words))
    return type === "null" ? "null" : union(words.map((word) => JSON.stringify(word)));
  switch (type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return type;
    case "array":
      return `ReadonlyArray<${typeOf(Object(schema["items"]), indent)}>`;
    case "object":
      return objectOf(schema, indent);
    case undefined:
      return "unknown";
    default:
      throw new Error(`a type for ${JSON.stringify(schema)} is missing here`);
  }
}

function objectOf({ properties, required, additionalProperties }: Schema, indent: string): string {
  if (additionalProperties !== undefined && additionalProperties !== false)
    return `Record<string, ${typeOf(Object(additionalProperties), indent)}>`;
  const needed: readonly unknown[] = Array.isArray(required) ? required : [];
  const fields = Object.entries(Object(properties)).map(([name, each]) =>
    field(name, Object(each), needed.includes(name), indent),
  );
  return fields.length === 0 ? "{}" : `{\n${fields.join("\n")}\n${indent}}`;
}

function field(name: string, schema: Schema, isRequired: boolean, indent: string): string {
  const { description } = schema;
  const comment = typeof description === "string" ? `${indent}  /** ${description} */\n` : "";
  const type = typeOf(schema, `${indent}  `);
  return `${comment}${indent}  readonly ${name}${isRequired ? `: ${type}` : `?: ${type} | undefined`};`;
}

function union(types: readonly string[]): string {
  return [...new Set(types)].join(" | ");
}

if (import.meta.main) {
  const [address = "http://localhost:8000"] = process.argv.slice(2);
  const document: Described = JSON.parse(await (await fetch(`${address}/openapi.json`)).text());
  writeFileSync(TYPES_FILE, clientTypes(document));
  Bun.spawnSync(["bun", "fmt", "--no-script", TYPES_FILE]);
}
