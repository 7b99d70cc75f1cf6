import type { TSchema } from "./schema.ts";

/** A schema as OpenAPI 3.1 has it: JSON Schema 2020-12. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** Keywords whose value is a schema, or holds some. */
const HOLDERS = {
  items: "schema",
  additionalProperties: "schema",
  anyOf: "list",
  allOf: "list",
  oneOf: "list",
  properties: "map",
} as const;

/**
 * The named schemas of a document. A schema with an `$id` is written once, under that name behind the surface's
 * prefix, and referred to from then on; one without stands where it is used.
 */
export class SchemaBook {
  readonly #schemas = new Map<string, JsonSchema>();

  get schemas(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#schemas].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The schema, or where it stands. Two that differ may not have one name. */
  write(prefix: string, schema: TSchema): JsonSchema {
    if (schema.$id === undefined) return this.#convert(prefix, schema);
    const name = prefix + schema.$id;
    const converted = this.#convert(prefix, schema);
    const known = this.#schemas.get(name);
    if (known !== undefined && !Bun.deepEquals(known, converted)) {
      throw new Error(`two different schemas are called ${name}`);
    }
    this.#schemas.set(name, converted);
    return { $ref: `#/components/schemas/${name}` };
  }

  #convert(prefix: string, schema: TSchema): JsonSchema {
    const written = Object.entries(schema).flatMap(([keyword, value]) =>
      this.#keyword(prefix, keyword, value),
    );
    return simplified(Object.fromEntries(written));
  }

  #keyword(prefix: string, keyword: string, value: unknown): readonly (readonly [string, unknown])[] {
    if (keyword === "$id") return [];
    if (keyword === "example") return [["examples", [value]]];
    // JSON Schema's `email` is ASCII alone; the addresses taken here may be in any script.
    if (keyword === "format" && value === "email") return [["format", "idn-email"]];
    // What TypeBox calls a record of anything.
    if (keyword === "patternProperties") {
      return Object.values(Object(value))
        .filter(isSchema)
        .map((each) => ["additionalProperties", this.write(prefix, each)] as const);
    }
    switch (holderOf(keyword)) {
      case "schema":
        return [[keyword, isSchema(value) ? this.write(prefix, value) : value]];
      case "list":
        return [
          [
            keyword,
            Object.values(Object(value))
              .filter(isSchema)
              .map((each) => this.write(prefix, each)),
          ],
        ];
      case "map": {
        const fields = Object.entries(Object(value)).map(
          ([name, each]) => [name, isSchema(each) ? this.write(prefix, each) : each] as const,
        );
        return [[keyword, Object.fromEntries(fields)]];
      }
      default:
        return [[keyword, value]];
    }
  }
}

function holderOf(keyword: string): "schema" | "list" | "map" | null {
  return Object.entries(HOLDERS).find(([name]) => name === keyword)?.[1] ?? null;
}

export function isSchema(value: unknown): value is TSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A choice of literals is an `enum`, and what may be null a list of two types: generators read both better. */
function simplified(schema: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const choices: readonly JsonSchema[] = anyOf;
  if (choices.every(({ type, const: value }) => type === "string" && value !== undefined)) {
    return { ...rest, type: "string", enum: choices.map(({ const: value }) => value) };
  }
  const [first, second] = choices;
  if (
    choices.length === 2 &&
    second?.type === "null" &&
    typeof first?.type === "string" &&
    !("const" in first)
  ) {
    if (!("enum" in first)) return { ...first, ...rest, type: [first.type, "null"] };
  }
  return schema;
}

/** A value that fits the schema, made from the examples in it. */
export function exampleOf(schema: TSchema): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (Array.isArray(schema.anyOf)) return exampleOf(schema.anyOf[0]);
  switch (schema.type) {
    case "object": {
      const fields = Object.entries(Object(schema.properties)).filter(([, each]) => isSchema(each));
      return Object.fromEntries(
        fields.map(([name, each]) => [name, isSchema(each) ? exampleOf(each) : each]),
      );
    }
    case "array":
      return [exampleOf(schema.items)];
    case "boolean":
      return false;
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "null":
      return null;
    default:
      return TEXT_EXAMPLES[String(schema.format)] ?? "string";
  }
}

const TEXT_EXAMPLES: Readonly<Record<string, string>> = {
  email: "user@example.com",
  "date-time": "2026-01-04T10:00:00.000Z",
  uri: "https://example.com",
};
