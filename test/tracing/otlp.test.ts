import { expect, test } from "bun:test";
import { keyValues, spanKinds, traceRequest } from "../../src/tracing/otlp.ts";
import { requestAttributes, requestName, soundPath } from "../../src/tracing/request-span.ts";
import { Statements } from "../../src/tracing/statements.ts";

const ORIGIN = {
  resource: keyValues({ "service.name": "it" }),
  scope: { name: "latchkey", version: "1.2.3" },
};

test("a span is told as OTLP's JSON has it", () => {
  const span = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: "00f067aa0ba902b7",
    isParentRemote: true,
    traceState: "a=1",
    name: "GET /todos/:todo_id",
    kind: spanKinds.server,
    startedAtMs: 1_767_520_800_000,
    endedAtMs: 1_767_520_800_012.5,
    attributes: keyValues({ text: "x", whole: 200, part: 0.5, flag: true }),
    hasFailed: true,
  };
  expect(JSON.parse(traceRequest(ORIGIN, [span]))).toEqual({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "it" } }] },
        scopeSpans: [
          {
            scope: { name: "latchkey", version: "1.2.3" },
            spans: [
              {
                traceId: span.traceId,
                spanId: span.spanId,
                parentSpanId: span.parentSpanId,
                traceState: "a=1",
                flags: 0x301,
                name: span.name,
                kind: 2,
                startTimeUnixNano: "1767520800000000000",
                endTimeUnixNano: "1767520800012500000",
                attributes: [
                  { key: "text", value: { stringValue: "x" } },
                  { key: "whole", value: { intValue: "200" } },
                  { key: "part", value: { doubleValue: 0.5 } },
                  { key: "flag", value: { boolValue: true } },
                ],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  });
});

test.each([
  ["/todos/:todo_id", "/todos/5", "/todos/5"],
  ["/todos/:todo_id", "/todos/eyJhbGciOi", "/todos/:todo_id"],
  ["/a/:id/b/:name", "/a/7/b/ada", "/a/7/b/:name"],
  ["/api/v1/*", "/api/v1/5/6", "/api/v1/*"],
  ["*", "/whatever/it/was", "*"],
  ["/health", "/health", "/health"],
])("of a request for %s at %s the path is told as %s", (route, path, told) => {
  expect(soundPath(route, path)).toBe(told);
});

test("a method that somebody made up is no name of a span", () => {
  const request = { url: "http://localhost/users/me", method: "STEAL" };
  const answered = { request, status: 405, line: { route: "/users/me" } };
  expect(requestName(answered)).toBe("HTTP /users/me");
  expect(requestAttributes(answered)["http.request.method"]).toBe("_OTHER");
});

test.each([
  ["SELECT a,\n  b FROM users u\nJOIN x ON true WHERE a = $1", "SELECT users"],
  ["insert into todos (a) values ($1) ON CONFLICT DO UPDATE SET a = $1", "INSERT todos"],
  ["UPDATE sessions SET a = $1", "UPDATE sessions"],
  ["DELETE FROM items WHERE id = $1", "DELETE items"],
  ["SELECT 1", "SELECT"],
  ["(SELECT a FROM b)", "STATEMENT b"],
])("%j is called %s", (sql, name) => {
  const statements = new Statements("sqlite");
  const step = statements.step(sql);
  expect(step.name).toBe(name);
  expect(step.attributes).toContainEqual({
    key: "db.query.text",
    value: { stringValue: sql.replaceAll(/\s+/g, " ") },
  });
  expect(statements.step(sql)).toBe(step);
});
