import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { KeyFolder } from "../../../src/key-files.ts";
import { textField } from "../../support/client.ts";
import { sharedKeys } from "../../support/keys.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import { PASSWORD, signUp } from "../api-v1/people.ts";

const ME = "/api/v1/users/me";
const JWKS = "/.well-known/jwks.json";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** Keys that a test may rotate, beginning with the pair that all have in common. */
function ownKeys(): string {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-keys-"));
  folders.push(folder);
  cpSync(sharedKeys(), folder, { recursive: true });
  return folder;
}

const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? "";
const encode = (value: object | string) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

forEachEngine("keys", (start) => {
  const program = shared(start, { JWT_ALGORITHM: "RS256" });
  const statusOf = async (of: TestProgram, token: string) => (await of.client().get(ME, { token })).status;

  test("a rotation ends no session: not here, not on another instance, not after a restart", async () => {
    const settings = { JWT_ALGORITHM: "RS256", KEYS_DIR: ownKeys() };
    const running = await start(settings);
    const { client, email, token } = await signUp(running);
    new KeyFolder(settings.KEYS_DIR).rotate(null);

    const restarted = await start(settings);
    expect(await statusOf(restarted, token)).toBe(200);
    const login = await restarted.client().post("/api/v1/users/login", { email, password: PASSWORD });
    const newToken = textField(login, "access_token");
    expect(kidOf(newToken)).not.toBe(kidOf(token));

    // The instance that has been running all along has not looked at the folder yet: the token makes it look.
    expect(await statusOf(running, newToken)).toBe(200);
    expect(await statusOf(running, token)).toBe(200);
    const refreshed = await client.post("/api/v1/users/refresh");
    expect(kidOf(textField(refreshed, "access_token"))).toBe(kidOf(newToken));
  });

  test("keys rotate while requests run, and none of them fails", async () => {
    const settings = { JWT_ALGORITHM: "RS256", KEYS_DIR: ownKeys() };
    const running = await start(settings);
    const { client, token } = await signUp(running);
    const tokens = [token];
    for (const algorithm of [null, null, null]) {
      const asked = Array.from({ length: 20 }, () =>
        Promise.all(tokens.map((each) => statusOf(running, each))),
      );
      new KeyFolder(settings.KEYS_DIR).rotate(algorithm);
      running.keys.refresh();
      tokens.push(textField(await client.post("/api/v1/users/refresh"), "access_token"));
      expect(new Set((await Promise.all(asked)).flat())).toEqual(new Set([200]));
    }
    expect(new Set(tokens.map(kidOf)).size).toBe(4);
  });

  test("the tokens of a retired key are void at the next look", async () => {
    const settings = { JWT_ALGORITHM: "RS256", KEYS_DIR: ownKeys() };
    const running = await start(settings);
    const { token } = await signUp(running);
    const folder = new KeyFolder(settings.KEYS_DIR);
    folder.rotate(null);
    folder.retire(kidOf(token));
    expect(await statusOf(running, token)).toBe(200);
    running.keys.refresh();
    expect(await statusOf(running, token)).toBe(401);
  });

  test("a folder that cannot be used leaves the keys in force, and is told once", async () => {
    const settings = { JWT_ALGORITHM: "RS256", KEYS_DIR: ownKeys() };
    const running = await start(settings);
    const { token } = await signUp(running);
    new KeyFolder(settings.KEYS_DIR).rotate("EdDSA");
    running.keys.refresh();
    rmSync(join(settings.KEYS_DIR, "private_key.pem"));
    running.keys.refresh();
    running.keys.refresh();
    expect(await statusOf(running, token)).toBe(200);
    const complaints = running.log.filter((line) => line.includes("keys.refused"));
    expect(complaints).toHaveLength(2);
    expect(complaints[0]).toContain("signs with EdDSA");
    expect(complaints[1]).toContain("there is no private_key.pem");
  });

  test("S9 with the published RSA key: not as an HMAC secret, not by another kid, not unsigned", async () => {
    const { token } = await signUp(program());
    const [header = "", payload = "", signature = ""] = token.split(".");
    const { kid, alg } = decodeProtectedHeader(token);
    expect(alg).toBe("RS256");
    expect(await statusOf(program(), token)).toBe(200);

    const folder = new KeyFolder(sharedKeys());
    const pem = await Bun.file(join(folder.path, "public_key.pem")).text();
    const hmacKid = kidOf(textField(await hs256Login(), "access_token"));
    const macced = (head: object, key: string) => {
      const signed = `${encode(head)}.${payload}`;
      return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
    };
    const forged = [
      macced({ alg: "HS256", typ: "JWT", kid }, pem),
      macced({ alg: "HS256", typ: "JWT", kid }, pem.trim()),
      macced({ alg: "RS256", typ: "JWT", kid }, pem),
      macced({ alg: "HS256", typ: "JWT", kid: hmacKid }, pem),
      macced({ alg: "HS256", typ: "JWT" }, pem),
      `${encode({ alg: "RS256", typ: "JWT", kid: hmacKid })}.${payload}.${signature}`,
      `${encode({ alg: "RS512", typ: "JWT", kid })}.${payload}.${signature}`,
      `${encode({ alg: "PS256", typ: "JWT", kid })}.${payload}.${signature}`,
      `${encode({ alg: "none", typ: "JWT", kid })}.${payload}.`,
      `${encode({ alg: "nOnE", typ: "JWT", kid })}.${payload}.${signature}`,
      ...["../../etc/passwd", "private_key.pem", "", "' OR 1=1 --", "x".repeat(10_000), null].map(
        (hostile) => `${encode({ alg: "RS256", typ: "JWT", kid: hostile })}.${payload}.${signature}`,
      ),
      ...["jwk", "jku", "x5u", "x5c", "crit"].map(
        (name) =>
          `${encode({ alg: "RS256", typ: "JWT", kid, [name]: "https://evil.example/" })}.${payload}.${signature}`,
      ),
      `${header}.${encode(Buffer.from(payload, "base64url").toString().replace('"user"', '"admin"'))}.${signature}`,
    ];
    for (const each of forged) expect(await statusOf(program(), each), each.slice(0, 200)).toBe(401);
  });

  async function hs256Login() {
    const { client, email } = await signUp(await start());
    return client.post("/api/v1/users/login", { email, password: PASSWORD });
  }
});

