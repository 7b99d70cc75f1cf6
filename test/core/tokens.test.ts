import { describe, expect, test } from "bun:test";
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createLocalJWKSet, jwtVerify } from "jose";
import type { Realm } from "../../src/core/accounts.ts";
import { Fault } from "../../src/core/fault.ts";
import {
  hmacKey,
  KeyError,
  Keyring,
  privateKey,
  publicKey,
  type Algorithm,
  type Key,
} from "../../src/core/keyring.ts";
import {
  bearerToken,
  TokenRefused,
  Tokens,
  type AccessGrant,
  type TokensOptions,
} from "../../src/core/tokens.ts";

const NOW_S = 1_800_000_000;
const SECRET = "a secret of the tests, long enough for every HMAC there is: 0123456789";

interface Pair {
  readonly privatePem: string;
  readonly publicPem: string;
}
const pems = ({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): Pair => ({
  privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
});
const RSA = pems(generateKeyPairSync("rsa", { modulusLength: 2048 }));
const EC = pems(generateKeyPairSync("ec", { namedCurve: "P-256" }));
const ED = pems(generateKeyPairSync("ed25519"));

const hs256 = hmacKey(SECRET, "HS256");
const rs256 = privateKey(RSA.privatePem);
const everyKey = [
  hs256,
  hmacKey(SECRET, "HS384"),
  hmacKey(SECRET, "HS512"),
  rs256,
  privateKey(EC.privatePem),
  privateKey(ED.privatePem),
];
const ALGORITHMS: readonly Algorithm[] = ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"];

class MovedClock {
  seconds = NOW_S;
  nowMs(): number {
    return this.seconds * 1_000;
  }
}

const GRANT: AccessGrant = {
  realm: "user",
  accountId: 7,
  subject: "zoë@example.org",
  role: "user",
  credentialsVersion: 3,
  sessionId: 11,
  algorithm: "HS256",
  lifetimeSeconds: 1_800,
};

function setUp(keys = everyKey, cached?: number): { clock: MovedClock; tokens: Tokens } {
  const clock = new MovedClock();
  return {
    clock,
    tokens: new Tokens(new Keyring(keys), clock, cached === undefined ? {} : { cachedTokens: cached }),
  };
}

/** The reason of the refusal; fails where the token is taken, or where it is refused in any other way. */
function refusal(tokens: Tokens, token: string, realm: Realm = "user"): string {
  try {
    tokens.verify(token, realm);
  } catch (error) {
    if (!(error instanceof Fault) || !(error.cause instanceof TokenRefused)) throw error;
    expect(error.what).toEqual({ kind: "invalid_token" });
    return error.cause.reason;
  }
  return "accepted";
}

const base64url = (value: string | Uint8Array): string => Buffer.from(value).toString("base64url");
const hmac = (secret: string, signed: string, digest = "sha256"): string =>
  createHmac(digest, secret).update(signed).digest("base64url");

/** Signed with the server's own secret, so that nothing but the part under test can be at fault. */
function forge(header: string | Uint8Array, payload: string | Uint8Array): string {
  const signed = `${base64url(header)}.${base64url(payload)}`;
  return `${signed}.${hmac(SECRET, signed)}`;
}
const HEADER = { alg: "HS256", typ: "JWT", kid: hs256.kid };
const CLAIMS = {
  sub: "anna",
  user_id: 7,
  role: "user",
  type: "access",
  iss: "latchkey",
  aud: "latchkey:user",
  iat: NOW_S - 10,
  exp: NOW_S + 10,
  jti: "x",
  ver: 0,
};
const withHeader = (changes: object): string =>
  forge(JSON.stringify({ ...HEADER, ...changes }), JSON.stringify(CLAIMS));
const withClaims = (changes: object): string =>
  forge(JSON.stringify(HEADER), JSON.stringify({ ...CLAIMS, ...changes }));

describe("issue and verify", () => {
  test.each([...ALGORITHMS])("a %s token comes back with what was put in", (algorithm) => {
    const { tokens } = setUp();
    const token = tokens.issue({ ...GRANT, algorithm });
    for (const sight of ["first", "cached"]) {
      expect(tokens.verify(token, "user"), sight).toEqual({
        sub: "zoë@example.org",
        user_id: 7,
        role: "user",
        type: "access",
        iss: "latchkey",
        aud: "latchkey:user",
        iat: NOW_S,
        exp: NOW_S + 1_800,
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ver: 3,
        sid: 11,
      });
    }
  });

  test("a token without a session has no sid, and no two tokens are alike", () => {
    const { tokens } = setUp();
    const { sessionId: _, ...grant } = GRANT;
    const token = tokens.issue(grant);
    expect(tokens.verify(token, "user")).not.toHaveProperty("sid");
    expect(tokens.issue(grant)).not.toBe(token);
  });

  test.each([...ALGORITHMS])(
    "jose verifies a %s token, by the published key where there is one",
    async (alg) => {
      const { tokens } = setUp();
      const token = tokens.issue({ ...GRANT, algorithm: alg });
      const options = {
        algorithms: [alg],
        issuer: "latchkey",
        audience: "latchkey:user",
        requiredClaims: ["exp", "jti"],
        currentDate: new Date(NOW_S * 1_000),
      };
      const { payload } = alg.startsWith("HS")
        ? await jwtVerify(token, Buffer.from(SECRET), options)
        : await jwtVerify(
            token,
            createLocalJWKSet({ keys: [...new Keyring(everyKey).publicKeys().keys] }),
            options,
          );
      expect(payload["user_id"]).toBe(7);
    },
  );

  test("a retired key verifies what it signed and signs nothing new", () => {
    const token = setUp().tokens.issue({ ...GRANT, algorithm: "RS256" });
    const { tokens } = setUp([hs256, publicKey(RSA.publicPem)]);
    expect(tokens.verify(token, "user").user_id).toBe(7);
    expect(() => tokens.issue({ ...GRANT, algorithm: "RS256" })).toThrow(KeyError);
  });
});

describe("S9 header and key", () => {
  const untouched = withHeader({});
  test("the forged token is good as long as nothing is wrong with it", () => {
    expect(refusal(setUp().tokens, untouched)).toBe("accepted");
    expect(refusal(setUp().tokens, withHeader({ typ: undefined }))).toBe("accepted");
  });

  const [, payload] = untouched.split(".");
  const unsigned = (alg: string): string => `${base64url(JSON.stringify({ ...HEADER, alg }))}.${payload}`;
  const signedBy = (secret: string, header: object, digest = "sha256"): string => {
    const signed = `${base64url(JSON.stringify(header))}.${payload}`;
    return `${signed}.${hmac(secret, signed, digest)}`;
  };
  const rows: readonly (readonly [string, string, string])[] = [
    ...["none", "None", "NONE", "nOnE", ""].flatMap((alg): [string, string, string][] => [
      [`S9 alg ${alg} and no signature`, `${unsigned(alg)}.`, "wrong_algorithm"],
      [`S9 alg ${alg} and a signature`, withHeader({ alg }), "wrong_algorithm"],
    ]),
    ["S9 two segments, alg none", unsigned("none"), "malformed"],
    ["S9 alg none without kid", withHeader({ alg: "none", kid: undefined }), "unknown_key"],
    [
      "S9 HS256 under the RSA public key, by its kid",
      signedBy(RSA.publicPem, { ...HEADER, kid: rs256.kid }),
      "wrong_algorithm",
    ],
    ["S9 HS256 under the RSA public key, by the HMAC kid", signedBy(RSA.publicPem, HEADER), "bad_signature"],
    [
      "S9 RS256 named, HS256 signed",
      signedBy(RSA.publicPem, { ...HEADER, alg: "RS256", kid: rs256.kid }),
      "bad_signature",
    ],
    [
      "S9 HS384 under the HS256 key",
      signedBy(SECRET, { ...HEADER, alg: "HS384" }, "sha384"),
      "wrong_algorithm",
    ],
    [
      "S9 HS512 under the HS256 key",
      signedBy(SECRET, { ...HEADER, alg: "HS512" }, "sha512"),
      "wrong_algorithm",
    ],
    ["S9 HS512 signature, HS256 named", signedBy(SECRET, HEADER, "sha512"), "bad_signature"],
    ["S9 alg in lower case", withHeader({ alg: "hs256" }), "wrong_algorithm"],
    ["S9 alg missing", withHeader({ alg: undefined }), "wrong_algorithm"],
    ["S9 alg a list", withHeader({ alg: ["HS256"] }), "wrong_algorithm"],
    ["S9 another secret", signedBy("another secret", HEADER), "bad_signature"],
    ["S9 an empty secret", signedBy("", HEADER), "bad_signature"],
    ["S9 kid a path", withHeader({ kid: "../../../../dev/null" }), "unknown_key"],
    ["S9 kid SQL", withHeader({ kid: "' UNION SELECT 'x" }), "unknown_key"],
    ["S9 kid empty", withHeader({ kid: "" }), "unknown_key"],
    ["S9 kid missing", withHeader({ kid: undefined }), "unknown_key"],
    ["S9 kid a number", withHeader({ kid: 1 }), "unknown_key"],
    ["S9 kid a name of Object", withHeader({ kid: "__proto__" }), "unknown_key"],
    ["S9 kid of 10 kB", withHeader({ kid: "k".repeat(10_240) }), "too_long"],
    ["S9 jwk", withHeader({ jwk: { kty: "oct", k: "AA" } }), "header_refused"],
    ["S9 jku", withHeader({ jku: "http://127.0.0.1:1/keys" }), "header_refused"],
    ["S9 x5u", withHeader({ x5u: "http://127.0.0.1:1/cert" }), "header_refused"],
    ["S9 x5c", withHeader({ x5c: ["AA"] }), "header_refused"],
    ["S9 unknown crit", withHeader({ crit: ["x"], x: 1 }), "header_refused"],
    ["S9 empty crit", withHeader({ crit: [] }), "header_refused"],
    ["S9 b64", withHeader({ b64: false }), "header_refused"],
    ["S9 zip", withHeader({ zip: "DEF" }), "header_refused"],
    ["S9 another typ", withHeader({ typ: "refresh" }), "header_refused"],
    [
      "S9 alg twice",
      forge(`{"alg":"none","alg":"HS256","kid":"${hs256.kid}"}`, JSON.stringify(CLAIMS)),
      "malformed",
    ],
    ...["[]", "null", "1", '"HS256"', "{", "", " {}", "\ufeff{}"].map((header): [string, string, string] => [
      `S9 header ${JSON.stringify(header)}`,
      forge(header, JSON.stringify(CLAIMS)),
      "malformed",
    ]),
  ];
  test.each([...rows])("%s", (_, token, reason) => {
    expect(refusal(setUp().tokens, token)).toBe(reason);
  });

  test.each([...ALGORITHMS])("S9 a %s signature verifies under no other key", (algorithm) => {
    const { tokens } = setUp();
    const [, claims, signature] = tokens.issue({ ...GRANT, algorithm }).split(".");
    for (const { algorithm: alg, kid } of everyKey) {
      if (alg === algorithm) continue;
      const header = base64url(JSON.stringify({ alg, typ: "JWT", kid }));
      expect(refusal(tokens, `${header}.${claims}.${signature}`), alg).toBe("bad_signature");
    }
  });
});

describe("S10 form and claims", () => {
  const good = withClaims({});
  const [header = "", payload = "", signature = ""] = good.split(".");
  /** The same bytes to a lenient reader: only bits that stand for nothing are changed. */
  const otherSpelling = (segment: string): string => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const other = segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.slice(-1)) + 1];
    expect(Buffer.from(other, "base64url")).toEqual(Buffer.from(segment, "base64url"));
    return other;
  };
  const withDashes =
    ["a", "b", "c", "d", "e"].map((jti) => withClaims({ jti })).find((token) => /[-_]/.test(token)) ?? "";

  const notUtf8 = Buffer.from(JSON.stringify({ ...CLAIMS, sub: "?" }));
  notUtf8[notUtf8.indexOf("?")] = 0xff;

  const rows: readonly (readonly [string, string, string])[] = [
    ["S10 a good one", good, "accepted"],
    ...[undefined, `${NOW_S + 10}`, null, NOW_S + 0.5, -1, 0, true, 1e300].map(
      (exp): [string, string, string] => [
        `S10 exp ${JSON.stringify(exp)}`,
        withClaims({ exp }),
        "bad_claims",
      ],
    ),
    ["S10 exp just reached", withClaims({ exp: NOW_S }), "expired"],
    ["S10 exp past", withClaims({ exp: NOW_S - 1 }), "expired"],
    ["S10 nbf reached", withClaims({ nbf: NOW_S }), "accepted"],
    ["S10 nbf ahead", withClaims({ nbf: NOW_S + 1 }), "not_yet_valid"],
    ["S10 nbf a string", withClaims({ nbf: "0" }), "bad_claims"],
    ["S10 nbf null", withClaims({ nbf: null }), "bad_claims"],
    ["S10 iat within the leeway", withClaims({ iat: NOW_S + 60 }), "accepted"],
    ["S10 iat ahead", withClaims({ iat: NOW_S + 61, exp: NOW_S + 100 }), "not_yet_valid"],
    ["S10 iat missing", withClaims({ iat: undefined }), "bad_claims"],
    ...[undefined, "", "other", ["latchkey"]].map((iss): [string, string, string] => [
      `S10 iss ${JSON.stringify(iss)}`,
      withClaims({ iss }),
      "bad_claims",
    ]),
    ...[undefined, "", ["latchkey:user"], 1].map((aud): [string, string, string] => [
      `S10 aud ${JSON.stringify(aud)}`,
      withClaims({ aud }),
      "bad_claims",
    ]),
    ...["latchkey:admin", "latchkey", "latchkey:user ", "LATCHKEY:USER"].map(
      (aud): [string, string, string] => [`S10 aud ${aud}`, withClaims({ aud }), "wrong_audience"],
    ),
    ...[undefined, "refresh", "Access", 1].map((type): [string, string, string] => [
      `S10 type ${JSON.stringify(type)}`,
      withClaims({ type }),
      "bad_claims",
    ]),
    ...[undefined, "7", 0, -7, 7.5, 9_007_199_254_740_992].map((user_id): [string, string, string] => [
      `S10 user_id ${JSON.stringify(user_id)}`,
      withClaims({ user_id }),
      "bad_claims",
    ]),
    ...["sub", "role", "jti", "ver"].map((claim): [string, string, string] => [
      `S10 no ${claim}`,
      withClaims({ [claim]: undefined }),
      "bad_claims",
    ]),
    ["S10 ver negative", withClaims({ ver: -1 }), "bad_claims"],
    ["S10 sid a string", withClaims({ sid: "1" }), "bad_claims"],
    ["S10 nothing", "", "malformed"],
    ["S10 one segment", header, "malformed"],
    ["S10 two segments", `${header}.${payload}`, "malformed"],
    ["S10 four segments", `${good}.${signature}`, "malformed"],
    ["S10 four segments, the last empty", `${good}.`, "malformed"],
    ["S10 five segments", `${good}.a.b`, "malformed"],
    ["S10 dots alone", "..", "malformed"],
    ["S10 padding", `${good}=`, "malformed"],
    ["S10 padding inside", `${header}=.${payload}.${signature}`, "malformed"],
    ["S10 white space after", `${good} `, "malformed"],
    ["S10 white space before", ` ${good}`, "malformed"],
    [
      "S10 a line break within",
      `${header}.${payload}.${signature.slice(0, 9)}\n${signature.slice(9)}`,
      "malformed",
    ],
    ["S10 another last character", `${header}.${payload}.${otherSpelling(signature)}`, "malformed"],
    ["S10 the standard alphabet", withDashes.replaceAll("-", "+").replaceAll("_", "/"), "malformed"],
    ["S10 100 kB", `${header}.${"A".repeat(100_000)}.${signature}`, "too_long"],
    ["S10 100 kB of dots", ".".repeat(100_000), "too_long"],
    ["S10 as long as may be", "A".repeat(4_096), "malformed"],
    ["S10 a character longer", "A".repeat(4_097), "too_long"],
    ["S10 payload not UTF-8", forge(JSON.stringify(HEADER), notUtf8), "malformed"],
    ["S10 payload a list", forge(JSON.stringify(HEADER), "[]"), "malformed"],
    [
      "S10 payload nested deeply",
      forge(JSON.stringify(HEADER), "[".repeat(1_400) + "]".repeat(1_400)),
      "malformed",
    ],
    [
      "S10 exp twice",
      forge(JSON.stringify(HEADER), `{"exp":1,${JSON.stringify(CLAIMS).slice(1)}`),
      "malformed",
    ],
  ];
  test.each([...rows])("%s", (_, token, reason) => {
    expect(refusal(setUp().tokens, token)).toBe(reason);
  });

  test("the token for the standard alphabet has a character that differs there", () => {
    expect(refusal(setUp().tokens, withDashes)).toBe("accepted");
  });

  test("S10 the payload's last character has one spelling", () => {
    // The length of the payload decides whether its last character has spare bits at all: try three in a row.
    const spare = ["a", "ab", "abc"].filter((sub) => withClaims({ sub }).split(".")[1]!.length % 4 !== 0);
    expect(spare).toHaveLength(2);
    for (const sub of spare) {
      const claims = withClaims({ sub }).split(".")[1] ?? "";
      const signed = `${header}.${otherSpelling(claims)}`;
      expect(refusal(setUp().tokens, `${signed}.${hmac(SECRET, signed)}`)).toBe("malformed");
    }
  });

  test.each([...ALGORITHMS])("S10 a %s signature of any other length is refused", (algorithm) => {
    const { tokens } = setUp();
    const [signed = "", ofClaims = "", bytes = ""] = tokens.issue({ ...GRANT, algorithm }).split(".");
    const signature = Buffer.from(bytes, "base64url");
    for (const other of [
      signature.subarray(1),
      Buffer.concat([signature, signature]),
      Buffer.alloc(1),
      Buffer.alloc(1_000),
    ]) {
      expect(refusal(tokens, `${signed}.${ofClaims}.${base64url(other)}`)).toBe("bad_signature");
    }
  });

  test.each([...ALGORITHMS])("S10 no flipped bit and no cut leaves a %s token good", (algorithm) => {
    const { tokens } = setUp();
    const token = tokens.issue({ ...GRANT, algorithm });
    tokens.verify(token, "user");
    for (let at = 0; at < token.length; at += algorithm.startsWith("HS") ? 1 : 7) {
      for (let bit = 1; bit < 128; bit <<= 1) {
        const flipped =
          token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ bit) + token.slice(at + 1);
        if (refusal(tokens, flipped) === "accepted") expect(flipped).toBe("refused");
      }
      if (refusal(tokens, token.slice(0, at)) === "accepted") expect(token.slice(0, at)).toBe("refused");
    }
  });
});

