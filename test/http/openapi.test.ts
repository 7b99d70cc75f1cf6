import { describe, expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Realm } from "../../src/core/accounts.ts";
import { OPERATOR } from "../../src/core/actor.ts";
import type { JsonSchema } from "../../src/http/json-schema.ts";
import { openApiDocument, templated } from "../../src/http/openapi.ts";
import type { OpenApiDocument, Operation } from "../../src/http/openapi.ts";
import { route, json } from "../../src/http/route.ts";
import type { Route } from "../../src/http/route.ts";
import { nullable, t } from "../../src/http/schema.ts";
import type { TSchema } from "../../src/http/schema.ts";
import type { Surface } from "../../src/http/surface.ts";
import { operationsDialect } from "../../src/surfaces/operations/index.ts";
import type { Answer } from "../support/client.ts";
import { OPTIONS } from "../support/contract.ts";
import { forEachEngine, shared } from "../support/program.ts";
import type { TestProgram } from "../support/program.ts";
import { someone } from "../support/someone.ts";
import type { Someone } from "../support/someone.ts";

function operationsOf(document: OpenApiDocument): readonly Operation[] {
  return Object.values(document.paths).flatMap((item) => Object.values(item));
}

function served(body: unknown): OpenApiDocument {
  if (!isDocument(body)) throw new Error(`no OpenAPI document: ${Bun.inspect(body)}`);
  return body;
}

function isDocument(body: unknown): body is OpenApiDocument {
  return typeof body === "object" && body !== null && "openapi" in body && "paths" in body;
}

/** Two who may read every list, each with more than one row in it. */
async function readers(program: TestProgram): Promise<Readonly<Record<Realm, Someone>>> {
  const [user, admin] = [await someone(program, "user"), await someone(program, "admin")];
  await program.core.accounts.update(user.account, { role: "admin" }, null, OPERATOR);
  for (const title of ["first", "second"]) {
    await user.client.post("/api/v1/items", { name: title }, { token: user.token });
    await user.client.post("/v1/todos", { title }, { token: user.token });
    await someone(program, "user");
  }
  return { user, admin };
}

/** What a parameter may be, made from its documentation as a generated client does. */
function exampleFor({ default: usual, examples, enum: choices, type, minimum }: JsonSchema): unknown {
  const [shown] = [usual, examples, choices].filter((each) => each !== undefined).flat();
  if (shown !== undefined) return shown;
  return type === "integer" ? (minimum ?? 1) : type === "boolean" ? false : "a";
}

function cursorIn({ body }: Answer): string {
  const { next_cursor: cursor, data } = Object(body);
  return String(cursor ?? Object(data).next_cursor);
}

