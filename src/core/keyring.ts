import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createHash,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from "node:crypto";

export type HmacAlgorithm = "HS256" | "HS384" | "HS512";
export type AsymmetricAlgorithm = "RS256" | "ES256" | "EdDSA";
export type Algorithm = HmacAlgorithm | AsymmetricAlgorithm;

/** One key and the one algorithm it may be used with: a token names the key, and the key decides the rest. */
export interface Key {
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** Missing on a retired key, which verifies what it once signed and signs nothing new. */
  readonly sign?: (signed: string) => Buffer;
  readonly verify: (signed: string, signature: Buffer) => boolean;
  /** Missing on HMAC keys, which have no public half. */
  readonly publicJwk?: PublicJwk;
}

export type PublicJwk = Readonly<Record<string, string>> & { readonly kty: string; readonly kid: string };
export interface JsonWebKeySet {
  readonly keys: readonly PublicJwk[];
}

/** A key that cannot be used. The message is for the operator and never holds any part of the key. */
export class KeyError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "KeyError";
  }
}

const RSA_MIN_BITS = 2048;
const RSA_MAX_BITS = 8192;
const HMAC_DIGESTS = { HS256: "sha256", HS384: "sha384", HS512: "sha512" } as const;

export class Keyring {
  #keys: ReadonlyMap<string, Key>;
  #generation = 0;
  readonly #look: () => readonly Key[] | null;

  /**
   * A token may name a key that was made a moment ago by someone else: `look` answers all keys anew where there is
   * anything new to see. It is asked for every kid that is not known, and so must be cheap.
   */
  constructor(keys: readonly Key[], look: () => readonly Key[] | null = () => null) {
    this.#keys = byKid(keys);
    this.#look = look;
  }

  /** Counts the changes of the keys: whoever keeps what a key has verified drops it when this moves on. */
  get generation(): number {
    return this.#generation;
  }

  replace(keys: readonly Key[]): void {
    this.#keys = byKid(keys);
    this.#generation += 1;
  }

  /** The first key given that signs with `algorithm`. */
  signer(algorithm: Algorithm): Required<Pick<Key, "sign">> & Key {
    for (const key of this.#keys.values()) {
      if (key.algorithm === algorithm && key.sign !== undefined) return { ...key, sign: key.sign };
    }
    throw new KeyError(`no key signs with ${algorithm}`);
  }

  verifier(kid: string): Key | undefined {
    const known = this.#keys.get(kid);
    if (known !== undefined) return known;
    const renewed = this.#look();
    if (renewed === null) return undefined;
    this.replace(renewed);
    return this.#keys.get(kid);
  }