describe("the cache of verified tokens", () => {
  test("S10 a cached token ends with its exp, and is forgotten then", () => {
    let signatureIsGood = true;
    const { clock, tokens } = setUp([{ ...hs256, verify: () => signatureIsGood }]);
    const token = tokens.issue({ ...GRANT, lifetimeSeconds: 5 });
    tokens.verify(token, "user");
    clock.seconds += 4;
    expect(refusal(tokens, token)).toBe("accepted");
    clock.seconds += 1;
    expect(refusal(tokens, token)).toBe("expired");
    expect(refusal(tokens, token)).toBe("expired");
    clock.seconds -= 5;
    signatureIsGood = false;
    expect(refusal(tokens, token)).toBe("bad_signature");
  });

  test("S11 a cached user token is refused to the admin realm, and the other way round", () => {
    const { tokens } = setUp();
    for (const [realm, other] of [
      ["user", "admin"],
      ["admin", "user"],
    ] as const) {
      const token = tokens.issue({ ...GRANT, realm });
      expect(refusal(tokens, token, other)).toBe("wrong_audience");
      expect(refusal(tokens, token, realm)).toBe("accepted");
      expect(refusal(tokens, token, other)).toBe("wrong_audience");
    }
  });

  test("a second sight does not cost a second look at the signature, until the oldest makes room", () => {
    let looks = 0;
    const counted = {
      ...hs256,
      verify(signed: string, signature: Buffer) {
        looks++;
        return hs256.verify(signed, signature);
      },
    };
    const { tokens } = setUp([counted], 2);
    const [a, b, c] = [tokens.issue(GRANT), tokens.issue(GRANT), tokens.issue(GRANT)];
    const looksAt = (token: string): number => {
      looks = 0;
      tokens.verify(token, "user");
      return looks;
    };
    expect([a, a, b, a, b].map(looksAt)).toEqual([1, 0, 1, 0, 0]);
    // `a` was the last to be used but the first to come: a hit must not move it.
    expect([a, c, b, a].map(looksAt)).toEqual([0, 1, 0, 1]);
  });

  test("a cache of no size holds nothing", () => {
    const { clock, tokens } = setUp([{ ...hs256, verify: () => clock.seconds === NOW_S }], 0);
    const token = tokens.issue(GRANT);
    expect(refusal(tokens, token)).toBe("accepted");
    clock.seconds++;
    expect(refusal(tokens, token)).toBe("bad_signature");
  });

  test("what it hands out cannot be changed under the next reader", () => {
    const { tokens } = setUp();
    const token = tokens.issue(GRANT);
    expect(Object.isFrozen(tokens.verify(token, "user"))).toBe(true);
    expect(tokens.verify(token, "user")).toBe(tokens.verify(token, "user"));
  });
});

