/**
 * The shapes that the server takes and answers. Made from its OpenAPI document by scripts/client-types.ts: change
 * the routes rather than this file.
 */

export interface ApiV1AccessToken {
  readonly access_token: string;
  readonly token_type: "bearer";
}

export interface ApiV1Account {
  readonly id: number;
  readonly email: string;
  readonly username: string | null;
  readonly is_active: boolean;
  /** Whether the account has the role admin */
  readonly is_superuser: boolean;
  readonly created_at: string;
}

export interface ApiV1AuthRegistration {
  readonly email: string;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username: string;
  /** Password must be at least 6 characters long */
  readonly password: string;
}

export interface ApiV1EmailLogin {
  readonly email: string;
  readonly password: string;
}

export interface ApiV1Item {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  readonly owner_id: number;
  readonly created_at: string;
  readonly updated_at: string | null;
}

export interface ApiV1ItemChange {
  readonly name?: string | undefined;
  readonly description?: string | null | undefined;
}

export interface ApiV1ItemInput {
  readonly name: string;
  readonly description?: string | null | undefined;
}

export interface ApiV1ItemPage {
  readonly items: ReadonlyArray<ApiV1Item>;
  readonly total?: number | undefined;
  readonly page?: number | undefined;
  readonly page_size: number;
  readonly pages?: number | undefined;
  readonly next_cursor: string | null;
}

export interface ApiV1Message {
  readonly message: string;
}

export interface ApiV1NameLogin {
  /** The username, or the e-mail address */
  readonly username: string;
  readonly password: string;
}

export interface ApiV1Nothing {}

export interface ApiV1PasswordChange {
  readonly current_password?: string | null | undefined;
  /** Password must be between 8 and 30 characters and contain only alphanumeric characters */
  readonly new_password: string;
}

export interface ApiV1RefreshGrant {
  readonly refresh_token: string;
}

export interface ApiV1RegisteredUser {
  readonly id: number;
  readonly email: string;
}

export interface ApiV1Session {
  readonly id: number;
  readonly kind: "cookie" | "rotating";
  readonly created_at: string;
  readonly last_used_at: string;
  /** Where it was opened from */
  readonly client_address: string | null;
  /** What it was opened with */
  readonly user_agent: string | null;
  /** Whether this request comes from it */
  readonly current: boolean;
}

export interface ApiV1Todo {
  readonly id: number;
  readonly title: string;
  readonly description: string | null;
  readonly completed: boolean;
  readonly user_id: number;
  readonly created_at: string;
  readonly updated_at: string | null;
}

export interface ApiV1TodoChange {
  readonly title?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly completed?: boolean | null | undefined;
}

export interface ApiV1TodoInput {
  readonly title: string;
  readonly description?: string | null | undefined;
}

export interface ApiV1Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly token_type: "bearer";
  /** How long the access token lives, in seconds */
  readonly expires_in: number;
}

export interface ApiV1UserRegistration {
  readonly email: string;
  /** Password must be between 8 and 30 characters and contain only alphanumeric characters */
  readonly password: string;
}

export interface RootAccessToken {
  readonly access_token: string;
  readonly token_type: "bearer";
  /** Seconds */
  readonly expires_in: number;
}

export interface RootAccount {
  readonly id: number;
  readonly username: string | null;
  readonly name: string | null;
  readonly email: string;
  readonly phone: string | null;
  /** The file's name */
  readonly avatar: string | null;
  /** Absolute where PUBLIC_URL is set, else a path */
  readonly avatar_url: string | null;
  readonly is_active: boolean;
  readonly created_at: string;
}

export interface RootAccountPage {
  readonly items: ReadonlyArray<RootAccount>;
  readonly total?: number | undefined;
  readonly page?: number | undefined;
  readonly page_size: number;
  readonly pages?: number | undefined;
  readonly next_cursor: string | null;
}

export interface RootAuditPage {
  readonly items: ReadonlyArray<RootAuditRow>;
  readonly page_size: number;
  readonly next_cursor: string | null;
}

export interface RootAuditRow {
  readonly id: number;
  readonly time: string;
  readonly event: string;
  readonly actor: {
    /** user, admin, operator (at the shell), or nobody (not yet known) */
    readonly kind: string;
    readonly id: number | null;
  };
  readonly subject: {
    /** user or admin */
    readonly realm: string;
    readonly id: number | null;
  } | null;
  readonly client_address: string | null;
  readonly request_id: string | null;
  /** What the event has to say besides */
  readonly detail: unknown;
  /** SHA-256 over the row and the one before it, in hex */
  readonly hash: string;
}

