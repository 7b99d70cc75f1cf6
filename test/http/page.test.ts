import { expect, test } from "bun:test";
import { forEachEngine, shared } from "../support/program.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

forEachEngine("the address itself", (start, engine) => {
  const program = shared(start, { APP_NAME: "Ada & <Co>" });
  const database = engine === "sqlite" ? "SQLite" : "PostgreSQL";

  test("tells a program what this server is, in JSON", async () => {
    for (const accept of ["application/json", "*/*", "application/json, text/html"]) {
      const answer = await program().client().get("/", { headers: { accept } });
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(answer.headers.get("vary")).toBe("Accept, Origin");
      expect(answer.body).toEqual({
        name: "Ada & <Co>",
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        database,
        registration: expect.any(String),
        links: {
          health: "/health",
          readiness: "/health/readiness",
          docs: "/docs",
          redoc: "/redoc",
          openapi: "/openapi.json",
          guides: "/guides/quick-start",
        },
      });
    }
  });

  test("shows a browser a page, with nothing in it that is not escaped, under a policy without exceptions", async () => {
    const answer = await program()
      .client()
      .get("/", { headers: { accept: BROWSER } });
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(answer.headers.get("vary")).toInclude("Accept,");
    expect(answer.body).toInclude("<h1>Ada &amp; &lt;Co&gt;</h1>");
    expect(answer.body).toInclude(`<dd>${database}</dd>`);
    expect(answer.body).not.toInclude("{{");
    for (const [, path = ""] of String(answer.body).matchAll(/(?:href|src)="(\/[^"]*)"/g)) {
      expect((await program().client().get(path)).status).toBe(200);
    }
  });

  test("where DEBUG is false neither offers the documentation, nor tries the API out", async () => {
    const client = (await start({ DEBUG: "false" })).client();
    const page = String((await client.get("/", { headers: { accept: BROWSER } })).body);
    expect(page).toInclude("This server");
    for (const word of ["/docs", "/redoc", "openapi", "/guides", "data-step"])
      expect(page).not.toInclude(word);
    expect((await client.get("/")).body).toMatchObject({
      links: { health: "/health", readiness: "/health/readiness" },
    });
  });
});