describe("bearerToken", () => {
  test.each([
    ["Bearer abc.d-e_f.g", "abc.d-e_f.g"],
    ["bearer abc", "abc"],
    ["BEARER abc", "abc"],
    ["bEaReR  lk_u_1", "lk_u_1"],
    ["Bearer abc=", "abc="],
    [null, null],
    ["", null],
    ["Bearer", null],
    ["Bearer ", null],
    ["Bearer  ", null],
    ["Bearerabc", null],
    ["Bearer\tabc", null],
    // No tokens, but sent for one.
    ["Bearer a b", "a b"],
    ["Bearer a, Bearer b", "a, Bearer b"],
    ['Bearer "a"', '"a"'],
    ["Bearer é", "é"],
    ["Basic YTpi", null],
    ["Token abc", null],
    [" Bearer abc", null],
  ])("S17 %p holds %p", (header, token) => {
    expect(bearerToken(header)).toBe(token);
  });
});

describe("keyring", () => {
  test("publishes public halves only, and never an HMAC key", () => {
    const { keys } = new Keyring(everyKey).publicKeys();
    expect(keys.map(({ alg }) => alg)).toEqual(["RS256", "ES256", "EdDSA"]);
    const names = new Set(keys.flatMap((key) => Object.keys(key)));
    expect([...names].sort()).toEqual(["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"]);
    expect(JSON.stringify(everyKey)).not.toContain(SECRET);
  });

  test("names an RSA key as RFC 7638 does in its example", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6" +
      "4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9" +
      "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const pem = createPublicKey({ key: { kty: "RSA", n, e: "AQAB" }, format: "jwk" })
      .export({ type: "spki", format: "pem" })
      .toString();
    expect(publicKey(pem).kid).toBe("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  });

  test("a private key and its public half are one key, which signs whichever comes first", () => {
    for (const keys of [
      [rs256, publicKey(RSA.publicPem)],
      [publicKey(RSA.publicPem), rs256],
    ]) {
      const keyring = new Keyring(keys);
      expect(keyring.publicKeys().keys).toHaveLength(1);
      expect(keyring.signer("RS256").kid).toBe(rs256.kid);
    }
  });

  const der = (type: "pkcs1" | "sec1", pair: { privateKey: KeyObject }): string =>
    pair.privateKey.export({ type, format: "pem" }).toString();
  test("reads PKCS#1 and SEC1 as well", () => {
    expect(privateKey(der("pkcs1", generateKeyPairSync("rsa", { modulusLength: 2048 }))).algorithm).toBe(
      "RS256",
    );
    expect(privateKey(der("sec1", generateKeyPairSync("ec", { namedCurve: "P-256" }))).algorithm).toBe(
      "ES256",
    );
  });

  const weak = pems(generateKeyPairSync("rsa", { modulusLength: 1024 }));
  const p384 = pems(generateKeyPairSync("ec", { namedCurve: "P-384" }));
  const x25519 = pems(generateKeyPairSync("x25519"));
  /** No key of anybody's: to make one of this size would take minutes. */
  const endless = createPublicKey({
    key: { kty: "RSA", n: base64url(Buffer.alloc(8_200 / 8, 0xff)), e: "AQAB" },
    format: "jwk",
  }).export({ type: "spki", format: "pem" });
  test.each([
    ["a weak RSA key", () => privateKey(weak.privatePem), "2048 to 8192 bits, this one has 1024"],
    ["a weak public RSA key", () => publicKey(weak.publicPem), "2048 to 8192 bits"],
    ["an RSA key that takes its time", () => publicKey(String(endless)), "this one has 8200"],
    ["another curve", () => privateKey(p384.privatePem), "must be on P-256"],
    ["a key that cannot sign", () => privateKey(x25519.privatePem), "not supported"],
    ["no PEM", () => privateKey("hunter2"), "no BEGIN line"],
    ["a damaged PEM", () => privateKey(RSA.privatePem.replace("MII", "AAA")), "cannot be read"],
    ["a cut PEM", () => publicKey(RSA.publicPem.slice(0, 200)), "cannot be read"],
    ["two keys in one file", () => publicKey(RSA.publicPem + EC.publicPem), "one key only"],
    ["a private key as a public one", () => publicKey(RSA.privatePem), "this is PRIVATE KEY"],
    ["a public key as a private one", () => privateKey(RSA.publicPem), "this is PUBLIC KEY"],
    ["an encrypted key", () => privateKey("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "without a passphrase"],
    [
      "a key encrypted as OpenSSL used to",
      () => privateKey("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"),
      "without a passphrase",
    ],
    ["an empty secret", () => hmacKey("", "HS256"), "must not be empty"],
  ])("says what is wrong with %s, without showing it", (_, read, message) => {
    expect(read).toThrow(KeyError);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/hunter2|MII/);
  });
});

describe("the issuer", () => {
  const tokensOf = (options: TokensOptions) => new Tokens(new Keyring(everyKey), new MovedClock(), options);
  const HERE = "https://api.example.com";

  test("S10 is the server's address where it has one, or one it had before, and no other", () => {
    const token = tokensOf({ issuer: HERE }).issue(GRANT);
    expect(tokensOf({ issuer: HERE }).verify(token, "user").iss).toBe(HERE);
    const moved = { issuer: "https://new.example.com", earlierIssuers: [HERE] };
    expect(refusal(tokensOf(moved), token)).toBe("accepted");
    expect(refusal(tokensOf({ issuer: "https://new.example.com" }), token)).toBe("bad_claims");
    expect(refusal(tokensOf({}), token)).toBe("bad_claims");
  });

  test("a token from before the server had an address is good afterwards", () => {
    expect(refusal(tokensOf({ issuer: HERE }), tokensOf({}).issue(GRANT))).toBe("accepted");
  });
});

describe("keys that change while the program runs", () => {
  test("a key that is not known is looked for, and what a lost key has verified is verified no more", () => {
    const clock = new MovedClock();
    let found: readonly Key[] | null = null;
    const keyring = new Keyring([hs256], () => found);
    const tokens = new Tokens(keyring, clock);
    const token = setUp().tokens.issue({ ...GRANT, algorithm: "RS256" });
    expect(refusal(tokens, token)).toBe("unknown_key");
    found = [hs256, rs256];
    expect(refusal(tokens, token)).toBe("accepted");
    found = null;
    expect(refusal(tokens, token)).toBe("accepted");
    keyring.replace([hs256]);
    expect(refusal(tokens, token)).toBe("unknown_key");
  });

  test("a key that is found to be gone while another is looked for is gone for what it has verified too", () => {
    let found: readonly Key[] | null = null;
    const tokens = new Tokens(new Keyring([rs256], () => found), new MovedClock());
    const token = setUp().tokens.issue({ ...GRANT, algorithm: "RS256" });
    expect(refusal(tokens, token)).toBe("accepted");
    found = [hs256];
    expect(refusal(tokens, setUp().tokens.issue({ ...GRANT, algorithm: "HS256" }))).toBe("accepted");
    found = null;
    expect(refusal(tokens, token)).toBe("unknown_key");
  });
});
