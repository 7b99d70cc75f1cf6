import { expect, test } from "bun:test";
import { forEachEngine, shared } from "../../support/program.ts";

const failed = (code: string, message: string) => ({
  success: false,
  message,
  error: { code, message },
});

forEachEngine("root dialect", (start) => {
  const program = shared(start);

  test("an unknown path below its prefixes answers in this dialect, and elsewhere in the plain one", async () => {
    const client = program().client();
    for (const path of ["/users", "/users/", "/users/nothing", "/auth/nothing", "/admin", "/admin/x/y"]) {
      const answer = await client.get(path);
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual(failed("NOT_FOUND", "Not found"));
    }
    expect((await client.get("/usersx")).body).toEqual({ detail: "Not Found" });
  });

  test("a wrong method answers 405 with Allow, without a token", async () => {
    const answer = await program().client().post("/auth/login/extra");
    expect(answer.status).toBe(404);
    const wrong = await program().client().get("/auth/login");
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("POST");
    expect(wrong.body).toEqual(failed("METHOD_NOT_ALLOWED", "Method not allowed"));
  });

  test("without a token 401, and with a bad one too, each with its challenge", async () => {
    const client = program().client();
    for (const path of ["/users/me", "/admin/me"]) {
      const none = await client.get(path);
      expect(none.status).toBe(401);
      expect(none.body).toEqual(failed("UNAUTHORIZED", "Missing or invalid Authorization header"));
      expect(none.headers.get("www-authenticate")).toBe("Bearer");
      for (const token of ["nonsense", "two words", "lk_u_a, Bearer lk_u_b", "\u00e9", "lk_a_\u00e9"]) {
        const bad = await client.get(path, { token });
        expect(bad.status).toBe(401);
        expect(bad.body).toEqual(failed("UNAUTHORIZED", "Invalid or expired token"));
        expect(bad.headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
      }
    }
  });

  test("a form with wrong fields answers 422 and names them; another content type 415", async () => {
    const client = program().client();
    const invalid = await client.post("/auth/login", undefined, { form: { username: "someone" } });
    expect(invalid.status).toBe(422);
    expect(invalid.body).toEqual({
      success: false,
      message: "Validation error",
      error: {
        code: "VALIDATION_ERROR",
        message: "Validation error",
        details: [{ field: "password", message: "Field required" }],
      },
    });
    const json = await client.post("/auth/login", { username: "someone", password: "password123" });
    expect(json.status).toBe(415);
    expect(json.body).toMatchObject({ error: { code: "UNSUPPORTED_MEDIA_TYPE" } });
  });
});
