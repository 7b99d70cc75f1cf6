import type { Realm } from "./accounts.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Algorithm, Key, Keyring } from "./keyring.ts";

export interface AccessGrant {
  /** The token's audience: users and administrators never share one. */
  readonly realm: Realm;
  readonly accountId: number;
  readonly subject: string;
  readonly role: string;
  /** Another with each password, and when the account is deleted: a token with any but the present one is dead. */
  readonly credentialsVersion: number;
  readonly sessionId?: number;
  readonly algorithm: Algorithm;
  readonly lifetimeSeconds: number;
}

/** What a verified token says, in the names that stand in it. */
export interface AccessClaims {
  readonly sub: string;
  readonly user_id: number;
  readonly role: string;
  readonly type: "access";
  readonly iss: string;
  readonly aud: string;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
  readonly jti: string;
  readonly ver: number;
  readonly sid?: number;
}

export type TokenRefusal =
  | "too_long"
  | "malformed"
  | "header_refused"
  | "unknown_key"
  | "wrong_algorithm"
  | "bad_signature"
  | "bad_claims"
  | "wrong_audience"
  | "expired"
  | "not_yet_valid";

/** Why a token was refused: for the log alone, as the cause of the fault that the client sees. */
export class TokenRefused extends Error {
  readonly reason: TokenRefusal;

  constructor(reason: TokenRefusal) {
    super(reason);
    this.name = "TokenRefused";
    this.reason = reason;
  }
}

/** Who issues tokens where the server knows no address of its own; good whatever its address is now. */
export const TOKEN_ISSUER = "latchkey";
const TOKEN_MAX_CHARS = 4_096;
const AUDIENCES = { user: "latchkey:user", admin: "latchkey:admin" } as const;
/** How far the clocks of two instances may be apart. */
export const CLOCK_LEEWAY_MS = 60_000;
const CACHED_TOKENS = 8_192;

export interface TokensOptions {
  readonly cachedTokens?: number;
  /** What new tokens say who made them: the server's own address, so that others can find its keys by it. */
  readonly issuer?: string;
  /** Addresses that the server had before: their tokens are still good. */
  readonly earlierIssuers?: readonly string[];
}

/**
 * Access tokens, signed and verified in place: no promise, so that password hashing, which shares its
 * threads with WebCrypto, never delays a request that only brings a token (docs/decisions/0002).
 *
 * This program is the only issuer. A token in any form but the one that it writes is therefore refused, however
 * a lenient reader might understand it.
 */
export class Tokens {
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  readonly #cachedTokens: number;
  readonly #issuer: string;
  readonly #issuers: ReadonlySet<string>;
  /** Claims whose signature has been checked, by the token's whole text; in order of first sight. */
  readonly #verified = new Map<string, AccessClaims>();
  /** The keyring's generation that they were checked by. */
  #checkedBy = 0;

  constructor(
    keyring: Keyring,
    clock: Clock,
    { cachedTokens = CACHED_TOKENS, issuer = TOKEN_ISSUER, earlierIssuers = [] }: TokensOptions = {},
  ) {
    this.#keyring = keyring;
    this.#clock = clock;
    this.#cachedTokens = cachedTokens;
    this.#issuer = issuer;
    this.#issuers = new Set([issuer, TOKEN_ISSUER, ...earlierIssuers]);
  }