forEachEngine("what others verify tokens with", (start, engine) => {
  if (engine !== "sqlite") return;

  describe.each(["RS256", "ES256", "EdDSA"] as const)("%s", (algorithm) => {
    let program: TestProgram;
    let folder = "";
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "latchkey-keys-"));
      program = await start({
        JWT_ALGORITHM: algorithm,
        KEYS_DIR: algorithm === "RS256" ? sharedKeys() : folder,
      });
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    test("jose verifies a token by the published keys", async () => {
      const { token, id } = await signUp(program);
      const { url } = program.app.listen({ host: "127.0.0.1", port: 0 });
      try {
        const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(JWKS, url)), {
          algorithms: [algorithm],
          issuer: "latchkey",
          audience: "latchkey:user",
          currentDate: new Date(program.clock.nowMs()),
        });
        expect(payload["user_id"]).toBe(id);
      } finally {
        await program.app.stop(100);
      }
    });
  });

  test("the key set holds the public halves alone, also of the next key, and can be cached", async () => {
    const keys = ownKeys();
    new KeyFolder(keys).announce("ES256");
    const client = (await start({ KEYS_DIR: keys })).client();
    const { status, headers, body } = await client.get(JWKS);
    expect(status).toBe(200);
    const common = { kid: expect.any(String), use: "sig" };
    expect(body).toStrictEqual({
      keys: [
        { ...common, kty: "RSA", alg: "RS256", e: "AQAB", n: expect.stringMatching(/^[\w-]{342}$/) },
        { ...common, kty: "EC", alg: "ES256", crv: "P-256", x: expect.any(String), y: expect.any(String) },
      ],
    });
    expect(headers.get("cache-control")).toBe("public, max-age=300");
    const tag = headers.get("etag") ?? "";
    for (const known of [tag, `W/${tag}`, `"other", ${tag}`, "*"]) {
      const again = await client.get(JWKS, { headers: { "if-none-match": known } });
      expect(again).toMatchObject({ status: 304, body: undefined });
      expect(again.headers.get("etag")).toBe(tag);
    }
    expect((await client.get(JWKS, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    expect((await client.send("HEAD", JWKS)).status).toBe(200);
  });

  const metadata = (address: string) => ({
    issuer: address,
    token_endpoint: `${address}/api/v1/auth/token`,
    revocation_endpoint: `${address}/api/v1/auth/revoke`,
    jwks_uri: `${address}/.well-known/jwks.json`,
    response_types_supported: [],
    grant_types_supported: ["password", "refresh_token"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
  });
  const METADATA = "/.well-known/oauth-authorization-server";

  test("the server's metadata goes by the request's own address, and is not cached then", async () => {
    const { body, headers } = await (await start()).client().get(METADATA);
    expect(body).toStrictEqual(metadata("http://localhost"));
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("with PUBLIC_URL it goes by that, whatever the request says, and tokens name the same issuer", async () => {
    const before = await start();
    const { email, token, client } = await signUp(before);
    const first = await start({ PUBLIC_URL: "https://api.example.com/base/" });
    const answer = await first.client().get(METADATA, { headers: { host: "evil.example" } });
    expect(answer.body).toStrictEqual(metadata("https://api.example.com/base"));
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");

    const login = await first.client().post("/api/v1/users/login", { email, password: PASSWORD });
    const named = textField(login, "access_token");
    const [, payload = ""] = named.split(".");
    expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
      iss: "https://api.example.com/base",
    });

    // No session ends because the address changes: not when one is set, nor when it becomes another.
    expect((await first.client().get(ME, { token })).status).toBe(200);
    const moved = await start({
      PUBLIC_URL: "https://new.example.com",
      PREVIOUS_PUBLIC_URLS: "https://api.example.com/base",
    });
    expect((await moved.client().get(ME, { token: named })).status).toBe(200);
    expect((await before.client().get(ME, { token: named })).status).toBe(401);
    expect((await client.post("/api/v1/users/refresh")).status).toBe(200);
  });
});