  publicKeys(): JsonWebKeySet {
    return { keys: [...this.#keys.values()].flatMap((key) => key.publicJwk ?? []) };
  }
}

/** Where two entries are the same key, as a private key and its own public half, the one that signs is kept. */
function byKid(keys: readonly Key[]): ReadonlyMap<string, Key> {
  const kept = new Map<string, Key>();
  for (const key of keys) {
    if (kept.get(key.kid)?.sign === undefined) kept.set(key.kid, key);
  }
  return kept;
}

/** The kid is a keyed hash of the algorithm, so that one secret makes a different key for each algorithm. */
export function hmacKey(secret: string, algorithm: HmacAlgorithm): Key {
  if (secret === "") throw new KeyError("an HMAC key must not be empty");
  const digest = HMAC_DIGESTS[algorithm];
  const kid = createHmac("sha256", secret).update(`latchkey kid ${algorithm}`).digest("hex").slice(0, 16);

  // Copying a hasher that has already taken in its key is cheaper than keying one each time.
  const keyed = new Bun.CryptoHasher(digest, secret);
  const mac = (signed: string): Buffer => keyed.copy().update(signed).digest();
  return {
    kid,
    algorithm,
    sign: mac,
    verify(signed, signature) {
      const expected = mac(signed);
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    },
  };
}

/** A key that signs and verifies, from an unencrypted PEM in PKCS#8, PKCS#1 or SEC1. */
export function privateKey(pem: string): Key {
  expectLabel(pem, ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]);
  const secretHalf = readPem("private", () => createPrivateKey(pem));
  const publicHalf = createPublicKey(pem);
  const scheme = schemeOf(publicHalf);
  return {
    ...verifying(publicHalf, scheme),
    sign: (signed) =>
      sign(scheme.digest, Buffer.from(signed), { key: secretHalf, dsaEncoding: "ieee-p1363" }),
  };
}

/** The public half of a private key, as a PEM for whoever verifies elsewhere. */
export function publicPem(privatePem: string): string {
  privateKey(privatePem);
  return createPublicKey(privatePem).export({ type: "spki", format: "pem" }).toString();
}

/** A retired key: it verifies only. */
export function publicKey(pem: string): Key {
  expectLabel(pem, ["PUBLIC KEY", "RSA PUBLIC KEY"]);
  const publicHalf = readPem("public", () => createPublicKey(pem));
  return verifying(publicHalf, schemeOf(publicHalf));
}

function verifying(publicHalf: KeyObject, scheme: Scheme): Key {
  const jwk = requiredMembers(publicHalf);
  // RFC 7638: the SHA-256 of the required members, in alphabetical order, without white space.
  const kid = createHash("sha256").update(JSON.stringify(jwk)).digest("base64url");
  return {
    kid,
    algorithm: scheme.algorithm,
    publicJwk: { ...jwk, kid, alg: scheme.algorithm, use: "sig" },
    verify: (signed, signature) =>
      verify(scheme.digest, Buffer.from(signed), { key: publicHalf, dsaEncoding: "ieee-p1363" }, signature),
  };
}

interface Scheme {
  readonly algorithm: AsymmetricAlgorithm;
  /** Null where the algorithm hashes by itself. */
  readonly digest: "sha256" | null;
}

function schemeOf(publicHalf: KeyObject): Scheme {
  const details = publicHalf.asymmetricKeyDetails;
  switch (publicHalf.asymmetricKeyType) {
    case "rsa": {
      const bits = details?.modulusLength ?? 0;
      if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS) {
        throw new KeyError(`an RSA key needs ${RSA_MIN_BITS} to ${RSA_MAX_BITS} bits, this one has ${bits}`);
      }
      return { algorithm: "RS256", digest: "sha256" };
    }
    case "ec":
      if (details?.namedCurve !== "prime256v1") {
        throw new KeyError(
          `an EC key must be on P-256, this one is on ${details?.namedCurve ?? "no named curve"}`,
        );
      }
      return { algorithm: "ES256", digest: "sha256" };
    case "ed25519":
      return { algorithm: "EdDSA", digest: null };
    default:
      throw new KeyError(
        `keys of type ${publicHalf.asymmetricKeyType ?? "unknown"} are not supported: RSA, EC P-256 or Ed25519`,
      );
  }
}

function requiredMembers(publicHalf: KeyObject): Readonly<Record<string, string>> & { kty: string } {
  const { crv, e, kty, n, x, y } = publicHalf.export({ format: "jwk" });
  if (kty === "RSA" && e !== undefined && n !== undefined) return { e, kty, n };
  if (kty === "EC" && crv !== undefined && x !== undefined && y !== undefined) return { crv, kty, x, y };
  if (kty === "OKP" && crv !== undefined && x !== undefined) return { crv, kty, x };
  throw new KeyError("the key has no public form as a JWK");
}

/** A private key would pass for a public one where only its label tells them apart. */
function expectLabel(pem: string, labels: readonly string[]): void {
  const found = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map((match) => match[1] ?? "");
  const [label] = found;
  if (label === undefined) throw new KeyError("this is not a PEM file: there is no BEGIN line");
  if (found.length > 1) throw new KeyError("a PEM file must hold one key only");
  if (label === "ENCRYPTED PRIVATE KEY" || pem.includes("Proc-Type: 4,ENCRYPTED")) {
    throw new KeyError("the key is encrypted: store it without a passphrase, readable by the server alone");
  }
  if (!labels.includes(label)) {
    throw new KeyError(`expected a PEM of ${labels.join(" or ")}, this is ${label}`);
  }
}

function readPem(half: "private" | "public", read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new KeyError(`the ${half} key cannot be read: its PEM is damaged or of an unknown kind`, cause);
  }
}