forEachEngine("the OpenAPI document", (start) => {
  const program = shared(start);
  const read = async () => served((await program().client().get("/openapi.json")).body);

  test("holds every route that is served, and no other", async () => {
    const documented = Object.entries((await read()).paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routes = program().app.surfaces.flatMap(({ routes }) => routes);
    expect(routes.length).toBeGreaterThan(10);
    expect(documented.toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${templated(path)}`).toSorted(),
    );
  });

  test("is a sound OpenAPI 3.1 document", async () => {
    const document = await read();
    const result = await new Validator().validate(Object(structuredClone(document)));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBeTrue();
    expect(document.openapi).toBe("3.1.0");
  });

  test("names each operation once, as a function could be named, and gives it a tag that is explained", async () => {
    const document = await read();
    const tags = new Set(document.tags.map(({ name }) => name));
    const ids = operationsOf(document).map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operationId, tags: own, summary } of operationsOf(document)) {
      expect(operationId).toMatch(/^[a-z][A-Za-z0-9]+$/);
      expect(own.filter((tag) => !tags.has(tag))).toEqual([]);
      expect(summary).not.toBe("");
    }
  });

  test("shows examples that fit their schemas", async () => {
    const document = await read();
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    ajv.addFormat("idn-email", /@/).addFormat("binary", true);
    ajv.addSchema(Object(document), "document");
    let count = 0;
    for (const { requestBody, responses } of operationsOf(document)) {
      const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
      for (const { schema, example, examples = {} } of contents.flatMap((each) =>
        Object.values(each ?? {}),
      )) {
        const shown = [
          ...(example === undefined ? [] : [example]),
          ...Object.values(examples).map(({ value }) => value),
        ];
        const rebased = Object(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')));
        for (const value of shown) {
          count += 1;
          expect([ajv.validate(rebased, value), ajv.errorsText()]).toEqual([true, "No errors"]);
        }
      }
    }
    expect(count).toBeGreaterThan(50);
  });

  test("shows changes of an account that can be made as they stand", async () => {
    const { paths } = await read();
    const [user, admin] = [await someone(program(), "user"), await someone(program(), "admin")];
    for (const { path, by } of [
      { path: "/users/me", by: user },
      { path: "/admin/users/{user_id}", by: admin },
      { path: "/admin/me", by: admin },
    ]) {
      const sample = paths[path]?.put?.requestBody?.content["application/json"]?.example;
      const at = path.replace("{user_id}", String(user.account.id));
      const answer = await by.client.put(at, sample, { token: by.token });
      expect([path, answer.status, answer.body]).toMatchObject([path, 200, { success: true }]);
    }
  });

  test("says which credentials a route needs, and how failures look", async () => {
    const { paths, components } = await read();
    const todo = paths["/api/v1/todos/{todo_id}"]?.delete;
    expect(todo?.security).toContainEqual({ userToken: [] });
    expect(Object.keys(todo?.responses ?? {})).toEqual(["204", "401", "403", "404", "422", "500", "503"]);
    expect(todo?.responses["403"]?.content?.["application/json"]?.examples?.role_required?.value).toEqual({
      detail: "Access denied. Required role: ['admin']",
    });
    expect(components.securitySchemes).toMatchObject({
      userToken: { type: "http", scheme: "bearer" },
      refreshTokenCookie: { type: "apiKey", in: "cookie", name: "refresh_token" },
    });
    expect(paths["/api/v1/users/refresh"]?.post?.security).toEqual([{ refreshTokenCookie: [] }]);
    expect(paths["/api/v1/users/logout"]?.post?.security).toEqual([{ refreshTokenCookie: [] }, {}]);
    expect(paths["/api/v1/users/login"]?.post?.security).toEqual([]);
  });

  test("takes If-None-Match wherever it may answer 304", async () => {
    for (const { operationId, parameters = [], responses } of operationsOf(await read())) {
      const takesTag = parameters.some(
        ({ name, in: where }) => where === "header" && name === "If-None-Match",
      );
      expect([operationId, takesTag]).toEqual([operationId, "304" in responses]);
    }
  });

  test("has no default for a parameter that is refused beside another", async () => {
    const { user, admin } = await readers(program());
    let count = 0;
    for (const [path, { get }] of Object.entries((await read()).paths)) {
      const parameters = get?.parameters?.filter(({ in: where }) => where === "query") ?? [];
      const reader = get?.security.some((scheme) => "adminToken" in scheme) ? admin : user;
      const ask = (query: Readonly<Record<string, string>>) =>
        reader.client.get(`${path}?${new URLSearchParams(query)}`, { token: reader.token });
      const values = new Map(parameters.map(({ name, schema }) => [name, String(exampleFor(schema))]));
      if (values.has("cursor")) values.set("cursor", cursorIn(await ask({ page_size: "1" })));
      for (const { name, schema } of parameters) {
        if (schema.default === undefined) continue;
        for (const [other, value] of values) {
          count += 1;
          const query = { [other]: value, [name]: String(schema.default) };
          expect([path, query, (await ask(query)).status]).toEqual([path, query, 200]);
        }
      }
    }
    expect(count).toBeGreaterThan(20);
  });

  test("is sent again only to who has another version, packed to who can unpack it", async () => {
    const client = program().client();
    for (const path of ["/openapi.json", "/docs", "/redoc", "/docs/assets/swagger-ui.css"]) {
      const first = await client.get(path);
      const etag = first.headers.get("etag") ?? "";
      expect(first.status).toBe(200);
      expect(etag).toMatch(/^W\/"[\w-]{22}"$/);
      const again = await client.get(path, { headers: { "if-none-match": `"other", ${etag}` } });
      expect(again.status).toBe(304);
      expect(again.body).toBeUndefined();
      expect((await client.get(path, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    }
    const address = "http://localhost/docs/assets/swagger-ui.css";
    const fetched = async (encoding: string) => {
      const request = new Request(address, { headers: { "accept-encoding": encoding } });
      return program().app.handle(request, "198.51.100.1");
    };
    const plain = await fetched("identity");
    expect(plain.headers.get("content-encoding")).toBeNull();
    const packed = await fetched("br, gzip");
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    const unpacked = Bun.gunzipSync(await packed.arrayBuffer());
    expect(Buffer.from(unpacked).equals(Buffer.from(await plain.arrayBuffer()))).toBeTrue();
    expect((await fetched("gzip;q=0")).headers.get("content-encoding")).toBeNull();
  });

  test("and its pages are not there where DEBUG is false", async () => {
    const client = (await start({ DEBUG: "false" })).client();
    for (const path of ["/openapi.json", "/docs", "/redoc", "/docs/assets/swagger-ui.css"]) {
      const answer = await client.get(path);
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual({ detail: "Not Found" });
    }
  });

  test("a page lets in its own scripts alone, and no asset is found by a path", async () => {
    const client = program().client();
    for (const path of ["/docs", "/redoc"]) {
      const policy = (await client.get(path)).headers.get("content-security-policy") ?? "";
      expect(policy).toStartWith(
        "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'; style-src 'self'",
      );
      expect(policy).toInclude("; connect-src 'self';");
      expect(policy).toEndWith("form-action 'none'");
      expect(policy).not.toInclude("unsafe");
    }
    for (const name of ["nothing.js", "..%2froutes.ts", "constructor", "swagger.html"]) {
      expect((await client.get(`/docs/assets/${name}`)).status).toBe(404);
    }
  });
});

describe("a document made from routes", () => {
  const surface = (routes: readonly Route[], name = "api-v9"): Surface => ({
    name,
    prefixes: [`/${name}`],
    dialect: operationsDialect,
    routes,
  });
  const answering = (path: string, operation: string, schema: TSchema = t.Object({ a: t.String() })) =>
    route("GET", path, {
      summary: "x",
      operation,
      takes: {},
      returns: { 200: schema },
      run: () => ({ status: 200 }),
    });

  test("prefixes names with the surface, and tags with its first noun", () => {
    const document = openApiDocument([surface([answering("/api-v9/things/:id", "readThing")])], OPTIONS);
    const operation = document.paths["/api-v9/things/{id}"]?.get;
    expect(operation?.operationId).toBe("apiV9ReadThing");
    expect(operation?.tags).toEqual(["api-v9 things"]);
    expect(operation?.parameters).toMatchObject([{ name: "id", in: "path", required: true }]);
  });

  test("refuses two operations, or two different schemas, of one name", () => {
    const twice = surface([answering("/api-v9/a", "read"), answering("/api-v9/b", "read")]);
    expect(() => openApiDocument([twice], OPTIONS)).toThrow("two operations are called apiV9Read");
    const schemas = [t.Object({ a: t.String() }, { $id: "A" }), t.Object({ b: t.String() }, { $id: "A" })];
    const clash = surface(schemas.map((schema, n) => answering(`/api-v9/${n}`, `read${n}`, schema)));
    expect(() => openApiDocument([clash], OPTIONS)).toThrow("two different schemas are called ApiV9A");
  });

  test("writes what may be null, a choice, a record and a file as JSON Schema does", () => {
    const body = t.Object({
      note: nullable(t.String({ maxLength: 9, example: "hi" })),
      level: t.Union([t.Literal("low"), t.Literal("high")]),
      checks: t.Record(t.String(), t.Integer()),
      email: t.String({ format: "email" }),
    });
    const upload = {
      kind: "input" as const,
      documents: { json: body, upload: { field: "avatar", maxBytes: 10 * 1024 * 1024 } },
      read: () => null,
    };
    const posting = route("POST", "/api-v9/a", {
      summary: "x",
      operation: "post",
      takes: { upload },
      returns: { 204: null },
      run: () => ({ status: 204 }),
    });
    const content = openApiDocument([surface([posting])], OPTIONS).paths["/api-v9/a"]?.post?.requestBody
      ?.content;
    expect(content?.["application/json"]).toEqual({
      schema: {
        type: "object",
        required: ["note", "level", "checks", "email"],
        properties: {
          note: { type: ["string", "null"], maxLength: 9, examples: ["hi"] },
          level: { type: "string", enum: ["low", "high"] },
          checks: { type: "object", additionalProperties: { type: "integer" } },
          email: { type: "string", format: "idn-email" },
        },
      },
      example: { note: "hi", level: "low", checks: {}, email: "user@example.com" },
    });
    expect(content?.["multipart/form-data"]?.schema).toMatchObject({
      required: ["note", "level", "checks", "email"],
      properties: { avatar: { type: "string", format: "binary" }, level: { type: "string" } },
    });
  });

  test("offers the password flow where the route is served that answers its tokens", () => {
    const login = route("POST", "/api/v1/auth/token", {
      summary: "x",
      operation: "token",
      takes: {
        body: json(t.Object({})),
        who: { kind: "guard", documents: { realm: "user" }, read: () => null },
      },
      returns: { 204: null },
      run: () => ({ status: 204 }),
    });
    const { components } = openApiDocument([surface([login])], {
      ...OPTIONS,
      serverUrl: "https://a.example",
    });
    expect(components.securitySchemes?.userPassword).toMatchObject({
      flows: { password: { tokenUrl: "https://a.example/api/v1/auth/token", scopes: {} } },
    });
  });
});
