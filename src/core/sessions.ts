import { randomBytes } from "node:crypto";
import type { Account } from "./accounts.ts";
import { logged } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { Caller } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { DAY_MS, SECOND_MS } from "./clock.ts";
import { Fault } from "./fault.ts";
import type { Log } from "./log.ts";
import { refusedToken } from "./refused-token.ts";
import type { SessionWrites, Store, Writes } from "./store.ts";

/**
 * A session is what a login opens and a logout ends. Its refresh tokens are of one kind for life: a `cookie`
 * session has one that stays good, a `rotating` session gets a new one at every refresh, and the tokens that
 * followed one another are its family. A token of one kind is nothing to the routes of the other.
 */
export type SessionKind = "cookie" | "rotating";

export interface Session {
  readonly id: number;
  readonly accountId: number;
  readonly kind: SessionKind;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  /** The latest end, however often it is refreshed; null for none. */
  readonly endsAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
}

export interface RefreshToken {
  readonly id: number;
  readonly sessionId: number;
  readonly expiresAtMs: number;
  /** When it was exchanged for the next one; null while it is the family's live end. */
  readonly usedAtMs: number | null;
}

export interface SessionPolicy {
  readonly refreshTokenDays: number;
  /** How long after its own rotation a repeated token is forgiven. */
  readonly reuseGraceSeconds: number;
  /** The longest life of a session, however often it is refreshed; null for no end. */
  readonly absoluteDays: number | null;
}

export interface OpenedSession {
  readonly session: Session;
  /** Told to the client once; only its hash is kept. */
  readonly refreshToken: string;
  /** How long that one is good. */
  readonly refreshSeconds: number;
}

const USER_AGENT_MAX_CHARACTERS = 255;

