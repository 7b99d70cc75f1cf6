import type {
  AvatarOptions,
  CallOptions,
  ClientOptions,
  RootAdminClient,
  RootClient,
  RootCommon,
} from "./api.ts";
import { Http } from "./http.ts";
import type { Call, Query } from "./http.ts";
import { listing } from "./pages.ts";
import { Session } from "./session.ts";
import type {
  RootAccount,
  RootAccountPage,
  RootAuditPage,
  RootAuditRow,
  RootListAuditTrailQuery,
  RootListUserAccountsQuery,
  RootLoggedIn,
} from "./types.ts";

/** What every good answer of this surface is wrapped in. */
interface Success<T> {
  readonly data: T;
}

/** Users and administrators have the same routes at different places. */
interface Realm {
  readonly auth: string;
  readonly me: string;
}

export function rootClient(options: ClientOptions): RootClient {
  const surface = new RootSurface(options, { auth: "/auth", me: "/users/me" });
  return {
    ...surface.common(),
    register: (registration, options) =>
      surface.data({ method: "POST", path: "/auth/register", body: fields(registration, options) }, options),
    delete: async (options) => {
      await surface.data({ method: "DELETE", path: "/users/me" }, options);
    },
  };
}

export function rootAdminClient(options: ClientOptions): RootAdminClient {
  const surface = new RootSurface(options, { auth: "/admin/auth", me: "/admin/me" });
  const user = (id: number) => `/admin/users/${id}`;
  const action = (verb: string) => (id: number, options?: CallOptions) =>
    surface.data<RootAccount>({ method: "PATCH", path: `${user(id)}/${verb}` }, options);
  return {
    ...surface.common(),
    register: (registration, options) => {
      const headers = options?.setupToken === undefined ? {} : { "X-Setup-Token": options.setupToken };
      const body = fields(registration, options);
      return surface.data({ method: "POST", path: "/admin/auth/register", headers, body }, options);
    },
    users: {
      ...listing<RootAccount, RootAccountPage, RootListUserAccountsQuery>((query, options) =>
        surface.get("/admin/users", options, { ...query }),
      ),
      get: (id, options) => surface.get(user(id), options),
      update: (id, change, options) =>
        surface.data({ method: "PUT", path: user(id), body: fields(change, options) }, options),
      delete: (id, options) => surface.data({ method: "DELETE", path: user(id) }, options),
      activate: action("activate"),
      block: action("block"),
      unlock: action("unlock"),
      restore: action("restore"),
    },
    audit: listing<RootAuditRow, RootAuditPage, RootListAuditTrailQuery>((query, options) =>
      surface.get("/admin/audit", options, { ...query }),
    ),
  };
}

class RootSurface {
  readonly #http: Http;
  readonly #session: Session;
  readonly #realm: Realm;

  constructor(options: ClientOptions, realm: Realm) {
    this.#http = new Http(options);
    this.#session = new Session(this.#http, options, null);
    this.#realm = realm;
  }

  async data<T>(call: Call, options: CallOptions | undefined): Promise<T> {
    return (await this.#session.body<Success<T>>(call, options)).data;
  }

  get<T>(path: string, options: CallOptions | undefined, query: Query = {}): Promise<T> {
    return this.data({ method: "GET", path, query }, options);
  }

  common(): RootCommon {
    const { auth, me } = this.#realm;
    return {
      login: ({ username, password }, options) =>
        this.#session.login(options, async (signal) => {
          const call: Call = {
            method: "POST",
            path: `${auth}/login`,
            body: { form: { username, password } },
          };
          const { body } = await this.#http.send<RootLoggedIn>(call, null, signal);
          return { accessToken: body.access_token };
        }),
      // This surface has no sessions: a token runs out by itself.
      logout: (options) => this.#session.logout(options, () => Promise.resolve()),
      me: (options) => this.get(me, options),
      update: (change, options) =>
        this.data({ method: "PUT", path: me, body: fields(change, options) }, options),
      tokens: {
        list: (options) => this.get(`${me}/tokens`, options),
        create: (token = {}, options) =>
          this.data({ method: "POST", path: `${me}/tokens`, body: { json: token } }, options),
        revoke: async (id, options) => {
          await this.data({ method: "DELETE", path: `${me}/tokens/${id}` }, options);
        },
      },
    };
  }
}

/** JSON, or a multipart form where there is a file to send. */
function fields(given: object, options: AvatarOptions | undefined): NonNullable<Call["body"]> {
  if (options?.avatar === undefined) return { json: given };
  const parts = new FormData();
  for (const [name, value] of Object.entries(given)) {
    // A form has no null. To take the phone number away is to send it empty; elsewhere null says what absence says.
    if (value === null && name === "phone") parts.set(name, "");
    else if (value !== undefined && value !== null && name !== "avatar") parts.set(name, String(value));
  }
  parts.set("avatar", options.avatar, "avatar");
  return { parts };
}