export interface RootLoggedIn {
  readonly success: true;
  readonly message: string;
  readonly data: RootAccessToken;
  readonly access_token: string;
  readonly token_type: "bearer";
}

export interface RootLogin {
  /** The username or the e-mail address */
  readonly username: string;
  readonly password: string;
}

export interface RootNewPersonalToken {
  readonly id: number;
  readonly name: string | null;
  /** The beginning of the token */
  readonly prefix: string;
  readonly scopes: ReadonlyArray<
    "todos:read" | "todos:write" | "account:read" | "account:write" | "admin"
  > | null;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly created_at: string;
  /** Shown this once: keep it now */
  readonly token: string;
}

export interface RootOwnChange {
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly phone?: string | null | undefined;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username?: string | null | undefined;
  /** By JSON: null removes it, its own name leaves it */
  readonly avatar?: string | null | undefined;
  /** Password must be at least 6 characters long */
  readonly password?: string | null | undefined;
  readonly current_password?: string | null | undefined;
}

export interface RootPersonalToken {
  readonly id: number;
  readonly name: string | null;
  /** The beginning of the token */
  readonly prefix: string;
  readonly scopes: ReadonlyArray<
    "todos:read" | "todos:write" | "account:read" | "account:write" | "admin"
  > | null;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
  readonly created_at: string;
}

export interface RootPersonalTokenInput {
  readonly name?: string | null | undefined;
  /** Never, without it */
  readonly expires_in_days?: number | null | undefined;
  readonly scopes?:
    | ReadonlyArray<"todos:read" | "todos:write" | "account:read" | "account:write" | "admin">
    | null
    | undefined;
}

export interface RootRegistration {
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username: string;
  readonly name: string;
  readonly email: string;
  /** Password must be at least 6 characters long */
  readonly password: string;
  readonly phone?: string | null | undefined;
}

export interface RootUserChange {
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly phone?: string | null | undefined;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username?: string | null | undefined;
  /** By JSON: null removes it, its own name leaves it */
  readonly avatar?: string | null | undefined;
  /** Password must be at least 6 characters long */
  readonly password?: string | null | undefined;
  readonly role?: "user" | "admin" | null | undefined;
}

export interface V1AccessToken {
  readonly access_token: string;
  readonly token_type: "bearer";
  /** Seconds */
  readonly expires_in: number;
}

export interface V1Bulk {
  readonly operations: ReadonlyArray<
    | {
        readonly op: "create";
        readonly title: string;
        readonly description?: string | null | undefined;
        readonly priority?: "low" | "medium" | "high" | undefined;
      }
    | {
        readonly op: "update";
        readonly id: number;
        readonly title?: string | undefined;
        readonly description?: string | null | undefined;
        readonly completed?: boolean | undefined;
        readonly priority?: "low" | "medium" | "high" | undefined;
      }
    | {
        readonly op: "delete";
        readonly id: number;
      }
  >;
}

export interface V1BulkResults {
  readonly results: ReadonlyArray<{
    readonly op: "create" | "update" | "delete";
    /** What the operation alone would have answered */
    readonly status: number;
    readonly id: number;
    readonly todo: V1Todo | null;
  }>;
}

export interface V1Health {
  readonly status: "healthy" | "unhealthy";
  readonly version: string;
  readonly environment: string;
  readonly timestamp: string;
  readonly database: {
    readonly status: "connected" | "disconnected";
    readonly current_time: string | null;
  };
}

export interface V1Login {
  /** The username or the e-mail address */
  readonly username: string;
  readonly password: string;
}

export interface V1Registration {
  readonly email: string;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username: string;
  readonly full_name?: string | null | undefined;
  /** Password must be at least 8 characters long */
  readonly password: string;
}

export interface V1Todo {
  readonly id: number;
  readonly title: string;
  readonly description: string | null;
  readonly completed: boolean;
  readonly priority: "low" | "medium" | "high";
  readonly user_id: number;
  readonly created_at: string;
  readonly updated_at: string | null;
}

export interface V1TodoChange {
  readonly title?: string | undefined;
  readonly description?: string | null | undefined;
  readonly completed?: boolean | undefined;
  readonly priority?: "low" | "medium" | "high" | undefined;
}

export interface V1TodoInput {
  readonly title: string;
  readonly description?: string | null | undefined;
  readonly priority?: "low" | "medium" | "high" | undefined;
}

