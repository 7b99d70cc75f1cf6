import type { Realm } from "../core/accounts.ts";
import type { Actor } from "../core/actor.ts";
import type { Authentication } from "../core/authentication.ts";
import { mayGiveRights, requireScope } from "../core/caller.ts";
import type { Caller, Scope } from "../core/caller.ts";
import type { Clock } from "../core/clock.ts";
import { Fault } from "../core/fault.ts";
import type { Idempotency } from "../core/idempotency.ts";
import { clientKey } from "../core/client-address.ts";
import type { RateLimitRule, RateLimitStore } from "../core/rate-limit.ts";
import { bearerToken } from "../core/tokens.ts";
import { isOriginOf } from "./host.ts";
import { readBytes, readForm } from "./body.ts";
import type { Form, Sent } from "./body.ts";

/** The budgets that requests count against; each is one, across all the routes that name it. */
export type LimitName = "register" | "login" | "refresh" | "root_login" | "admin_login";

/** What every request needs from the program around it. */
export interface Services {
  readonly authentication: Authentication;
  readonly idempotency: Idempotency;
  /** Time that only passes. */
  readonly clock: Clock;
  readonly limits: {
    readonly store: RateLimitStore;
    readonly rules: Readonly<Record<LimitName, RateLimitRule>>;
  } | null;
  readonly cors: { readonly origins: readonly string[] };
  /** Where browsers reach this server, if it was told. */
  readonly ownOrigin: string | null;
  /** What stands before every path there, and is taken off on the way here; empty where nothing is. */
  readonly basePath: string;
}

/** Longer than a body takes that is on its way when its request is read, also on a busy machine. */
const SLOW_BODY_MS = 250;

/** What a route has read of its request so far, by the names of its parts. */
export type Values = Record<string, unknown>;
type AskAgain = (exchange: Exchange, values: Values) => Promise<void>;

/** One request on its way: what is known of it, and who it turned out to be from. */
export class Exchange implements Sent {
  readonly request: Request;
  /** The path's parameters, decoded. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly id: string;
  readonly clientAddress: string;
  readonly #services: Services;
  #caller: Caller | null = null;
  #form: Promise<Form> | null = null;
  #askAgain: { readonly ask: AskAgain; readonly values: Values } | null = null;
  #isBodyAwaited = false;

  constructor(parts: {
    request: Request;
    params: Readonly<Record<string, string | undefined>>;
    id: string;
    clientAddress: string;
    services: Services;
  }) {
    this.request = parts.request;
    this.params = parts.params;
    this.id = parts.id;
    this.clientAddress = parts.clientAddress;
    this.#services = parts.services;
  }

  header(name: string): string | null {
    return this.request.headers.get(name);
  }

  /** The path as it was asked for, without the query. */
  get path(): string {
    return new URL(this.request.url).pathname;
  }

  /** A path of this server's, as its clients have to ask for it. */
  publicPath(path: string): string {
    return this.#services.basePath + path;
  }

  /** Who asks, as far as that is known by now, and from where. */
  get actor(): Actor {
    if (this.#caller !== null) return this.#caller.by;
    return {
      account: null,
      clientAddress: this.clientAddress,
      userAgent: this.header("user-agent"),
      requestId: this.id,
    };
  }

  get idempotency(): Idempotency {
    return this.#services.idempotency;
  }

  /** Whose a key is that the client chose: the account's, or that of whoever is behind this address. */
  get owner(): { readonly owner: string; readonly isAnonymous: boolean } {
    const account = this.#caller?.account;
    return account === undefined
      ? { owner: `client:${clientKey(this.clientAddress)}`, isAnonymous: true }
      : { owner: `${account.realm}:${account.id}`, isAnonymous: false };
  }

  /** The account the request acts for, for the log; null before it is known. */
  get accountId(): number | null {
    return this.#caller?.account.id ?? null;
  }

  /** Whether the request acts for somebody who may say what an account may; false before that is known. */
  get mayGiveRights(): boolean {
    return this.#caller !== null && mayGiveRights(this.#caller);
  }

  /** Fails with `unauthenticated` or `invalid_token`, and with `forbidden` where the token lacks one of `scopes`. */
  async authenticate(realm: Realm, scopes: readonly Scope[]): Promise<Caller> {
    const token = bearerToken(this.header("authorization"));
    const caller = await this.#services.authentication.caller(realm, token, this.actor);
    this.#caller = caller;
    for (const scope of scopes) requireScope(caller, scope);
    return caller;
  }

  /** What asks again who the request is from, where its body takes long to arrive. */
  onSlowBody(ask: AskAgain, values: Values): void {
    this.#askAgain = { ask, values };
  }

  /** At the deadline it is the client then that was too slow. */
  get isBodyAwaited(): boolean {
    return this.#isBodyAwaited;
  }

  /**
   * The body, once it is there. Who sends it may take half a minute, and may have lost meanwhile what let them in: else a
   * request that is held open would outlive the password, the session or the role that it came with.
   */
  async bytes(limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const { clock } = this.#services;
    const beganMs = clock.nowMs();
    let whole: Uint8Array<ArrayBuffer>;
    this.#isBodyAwaited = true;
    try {
      whole = await readBytes(this.request, limitBytes);
    } finally {
      this.#isBodyAwaited = false;
    }
    if (this.#askAgain !== null && clock.nowMs() - beganMs > SLOW_BODY_MS) {
      await this.#askAgain.ask(this, this.#askAgain.values);
    }
    return whole;
  }

  /** The body as a form, read once however many parts of the route look at it. */
  form(): Promise<Form> {
    this.#form ??= readForm(this);
    return this.#form;
  }

  /** Counts this request; fails with `rate_limited` where the client has spent its budget. */
  async spend(limit: LimitName): Promise<void> {
    const { limits } = this.#services;
    if (limits === null) return;
    const key = `${limit}:${clientKey(this.clientAddress)}`;
    const verdict = await limits.store.hit(key, limits.rules[limit]);
    if (!verdict.allowed)
      throw Fault.of({ kind: "rate_limited", retryAfterSeconds: verdict.retryAfterSeconds });
  }

  /**
   * A request that a browser makes with its cookies must come from this host's own pages or a listed origin, or
   * any page could act for its visitors. Clients that are no browsers send no `Origin`.
   */
  requireOwnOrigin(): void {
    const origin = this.header("origin");
    const { cors, ownOrigin } = this.#services;
    if (origin === null || origin === ownOrigin || cors.origins.includes(origin)) return;
    if (isOriginOf(this.header("host") ?? "", origin)) return;
    throw Fault.of({ kind: "forbidden", why: { rule: "foreign_origin" } });
  }
}
