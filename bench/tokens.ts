/**
 * What a token costs, natively and through `jose` (which `@elysiajs/jwt` wraps), alone and while passwords are
 * being hashed. The figures of docs/decisions/0002-native-jwt.md come from `bun bench/tokens.ts`.
 */
import { generateKeyPairSync } from "node:crypto";
import { importPKCS8, importSPKI, jwtVerify, SignJWT, type JWTVerifyOptions } from "jose";
import { systemClock } from "../src/core/clock.ts";
import { hmacKey, Keyring, privateKey } from "../src/core/keyring.ts";
import { Tokens, type AccessGrant } from "../src/core/tokens.ts";

const HASHES_AT_ONCE = 8;
const SECRET = "a secret for measuring, of no use anywhere else";

const rsa = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const keyring = new Keyring([hmacKey(SECRET, "HS256"), privateKey(rsa.privateKey)]);
const tokens = new Tokens(keyring, systemClock);
const uncached = new Tokens(keyring, systemClock, { cachedTokens: 0 });

const grant = {
  realm: "user",
  accountId: 7,
  subject: "anna@example.org",
  role: "user",
  credentialsVersion: 3,
  sessionId: 11,
  lifetimeSeconds: 3_600,
} as const;
const hs: AccessGrant = { ...grant, algorithm: "HS256" };
const rs: AccessGrant = { ...grant, algorithm: "RS256" };
const hsToken = tokens.issue(hs);
const rsToken = tokens.issue(rs);

const secretBytes = new TextEncoder().encode(SECRET);
const josePublic = await importSPKI(rsa.publicKey, "RS256");
const josePrivate = await importPKCS8(rsa.privateKey, "RS256");
const strict = (algorithm: string): JWTVerifyOptions => ({
  algorithms: [algorithm],
  issuer: "latchkey",
  audience: "latchkey:user",
  requiredClaims: ["exp"],
});
const joseSign = (alg: string): SignJWT =>
  new SignJWT({ user_id: 7, role: "user", type: "access", ver: 3, sid: 11 })
    .setProtectedHeader({ alg, typ: "JWT", kid: "k" })
    .setSubject(grant.subject)
    .setIssuer("latchkey")
    .setAudience("latchkey:user")
    .setIssuedAt()
    .setExpirationTime("1h")
    .setJti(crypto.randomUUID());

/** Microseconds for one call: the best of five rounds, since the machine has other things to do. */
async function cost(calls: number, call: () => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const startedNs = Bun.nanoseconds();
    for (let i = 0; i < calls; i++) {
      const result = call();
      if (result instanceof Promise) await result;
    }
    rounds.push((Bun.nanoseconds() - startedNs) / calls / 1_000);
  }
  return Math.min(...rounds);
}

async function compare(
  what: string,
  calls: number,
  native: () => unknown,
  jose: () => Promise<unknown>,
): Promise<void> {
  const ours = await cost(calls, native);
  const theirs = await cost(Math.min(calls, 5_000), jose);
  const ratio = `${(theirs / ours).toFixed(1)} ×`;
  console.log(
    `${what.padEnd(30)} ${ours.toFixed(2).padStart(9)} ${theirs.toFixed(2).padStart(9)} ${ratio.padStart(9)}`,
  );
}

console.log(`${"µs a call".padEnd(30)} ${"native".padStart(9)} ${"jose".padStart(9)} ${"ratio".padStart(9)}`);
await compare(
  "HS256 sign",
  20_000,
  () => tokens.issue(hs),
  () => joseSign("HS256").sign(secretBytes),
);
await compare(
  "HS256 verify",
  20_000,
  () => uncached.verify(hsToken, "user"),
  () => jwtVerify(hsToken, secretBytes, strict("HS256")),
);
await compare(
  "RS256 sign",
  200,
  () => tokens.issue(rs),
  () => joseSign("RS256").sign(josePrivate),
);
await compare(
  "RS256 verify",
  5_000,
  () => uncached.verify(rsToken, "user"),
  () => jwtVerify(rsToken, josePublic, strict("RS256")),
);
await compare(
  "verify again, from the cache",
  200_000,
  () => tokens.verify(hsToken, "user"),
  () => jwtVerify(hsToken, secretBytes, strict("HS256")),
);

/** Milliseconds until a verification is done that begins while eight passwords are being hashed. */
async function behindHashing(verify: () => unknown): Promise<number> {
  const hashes = Array.from({ length: HASHES_AT_ONCE }, () =>
    Bun.password.hash("a password", { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 }),
  );
  await Bun.sleep(5);
  const startedNs = Bun.nanoseconds();
  await verify();
  const waitedMs = (Bun.nanoseconds() - startedNs) / 1e6;
  await Promise.all(hashes);
  return waitedMs;
}

async function worst(verify: () => unknown): Promise<string> {
  let slowestMs = 0;
  for (let round = 0; round < 10; round++) slowestMs = Math.max(slowestMs, await behindHashing(verify));
  return slowestMs.toFixed(3);
}
console.log(`\nworst wait of 10 for one HS256 verify while ${HASHES_AT_ONCE} passwords are hashed, in ms`);
console.log(`native ${await worst(() => uncached.verify(hsToken, "user"))}`);
console.log(`jose   ${await worst(() => jwtVerify(hsToken, secretBytes, strict("HS256")))}`);