  issue(grant: AccessGrant): string {
    const key = this.#keyring.signer(grant.algorithm);
    const issuedAt = Math.floor(this.#clock.nowMs() / 1_000);
    const claims: AccessClaims = {
      sub: grant.subject,
      user_id: grant.accountId,
      role: grant.role,
      type: "access",
      iss: this.#issuer,
      aud: AUDIENCES[grant.realm],
      iat: issuedAt,
      exp: issuedAt + grant.lifetimeSeconds,
      jti: crypto.randomUUID(),
      ver: grant.credentialsVersion,
      ...(grant.sessionId === undefined ? {} : { sid: grant.sessionId }),
    };
    const signed = `${encodeJson({ alg: key.algorithm, typ: "JWT", kid: key.kid })}.${encodeJson(claims)}`;
    return `${signed}.${key.sign(signed).toString("base64url")}`;
  }

  /** Fails with `Fault invalid_token`, whose cause is a `TokenRefused`. */
  verify(token: string, realm: Realm): AccessClaims {
    try {
      return this.#accept(token, realm);
    } catch (error) {
      if (error instanceof TokenRefused) throw Fault.of({ kind: "invalid_token" }, error);
      throw error;
    }
  }

  #accept(token: string, realm: Realm): AccessClaims {
    if (token.length > TOKEN_MAX_CHARS) throw new TokenRefused("too_long");
    const nowMs = this.#clock.nowMs();

    if (this.#checkedBy !== this.#keyring.generation) this.#forgetAll();
    const known = this.#verified.get(token);
    const claims = known ?? readSigned(token, this.#keyring, this.#issuers);
    if (nowMs >= claims.exp * 1_000) {
      this.#verified.delete(token);
      throw new TokenRefused("expired");
    }
    if (known === undefined) this.#remember(token, claims);

    if (claims.aud !== AUDIENCES[realm]) throw new TokenRefused("wrong_audience");
    const validFrom = Math.max(claims.iat * 1_000 - CLOCK_LEEWAY_MS, (claims.nbf ?? 0) * 1_000);
    if (nowMs < validFrom) throw new TokenRefused("not_yet_valid");
    return claims;
  }

  /** A key that is gone takes what it verified with it. */
  #forgetAll(): void {
    this.#verified.clear();
    this.#checkedBy = this.#keyring.generation;
  }

  /** A hit leaves the order alone, because moving an entry costs more than the signature that is saved. */
  #remember(token: string, claims: AccessClaims): void {
    this.#verified.set(token, claims);
    if (this.#verified.size <= this.#cachedTokens) return;
    const oldest = this.#verified.keys().next();
    if (!oldest.done) this.#verified.delete(oldest.value);
  }
}

/**
 * What an `Authorization` header holds under the scheme Bearer, in any case. Also what can be no token, as two of them:
 * whoever sends it is told that it is none, not that none was sent.
 */
export function bearerToken(header: string | null): string | null {
  // Nearly every request comes by here, and a regular expression would take twenty times as long.
  if (header === null || header.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return null;
  let start = SCHEME.length;
  while (header[start] === " ") start += 1;
  return start === header.length ? null : header.slice(start);
}

const SCHEME = "bearer ";

/** All that is true of a token whatever the time and the route: its form, its key, its signature, its claims. */
function readSigned(token: string, keyring: Keyring, issuers: ReadonlySet<string>): AccessClaims {
  const [header, payload, signature, ...more] = token.split(".", 4);
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw new TokenRefused("malformed");
  }
  const key = namedKey(decodeJson(header), keyring);
  if (!key.verify(`${header}.${payload}`, decodeSegment(signature))) throw new TokenRefused("bad_signature");
  const claims = decodeJson(payload);
  if (!isAccessClaims(claims) || !issuers.has(claims.iss)) throw new TokenRefused("bad_claims");
  return Object.freeze(claims);
}

/** The header chooses among known keys and has no other say: whatever else stands in it is refused. */
function namedKey(header: JsonObject, keyring: Keyring): Key {
  const { alg, kid, typ = "JWT", ...more } = header;
  if (typ !== "JWT" || Object.keys(more).length > 0) throw new TokenRefused("header_refused");
  const key = typeof kid === "string" ? keyring.verifier(kid) : undefined;
  if (key === undefined) throw new TokenRefused("unknown_key");
  if (alg !== key.algorithm) throw new TokenRefused("wrong_algorithm");
  return key;
}

function isAccessClaims(claims: object): claims is AccessClaims {
  const { sub, user_id, role, type, iss, aud, iat, exp, nbf = 0, jti, ver, sid = 1 }: Unchecked = claims;
  return (
    isText(sub) &&
    isIntegerFrom(1, user_id) &&
    isText(role) &&
    type === "access" &&
    isText(iss) &&
    isText(aud) &&
    isIntegerFrom(0, iat) &&
    isIntegerFrom(1, exp) &&
    isIntegerFrom(0, nbf) &&
    isText(jti) &&
    isIntegerFrom(0, ver) &&
    isIntegerFrom(1, sid)
  );
}

type Unchecked = { readonly [Claim in keyof AccessClaims]?: unknown };
type JsonObject = { readonly [name: string]: unknown };

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isIntegerFrom = (least: number, value: unknown): boolean =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least;

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function encodeJson(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Buffer decodes leniently; only the spelling that it would write itself is taken. */
function decodeSegment(segment: string): Buffer {
  const bytes = Buffer.from(segment, "base64url");
  if (segment === "" || bytes.toString("base64url") !== segment) throw new TokenRefused("malformed");
  return bytes;
}

/** Writing the value again must give the same text: this leaves no room for a name that stands there twice. */
function decodeJson(segment: string): JsonObject {
  const bytes = decodeSegment(segment);
  let text: string;
  let value: unknown;
  try {
    text = strictUtf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new TokenRefused("malformed");
  }
  if (!isJsonObject(value) || JSON.stringify(value) !== text) throw new TokenRefused("malformed");
  return value;
}
