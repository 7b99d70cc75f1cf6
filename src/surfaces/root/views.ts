import type { Account } from "../../core/accounts.ts";
import type { PersonalToken } from "../../core/personal-tokens.ts";
import type { Static } from "../../http/schema.ts";
import { instant, instantOrNull } from "../../http/time.ts";
import type { AccountView, PersonalTokenView } from "./schemas.ts";

export type ViewAccount = (account: Account) => Static<typeof AccountView>;

/** `publicUrl` makes links absolute; without it they are paths. */
export function accountViews(publicUrl: string | null): ViewAccount {
  return (account) => ({
    id: account.id,
    username: account.username,
    name: account.name,
    email: account.email,
    phone: account.phone,
    avatar: account.avatar,
    avatar_url: account.avatar === null ? null : `${publicUrl ?? ""}/uploads/${account.avatar}`,
    is_active: account.isActive,
    created_at: instant(account.createdAtMs),
  });
}

export function personalTokenView(token: PersonalToken): Static<typeof PersonalTokenView> {
  return {
    id: token.id,
    name: token.name,
    prefix: token.prefix,
    scopes: token.scopes === null ? null : [...token.scopes],
    last_used_at: instantOrNull(token.lastUsedAtMs),
    expires_at: instantOrNull(token.expiresAtMs),
    created_at: instant(token.createdAtMs),
  };
}
