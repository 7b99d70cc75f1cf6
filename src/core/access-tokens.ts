import type { Account } from "./accounts.ts";
import type { Algorithm } from "./keyring.ts";
import type { Tokens } from "./tokens.ts";

/** Each way to log in gives access tokens of its own profile: how they are signed, how long they live, what `sub` is. */
export type ProfileName = "cookie" | "token" | "root" | "v1";

export interface Profile {
  readonly algorithm: Algorithm;
  readonly lifetimeSeconds: number;
  readonly subject: "email" | "username" | "id";
}

export class AccessTokens {
  readonly #tokens: Tokens;
  readonly #profiles: Readonly<Record<ProfileName, Profile>>;

  constructor(tokens: Tokens, profiles: Readonly<Record<ProfileName, Profile>>) {
    this.#tokens = tokens;
    this.#profiles = profiles;
  }

  lifetimeSeconds(name: ProfileName): number {
    return this.#profiles[name].lifetimeSeconds;
  }

  /** `sessionId` ties the token to a session, with which it ends. */
  issue(name: ProfileName, account: Account, sessionId: number | null): string {
    const { algorithm, lifetimeSeconds, subject } = this.#profiles[name];
    return this.#tokens.issue({
      realm: account.realm,
      accountId: account.id,
      subject: subjectOf(account, subject),
      role: account.role,
      credentialsVersion: account.credentialsVersion,
      algorithm,
      lifetimeSeconds,
      ...(sessionId === null ? {} : { sessionId }),
    });
  }
}

function subjectOf(account: Account, subject: Profile["subject"]): string {
  switch (subject) {
    case "email":
      return account.email;
    case "username":
      return account.username ?? account.email;
    case "id":
      return String(account.id);
  }
}