export interface V1TodoPage {
  readonly items: ReadonlyArray<V1Todo>;
  readonly total?: number | undefined;
  readonly page?: number | undefined;
  readonly page_size: number;
  readonly pages?: number | undefined;
  readonly next_cursor: string | null;
}

export interface V1User {
  readonly id: number;
  readonly email: string;
  readonly username: string | null;
  readonly full_name: string | null;
  readonly is_active: boolean;
  readonly created_at: string;
  readonly updated_at: string | null;
}

export interface V1UserChange {
  readonly email?: string | undefined;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username?: string | undefined;
  readonly full_name?: string | null | undefined;
  /** Password must be at least 8 characters long */
  readonly password?: string | undefined;
  readonly current_password?: string | undefined;
  /** By an administrator alone */
  readonly role?: "user" | "admin" | undefined;
  /** By an administrator alone */
  readonly is_active?: boolean | undefined;
}

export interface V1UserInput {
  readonly email: string;
  /** 3 to 50 of `A-Z a-z 0-9 . _ -` */
  readonly username: string;
  readonly full_name?: string | null | undefined;
  /** Password must be at least 8 characters long */
  readonly password: string;
  /** By an administrator alone */
  readonly role?: "user" | "admin" | undefined;
  /** By an administrator alone */
  readonly is_active?: boolean | undefined;
}

export interface V1UserPage {
  readonly items: ReadonlyArray<V1User>;
  readonly total?: number | undefined;
  readonly page?: number | undefined;
  readonly page_size: number;
  readonly pages?: number | undefined;
  readonly next_cursor: string | null;
}

export interface ApiV1ListItemsQuery {
  /** 1 where neither it nor `cursor` is given */
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  /** A page's `next_cursor`, in place of `page` */
  readonly cursor?: string | undefined;
}

export interface ApiV1ListTodosQuery {
  /** Only those that are completed, or only those that are not */
  readonly completed?: boolean | undefined;
  /** At most so many; all without it */
  readonly limit?: number | undefined;
  /** Leaves out so many of the oldest */
  readonly offset?: number | undefined;
}

export interface RootListAuditTrailQuery {
  readonly event?:
    | "login.succeeded"
    | "login.failed"
    | "login.locked"
    | "login.refused"
    | "password.confirmation_failed"
    | "password.changed"
    | "session.refresh_reused"
    | "account.registered"
    | "account.changed"
    | "account.role_changed"
    | "account.blocked"
    | "account.activated"
    | "account.unlocked"
    | "account.deleted"
    | "account.restored"
    | "account.purged"
    | "token.created"
    | "token.revoked"
    | "todo.changed"
    | "todo.deleted"
    | "item.changed"
    | "item.deleted"
    | "import.started"
    | "import.finished"
    | "audit.pruned"
    | undefined;
  /** Who did it, or whom it happened to */
  readonly account?: string | undefined;
  /** From this time on */
  readonly from?: string | undefined;
  /** Up to this time, and not at it */
  readonly to?: string | undefined;
  readonly page_size?: number | undefined;
  /** A page's `next_cursor` */
  readonly cursor?: string | undefined;
}

export interface RootListUserAccountsQuery {
  /** 1 where neither it nor `cursor` is given */
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  /** A page's `next_cursor`, in place of `page` */
  readonly cursor?: string | undefined;
  /** A part of the e-mail address, username, name or phone number */
  readonly search?: string | undefined;
  /** Only those that may log in, or only those that may not */
  readonly is_active?: boolean | undefined;
  /** The deleted ones, in place of the others */
  readonly deleted?: boolean | undefined;
}

export interface V1ListTodosQuery {
  readonly completed?: boolean | undefined;
  readonly priority?: "low" | "medium" | "high" | undefined;
  /** Words that each stand in the title or the description, in any case */
  readonly q?: string | undefined;
  /** `-` for the greatest first */
  readonly sort?:
    | "created_at"
    | "-created_at"
    | "updated_at"
    | "-updated_at"
    | "priority"
    | "-priority"
    | "title"
    | "-title"
    | undefined;
  /** 1 where neither it nor `cursor` is given */
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  /** A page's `next_cursor`, in place of `page` */
  readonly cursor?: string | undefined;
}

export interface V1ListUsersQuery {
  /** 1 where neither it nor `cursor` is given */
  readonly page?: number | undefined;
  readonly page_size?: number | undefined;
  /** A page's `next_cursor`, in place of `page` */
  readonly cursor?: string | undefined;
}
