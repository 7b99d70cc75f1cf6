/** All that a program using the client sees, in types. What each surface promises is in its CONTRACT.md. */
import type {
  ApiV1Account,
  ApiV1AuthRegistration,
  ApiV1EmailLogin,
  ApiV1Item,
  ApiV1ItemChange,
  ApiV1ItemInput,
  ApiV1ItemPage,
  ApiV1ListItemsQuery,
  ApiV1ListTodosQuery,
  ApiV1NameLogin,
  ApiV1PasswordChange,
  ApiV1RegisteredUser,
  ApiV1Session,
  ApiV1Todo,
  ApiV1TodoChange,
  ApiV1TodoInput,
  ApiV1UserRegistration,
  RootAccount,
  RootAccountPage,
  RootAuditPage,
  RootAuditRow,
  RootListAuditTrailQuery,
  RootListUserAccountsQuery,
  RootLogin,
  RootNewPersonalToken,
  RootOwnChange,
  RootPersonalToken,
  RootPersonalTokenInput,
  RootRegistration,
  RootUserChange,
  V1Bulk,
  V1BulkResults,
  V1Health,
  V1ListTodosQuery,
  V1ListUsersQuery,
  V1Login,
  V1Registration,
  V1Todo,
  V1TodoChange,
  V1TodoInput,
  V1TodoPage,
  V1User,
  V1UserChange,
  V1UserInput,
  V1UserPage,
} from "./types.ts";

export interface ClientOptions {
  /** Where the server is, such as `https://api.example.com`; in a page of the same origin it may be empty. */
  readonly baseUrl: string;
  /** Where tokens are kept, of one person until the next login; without it in memory, until the program ends. */
  readonly tokens?: TokenStore | undefined;
  /** The longest that a call may take, repeats and refresh included; 30,000 without it. */
  readonly timeoutMs?: number | undefined;
  /** How often a call that is safe to repeat is repeated where the server was not there; 2 without it. */
  readonly retries?: number | undefined;
  /** Called when the server no longer knows the session, and its tokens were dropped, or another's login took its place. */
  readonly onSignedOut?: (() => void) | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;
}

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
}

export interface TokenStore {
  get(): Tokens | null | Promise<Tokens | null>;
  set(tokens: Tokens | null): void | Promise<void>;
  /**
   * Runs `work` while nobody else who shares this store runs some. A store that several tabs or processes share needs
   * it: a refresh token is good for one refresh.
   */
  exclusively?: ((work: () => Promise<void>) => Promise<unknown>) | undefined;
}

export interface CallOptions {
  /** Aborts the call, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface CreateOptions extends CallOptions {
  /** Names the call across restarts of the program; without it each call gets a name of its own. */
  readonly idempotencyKey?: string | undefined;
}

export interface ChangeOptions extends CallOptions {
  /** The `etag` that the thing had when it was read: fails with `changed` where it has another by now. */
  readonly ifMatch?: string | undefined;
}

export interface Tagged<T> {
  readonly value: T;
  readonly etag: string;
}

/** What went wrong, the same on every surface. */
export type ErrorKind =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  /** A unique value, such as an e-mail address, is taken. */
  | "conflict"
  /** What was to be changed is no longer what `ifMatch` says. */
  | "changed"
  | "too_large"
  /** Fields are wrong: see `fields`. */
  | "invalid"
  | "locked"
  | "rate_limited"
  /** The server, or a proxy before it, cannot answer just now. */
  | "unavailable"
  | "server_error"
  /** No answer came: no server, no network, or a page that CORS_ORIGINS does not name. */
  | "network"
  | "timeout"
  /** An answer that is none of this server's. */
  | "unexpected";

export interface FieldError {
  /** The field's own name, as `email`; within a list by its place, as `operations[3].title`. */
  readonly field: string;
  readonly message: string;
}

export interface LatchkeyErrorFacts {
  readonly kind: ErrorKind;
  readonly status?: number;
  readonly code?: string | null;
  readonly fields?: readonly FieldError[];
  readonly retryAfterSeconds?: number | null;
  readonly requestId?: string | null;
}

// What every surface can do

export interface Account<Registration, Login, Registered, User> {
  register(registration: Registration, options?: CreateOptions): Promise<Registered>;
  login(login: Login, options?: CallOptions): Promise<void>;
  /** Forgets the tokens, and ends the session on the server; where that fails, a further call tries it again. */
  logout(options?: CallOptions): Promise<void>;
  me(options?: CallOptions): Promise<User>;
}

/** A list in pages; `all` reads on by cursor, page after page, as the loop asks for more. */
export interface Listing<Page, Row, Query> {
  list(query?: Query, options?: CallOptions): Promise<Page>;
  all(query?: Omit<Query, "page" | "cursor">, options?: CallOptions): AsyncGenerator<Row, void, undefined>;
}

// /api/v1

