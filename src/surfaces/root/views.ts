import type { Account } from "../../core/accounts.ts";
import type { AuditRow } from "../../core/audit-chain.ts";
import type { PersonalToken } from "../../core/personal-tokens.ts";
import type { Static } from "../../http/schema.ts";
import { instant, instantOrNull } from "../../http/time.ts";
import type { AccountView, AuditRowView, PersonalTokenView } from "./schemas.ts";

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

export function auditView(row: AuditRow): Static<typeof AuditRowView> {
  return {
    id: row.seq,
    time: instant(row.atMs),
    event: row.event,
    actor: { kind: row.actor.kind, id: row.actor.id },
    subject: row.subject === null ? null : { realm: row.subject.realm, id: row.subject.id },
    client_address: row.clientAddress,
    request_id: row.requestId,
    detail: parsedOrText(row.detail),
    hash: Buffer.from(row.hash).toString("hex"),
  };
}

/** A row that somebody changed by hand may hold anything; it is shown all the same. */
function parsedOrText(detail: string): unknown {
  try {
    return JSON.parse(detail);
  } catch (error) {
    if (error instanceof SyntaxError) return detail;
    throw error;
  }
}