export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: SessionPolicy;

  constructor(parts: { store: Store; clock: Clock; log: Log; policy: SessionPolicy }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#policy = parts.policy;
  }

  /** Opens a session within the write that decided that the login was good. */
  async open(tx: Writes, kind: SessionKind, account: Account, by: Actor): Promise<OpenedSession> {
    const nowMs = this.#clock.nowMs();
    const { absoluteDays } = this.#policy;
    const session = await tx.sessions.insert({
      accountId: account.id,
      kind,
      createdAtMs: nowMs,
      endsAtMs: absoluteDays === null ? null : nowMs + absoluteDays * DAY_MS,
      clientAddress: by.clientAddress,
      userAgent: by.userAgent?.slice(0, USER_AGENT_MAX_CHARACTERS).toWellFormed() ?? null,
    });
    return this.#issue(tx.sessions, session, nowMs);
  }

  /**
   * The account behind a cookie session's token, which stays good.
   * Fails with `refresh_failed` where it is unknown, ended or expired.
   */
  async refreshCookie(refreshToken: string, by: Actor): Promise<{ account: Account; session: Session }> {
    const refreshed = await this.#store.write(async (tx) => {
      const nowMs = this.#clock.nowMs();
      const { session, token } = await openToken(tx.sessions, "cookie", refreshToken);
      requireUnexpired(token, nowMs);
      await tx.sessions.touch(session.id, nowMs);
      return { account: await owner(tx, session), session };
    });
    this.#tell("session.refreshed", refreshed.session, by);
    return refreshed;
  }

  /**
   * Exchanges a rotating token for the next of its family.
   *
   * A token that was exchanged before has been copied: someone holds what is not theirs, and nobody can say who,
   * so the family ends for both. `reuseGraceSeconds` forgives a repeat that comes right after the exchange, as a
   * client makes whose answer was lost, or that has two tabs.
   */
  async rotate(refreshToken: string, by: Actor): Promise<{ account: Account } & OpenedSession> {
    const outcome = await this.#store.write(async (tx) => {
      const nowMs = this.#clock.nowMs();
      const { session, token } = await openToken(tx.sessions, "rotating", refreshToken);
      // Of two exchanges at one moment the second reads here, or learns below, that it is not the first.
      const usedAtMs = token.usedAtMs ?? (await this.#use(tx.sessions, token, refreshToken, nowMs));
      if (usedAtMs !== null && !this.#isForgiven(usedAtMs, nowMs)) {
        // The end of the family must be kept, so this write succeeds and the fault is thrown after it.
        const isFirst = await tx.sessions.end(session.id, nowMs);
        // Of several at one moment one finds the theft: one theft is told once.
        if (isFirst) {
          tx.audit.record({
            event: "session.refresh_reused",
            atMs: nowMs,
            by,
            subject: { realm: "user", id: session.accountId },
            detail: { session: session.id },
          });
        }
        return { reused: session, isFirst };
      }
      requireUnexpired(token, nowMs);
      const account = await owner(tx, session);
      await tx.sessions.touch(session.id, nowMs);
      return { account, ...(await this.#issue(tx.sessions, session, nowMs)) };
    });
    if ("reused" in outcome) {
      const { id, accountId } = outcome.reused;
      if (outcome.isFirst)
        this.#log.warning("session.refresh_reused", { account: accountId, session: id, ...logged(by) });
      throw Fault.of({ kind: "refresh_failed", why: "invalid" });
    }
    this.#tell("session.refreshed", outcome.session, by);
    return outcome;
  }

  /** Ends the session of a token, known or not, of the kind that the route is for. */
  async revoke(kind: SessionKind, refreshToken: string, by: Actor): Promise<void> {
    await this.#endWhere(by, async (sessions) => {
      const found = await sessions.token(tokenHash(refreshToken));
      return found?.session.kind === kind ? found.session : null;
    });
  }

  /** Ends the session that an access token came from, if it is of the kind that the route is for. */
  async revokeById(kind: SessionKind, sessionId: number, by: Actor): Promise<void> {
    await this.#endWhere(by, async (sessions) => {
      const session = await sessions.byId(sessionId);
      return session?.kind === kind ? session : null;
    });
  }

  /** One's own that could still be refreshed, newest first. */
  list({ account }: Caller): Promise<readonly Session[]> {
    return this.#store.read.sessions.openOf(account.id, this.#clock.nowMs());
  }

  /** Ends one of one's own, this one too. Fails with `not_found` for another's, and for one that has ended. */
  async end({ account }: Caller, sessionId: number, by: Actor): Promise<void> {
    const ended = await this.#endWhere(by, async (sessions) => {
      const session = await sessions.byId(sessionId);
      return session?.accountId === account.id ? session : null;
    });
    if (!ended) throw Fault.of({ kind: "not_found", noun: "session", id: sessionId });
  }

  /** Ends all of one's own but the one that asks; all of them, where a token asks that belongs to none. */
  async endOthers({ account, sessionId }: Caller, by: Actor): Promise<void> {
    const ended = await this.#store.write(async (tx) => {
      // Of several that end one another at one moment, one is left: the others are ended by the time it is their turn.
      await tx.accounts(account.realm).lock(account.id);
      if (sessionId !== null && (await tx.sessions.byId(sessionId))?.endedAtMs !== null)
        throw refusedToken("session_ended");
      return tx.sessions.endAll(account.id, this.#clock.nowMs(), sessionId);
    });
    this.#log.info("session.others_ended", { account: account.id, ended, ...logged(by) });
  }

  /** Answers whether there was such a session and it was open until now. */
  async #endWhere(by: Actor, find: (sessions: SessionWrites) => Promise<Session | null>): Promise<boolean> {
    const ended = await this.#store.write(async (tx) => {
      const session = await find(tx.sessions);
      return session !== null && (await tx.sessions.end(session.id, this.#clock.nowMs())) ? session : null;
    });
    if (ended !== null) this.#tell("session.ended", ended, by);
    return ended !== null;
  }

  #tell(event: string, { id, accountId }: Session, by: Actor): void {
    this.#log.info(event, { account: accountId, session: id, ...logged(by) });
  }

  /** Marks the token as used; answers null for the first to do so, else when it was used. */
  async #use(
    sessions: SessionWrites,
    token: RefreshToken,
    secret: string,
    nowMs: number,
  ): Promise<number | null> {
    if (await sessions.useToken(token.id, nowMs)) return null;
    return (await sessions.token(tokenHash(secret)))?.token.usedAtMs ?? nowMs;
  }

  /** The first use may lie ahead of this one's time: on another instance, or while this one waited for the row. */
  #isForgiven(usedAtMs: number, nowMs: number): boolean {
    return Math.abs(nowMs - usedAtMs) < this.#policy.reuseGraceSeconds * SECOND_MS;
  }

  async #issue(sessions: SessionWrites, session: Session, nowMs: number): Promise<OpenedSession> {
    const refreshToken = randomBytes(64).toString("base64url");
    const wantedMs = nowMs + this.#policy.refreshTokenDays * DAY_MS;
    const expiresAtMs = session.endsAtMs === null ? wantedMs : Math.min(wantedMs, session.endsAtMs);
    await sessions.insertToken({
      sessionId: session.id,
      tokenHash: tokenHash(refreshToken),
      createdAtMs: nowMs,
      expiresAtMs,
    });
    return { session, refreshToken, refreshSeconds: Math.floor((expiresAtMs - nowMs) / SECOND_MS) };
  }
}

/** The token and its session, if it is known, of this kind, and its session has not ended. */
async function openToken(sessions: SessionWrites, kind: SessionKind, refreshToken: string) {
  const found = await sessions.token(tokenHash(refreshToken));
  if (found === null || found.session.kind !== kind || found.session.endedAtMs !== null) {
    throw Fault.of({ kind: "refresh_failed", why: "invalid" });
  }
  return found;
}

function requireUnexpired(token: RefreshToken, nowMs: number): void {
  if (token.expiresAtMs <= nowMs) throw Fault.of({ kind: "refresh_failed", why: "expired" });
}

/** The session's account, as long as it may act: a blocked or deleted one gets no new tokens. */
async function owner(tx: Writes, session: Session): Promise<Account> {
  const account = await tx.accounts("user").byId(session.accountId);
  if (account === null || account.deletedAtMs !== null || !account.isActive) {
    throw Fault.of({ kind: "refresh_failed", why: "invalid" });
  }
  return account;
}

/** Tokens are 64 random bytes: one round of SHA-256 is as good as any, and its hash can be looked up. */
function tokenHash(refreshToken: string): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(refreshToken).digest();
}