export interface ApiV1Common {
  readonly todos: {
    create(todo: ApiV1TodoInput, options?: CreateOptions): Promise<ApiV1Todo>;
    list(query?: ApiV1ListTodosQuery, options?: CallOptions): Promise<ApiV1Todo[]>;
    get(id: number, options?: CallOptions): Promise<ApiV1Todo>;
    /** What is absent or null stays as it is. */
    update(id: number, change: ApiV1TodoChange, options?: CallOptions): Promise<ApiV1Todo>;
    /** As an administrator. */
    delete(id: number, options?: CallOptions): Promise<void>;
  };
  readonly items: Listing<ApiV1ItemPage, ApiV1Item, ApiV1ListItemsQuery> & {
    create(item: ApiV1ItemInput, options?: CreateOptions): Promise<ApiV1Item>;
    get(id: number, options?: CallOptions): Promise<ApiV1Item>;
    update(id: number, change: ApiV1ItemChange, options?: CallOptions): Promise<ApiV1Item>;
    delete(id: number, options?: CallOptions): Promise<void>;
  };
  readonly users: { get(id: number, options?: CallOptions): Promise<ApiV1RegisteredUser> };
  readonly sessions: {
    list(options?: CallOptions): Promise<ApiV1Session[]>;
    end(id: number, options?: CallOptions): Promise<void>;
    endOthers(options?: CallOptions): Promise<void>;
  };
  /** Ends every session, this one too: log in again afterwards. */
  changePassword(change: ApiV1PasswordChange, options?: CallOptions): Promise<void>;
}

/** Refresh tokens that are replaced at each use, kept by the token store. */
export interface ApiV1Client
  extends Account<ApiV1AuthRegistration, ApiV1NameLogin, ApiV1Account, ApiV1Account>, ApiV1Common {}

/** The refresh token in a cookie, which the browser keeps and scripts cannot read. */
export interface ApiV1CookieClient
  extends Account<ApiV1UserRegistration, ApiV1EmailLogin, ApiV1RegisteredUser, ApiV1Account>, ApiV1Common {}

// /v1

export interface V1Client extends Account<V1Registration, V1Login, V1User, V1User> {
  readonly todos: Listing<V1TodoPage, V1Todo, V1ListTodosQuery> & {
    create(todo: V1TodoInput, options?: CreateOptions): Promise<V1Todo>;
    get(id: number, options?: CallOptions): Promise<V1Todo>;
    getTagged(id: number, options?: CallOptions): Promise<Tagged<V1Todo>>;
    /** What is absent stays as it is; null clears the description. */
    update(id: number, change: V1TodoChange, options?: ChangeOptions): Promise<V1Todo>;
    delete(id: number, options?: ChangeOptions): Promise<void>;
    /** Up to 100 operations, all or none. */
    bulk(operations: V1Bulk["operations"], options?: CreateOptions): Promise<V1BulkResults["results"]>;
  };
  readonly users: Listing<V1UserPage, V1User, V1ListUsersQuery> & {
    create(user: V1UserInput, options?: CreateOptions): Promise<V1User>;
    get(id: number, options?: CallOptions): Promise<V1User>;
    getTagged(id: number, options?: CallOptions): Promise<Tagged<V1User>>;
    update(id: number, change: V1UserChange, options?: ChangeOptions): Promise<V1User>;
    delete(id: number, options?: ChangeOptions): Promise<void>;
  };
  /** Fails where no server answers; one that has lost its database is `unhealthy`. */
  health(options?: CallOptions): Promise<V1Health>;
}

// /auth, /users, /admin

export interface AvatarOptions extends CallOptions {
  /** JPEG, PNG or WebP. */
  readonly avatar?: Blob | undefined;
}

export interface RootCommon {
  login(login: RootLogin, options?: CallOptions): Promise<void>;
  logout(options?: CallOptions): Promise<void>;
  me(options?: CallOptions): Promise<RootAccount>;
  /** What is absent stays as it is; `avatar: null` and `phone: null` take them away. */
  update(change: RootOwnChange, options?: AvatarOptions): Promise<RootAccount>;
  readonly tokens: {
    list(options?: CallOptions): Promise<RootPersonalToken[]>;
    /** `token` of the answer is shown this once. */
    create(token?: RootPersonalTokenInput, options?: CallOptions): Promise<RootNewPersonalToken>;
    revoke(id: number, options?: CallOptions): Promise<void>;
  };
}

export interface RootClient extends RootCommon {
  register(registration: RootRegistration, options?: AvatarOptions): Promise<RootAccount>;
  /** Deletes one's own account. */
  delete(options?: CallOptions): Promise<void>;
}

export interface RootAdminClient extends RootCommon {
  /** By the administrator who is logged in, or, for the first of them, with the setup token. */
  register(
    registration: RootRegistration,
    options?: AvatarOptions & { readonly setupToken?: string | undefined },
  ): Promise<RootAccount>;
  readonly users: Listing<RootAccountPage, RootAccount, RootListUserAccountsQuery> & {
    get(id: number, options?: CallOptions): Promise<RootAccount>;
    update(id: number, change: RootUserChange, options?: AvatarOptions): Promise<RootAccount>;
    delete(id: number, options?: CallOptions): Promise<RootAccount>;
    activate(id: number, options?: CallOptions): Promise<RootAccount>;
    block(id: number, options?: CallOptions): Promise<RootAccount>;
    unlock(id: number, options?: CallOptions): Promise<RootAccount>;
    restore(id: number, options?: CallOptions): Promise<RootAccount>;
  };
  readonly audit: Listing<RootAuditPage, RootAuditRow, RootListAuditTrailQuery>;
}
