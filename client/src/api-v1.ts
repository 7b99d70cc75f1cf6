import type {
  ApiV1Client,
  ApiV1Common,
  ApiV1CookieClient,
  CallOptions,
  ClientOptions,
  Tokens,
} from "./api.ts";
import { Http, named } from "./http.ts";
import type { Call } from "./http.ts";
import { listing } from "./pages.ts";
import { Session } from "./session.ts";
import type {
  ApiV1AccessToken,
  ApiV1Item,
  ApiV1ItemPage,
  ApiV1ListItemsQuery,
  ApiV1RegisteredUser,
  ApiV1Account,
  ApiV1Tokens,
} from "./types.ts";

const BASE = "/api/v1";

export function rotatingClient(options: ClientOptions): ApiV1Client {
  const http = new Http(options);
  const session = new Session(http, options, {
    isPossible: (tokens) => tokens?.refreshToken !== undefined,
    // Never repeated: were the first answer lost, a second attempt would look like theft, and end the session.
    refresh: (tokens, signal) =>
      granted(http, `${BASE}/auth/refresh`, { json: { refresh_token: tokens?.refreshToken } }, signal),
  });
  return {
    register: async (registration, options) => {
      const call = { ...post("/auth/register", registration), headers: named(options) };
      return (await session.anonymous<ApiV1Account>(call, options)).body;
    },
    login: ({ username, password }, options) =>
      session.login(options, (signal) =>
        granted(http, `${BASE}/auth/token`, { form: { grant_type: "password", username, password } }, signal),
      ),
    logout: (options) =>
      session.logout(options, async (tokens, signal) => {
        if (tokens?.refreshToken === undefined) return;
        await http.send(post("/auth/revoke", { refresh_token: tokens.refreshToken }), null, signal);
      }),
    ...common(session),
  };
}

export function cookieClient(options: ClientOptions): ApiV1CookieClient {
  const http = new Http(options);
  const withCookies = async (path: string, body: object | null, signal: AbortSignal): Promise<Tokens> => {
    const call: Call = { ...post(path, body), withCookies: true };
    return { accessToken: (await http.send<ApiV1AccessToken>(call, null, signal)).body.access_token };
  };
  const session = new Session(http, options, {
    // Whether there is a cookie only the browser knows.
    isPossible: () => true,
    refresh: (_tokens, signal) => withCookies("/users/refresh", null, signal),
  });
  return {
    register: async (registration, options) => {
      const call = { ...post("/users/register", registration), headers: named(options) };
      return (await session.anonymous<ApiV1RegisteredUser>(call, options)).body;
    },
    login: (login, options) => session.login(options, (signal) => withCookies("/users/login", login, signal)),
    logout: (options) =>
      session.logout(options, (_tokens, signal) =>
        http.send({ ...post("/users/logout", null), withCookies: true }, null, signal),
      ),
    ...common(session),
  };
}

function common(session: Session): ApiV1Common & Pick<ApiV1Client, "me"> {
  const get = (path: string): Call => ({ method: "GET", path: `${BASE}${path}` });
  const remove = async (path: string, options: CallOptions | undefined): Promise<void> => {
    await session.send({ method: "DELETE", path: `${BASE}${path}` }, options);
  };
  return {
    me: (options) => session.body(get("/auth/me"), options),
    todos: {
      create: (todo, options) => session.body({ ...post("/todos", todo), headers: named(options) }, options),
      list: (query, options) => session.body({ ...get("/todos"), query: { ...query } }, options),
      get: (id, options) => session.body(get(`/todos/${id}`), options),
      update: (id, change, options) =>
        session.body({ method: "PUT", path: `${BASE}/todos/${id}`, body: { json: change } }, options),
      delete: (id, options) => remove(`/todos/${id}`, options),
    },
    items: {
      ...listing<ApiV1Item, ApiV1ItemPage, ApiV1ListItemsQuery>((query, options) =>
        session.body({ ...get("/items"), query: { ...query } }, options),
      ),
      create: (item, options) => session.body({ ...post("/items", item), headers: named(options) }, options),
      get: (id, options) => session.body(get(`/items/${id}`), options),
      update: (id, change, options) =>
        session.body({ method: "PATCH", path: `${BASE}/items/${id}`, body: { json: change } }, options),
      delete: (id, options) => remove(`/items/${id}`, options),
    },
    users: { get: (id, options) => session.body(get(`/users/${id}`), options) },
    sessions: {
      list: (options) => session.body(get("/users/me/sessions"), options),
      end: (id, options) => remove(`/users/me/sessions/${id}`, options),
      endOthers: (options) => remove("/users/me/sessions", options),
    },
    changePassword: async (change, options) => {
      await session.send(post("/users/me/password", change), options);
    },
  };
}

function post(path: string, body: object | null): Call {
  return { method: "POST", path: `${BASE}${path}`, ...(body === null ? {} : { body: { json: body } }) };
}

async function granted(http: Http, path: string, body: Call["body"], signal: AbortSignal): Promise<Tokens> {
  const call: Call = { method: "POST", path, ...(body === undefined ? {} : { body }) };
  const { access_token, refresh_token } = (await http.send<ApiV1Tokens>(call, null, signal)).body;
  return { accessToken: access_token, refreshToken: refresh_token };
}
