import { expect, test } from "bun:test";
import { join } from "node:path";
import { forEachEngine, shared } from "../support/program.ts";

const DOCS = join(import.meta.dir, "../../docs");

forEachEngine("the guides", (start) => {
  const program = shared(start);
  const read = async (name: string) => program().client().get(`/guides/${name}`);

  test("are pages under a policy without scripts", async () => {
    const { status, headers, body } = await read("quick-start");
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(body).toInclude("<title>Quick start · Latchkey</title>");
    expect(body).toInclude("curl -s http://localhost:8000/v1/auth/register");
    expect(body).not.toInclude("{{");
  });

  test("are all there but what is for those who work on it, and lead to each other", async () => {
    const files = ["*.md", "coming-from/*.md"]
      .flatMap((glob) => [...new Bun.Glob(glob).scanSync(DOCS)])
      .filter((file) => file !== "security-checks.md");
    const names = files.map((file) => file.replace(/(\/README)?\.md$/, "").replaceAll("/", "-"));
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) {
      const { status, body } = await read(name);
      expect([name, status]).toEqual([name, 200]);
      const targets = [...String(body).matchAll(/(?:href|src)="([^"#]+)/g)].map(([, target = ""]) => target);
      for (const target of targets.filter((target) => !/^https?:/.test(target)))
        expect([name, target, (await program().client().get(target)).status]).toEqual([name, target, 200]);
    }
  });

  test("show who sends what to whom, not how a picture of it is written", async () => {
    const { body } = await read("authentication");
    expect(body).not.toInclude("sequenceDiagram");
    expect(body).toInclude('<p class="sides"><span>Browser</span><span>Latchkey</span></p>');
    expect(body).toInclude(
      '<li class="there"><span class="who">Browser to Latchkey: </span>POST /api/v1/users/login {email, password}</li>',
    );
    expect(body).toInclude(
      '<li class="back"><span class="who">Latchkey to Browser: </span>{access_token}, Set',
    );
    expect(body).toInclude('<li class="note">30 minutes later</li>');
  });

  test("no other is found, and none where DEBUG is false", async () => {
    for (const name of ["nothing", "constructor", "..%2fquick-start", "security-checks"])
      expect(await read(name)).toMatchObject({ status: 404, body: { detail: expect.any(String) } });
    const closed = await start({ DEBUG: "false" });
    expect((await closed.client().get("/guides/quick-start")).status).toBe(404);
  });
});
