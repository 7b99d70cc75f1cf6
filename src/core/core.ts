import { AccessTokens } from "./access-tokens.ts";
import type { Profile, ProfileName } from "./access-tokens.ts";
import { Accounts } from "./accounts.ts";
import { AdminSetup } from "./admin-setup.ts";
import { Audit } from "./audit.ts";
import { Authentication } from "./authentication.ts";
import { Avatars } from "./avatars.ts";
import type { FileStore } from "./avatars.ts";
import { SECOND_MS } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { Housekeeping } from "./housekeeping.ts";
import type { HousekeepingPolicy } from "./housekeeping.ts";
import { Items } from "./items.ts";
import { Idempotency } from "./idempotency.ts";
import type { JsonWebKeySet, Keyring } from "./keyring.ts";
import type { LockoutPolicy } from "./lockout.ts";
import type { Log } from "./log.ts";
import { Logins } from "./logins.ts";
import { OrphanedAvatars } from "./orphaned-avatars.ts";
import { Pages } from "./pages.ts";
import { PersonalTokens, TokenUses } from "./personal-tokens.ts";
import { raised } from "./passwords.ts";
import type { Hasher, PasswordRule } from "./passwords.ts";
import { Sessions } from "./sessions.ts";
import type { SessionPolicy } from "./sessions.ts";
import type { Store } from "./store.ts";
import { Todos } from "./todos.ts";
import { Tokens } from "./tokens.ts";
import type { TokensOptions } from "./tokens.ts";
import { UserDirectory } from "./user-directory.ts";

/** All that the product does, put together over its ports; what the surfaces speak about. */
export interface Core {
  readonly accounts: Accounts;
  readonly accessTokens: AccessTokens;
  readonly adminSetup: AdminSetup;
  readonly audit: Audit;
  readonly authentication: Authentication;
  readonly avatars: Avatars;
  readonly orphanedAvatars: OrphanedAvatars;
  readonly clock: Clock;
  readonly housekeeping: Housekeeping;
  readonly items: Items;
  readonly idempotency: Idempotency;
  readonly logins: Logins;
  readonly pages: Pages;
  /** A surface's rule for new passwords, with the operator's floor. */
  passwordRule(rule: PasswordRule): PasswordRule;
  readonly personalTokens: PersonalTokens;
  /** What others verify access tokens with. */
  publicKeys(): JsonWebKeySet;
  readonly sessions: Sessions;
  readonly store: Store;
  readonly todos: Todos;
  readonly tokenUses: TokenUses;
  readonly userDirectory: UserDirectory;
}

export interface CorePolicy {
  readonly lockout: LockoutPolicy;
  readonly sessions: SessionPolicy;
  /** The least length of a new password, whatever the surface says. */
  readonly passwordFloor: number;
  readonly accessTokens: Readonly<Record<ProfileName, Profile>>;
  readonly issuer: Pick<TokensOptions, "issuer" | "earlierIssuers">;
  /** Null keeps the audit trail for ever. */
  readonly auditRetentionDays: number | null;
  /** Null: one is made, and told to the operator while there is no administrator. */
  readonly adminSetupToken: string | null;
}

export function createCore(parts: {
  store: Store;
  files: FileStore;
  hasher: Hasher;
  keyring: Keyring;
  clock: Clock;
  log: Log;
  /** Known to the server alone: what it gives out, it recognises by it. */
  secret: string;
  policy: CorePolicy;
}): Core {
  const { store, files, hasher, keyring, clock, log, secret, policy } = parts;
  const tokens = new Tokens(keyring, clock, policy.issuer);
  const audit = new Audit({ store, clock });
  const tokenUses = new TokenUses({ store, clock });
  const logins = new Logins({ store, hasher, clock, log, policy: policy.lockout });
  const pages = new Pages(secret);
  const avatars = new Avatars({ files, clock, log });
  const accounts = new Accounts({ store, hasher, logins, avatars, clock, log });
  return {
    accounts,
    accessTokens: new AccessTokens(tokens, policy.accessTokens),
    adminSetup: new AdminSetup({ accounts, store, clock, log, token: policy.adminSetupToken }),
    audit,
    authentication: new Authentication({ store, tokens, uses: tokenUses, clock }),
    avatars,
    orphanedAvatars: new OrphanedAvatars({ avatars, files, store, clock }),
    clock,
    housekeeping: new Housekeeping({ store, audit, clock, log, policy: housekeepingPolicy(policy) }),
    idempotency: new Idempotency({ store, clock, secret }),
    items: new Items({ store, pages, clock }),
    logins,
    pages,
    passwordRule: (rule) => raised(rule, policy.passwordFloor),
    personalTokens: new PersonalTokens({ store, uses: tokenUses, clock, log }),
    publicKeys: () => keyring.publicKeys(),
    sessions: new Sessions({ store, clock, log, policy: policy.sessions }),
    store,
    todos: new Todos({ store, clock }),
    tokenUses,
    userDirectory: new UserDirectory({ store, pages }),
  };
}

function housekeepingPolicy({ accessTokens, auditRetentionDays, lockout }: CorePolicy): HousekeepingPolicy {
  const lifetimes = Object.values(accessTokens).map(({ lifetimeSeconds }) => lifetimeSeconds);
  return { auditRetentionDays, accessTokenMs: Math.max(...lifetimes) * SECOND_MS, lockMs: lockout.lockMs };
}
