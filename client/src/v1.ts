import type { CallOptions, ChangeOptions, ClientOptions, Tagged, V1Client } from "./api.ts";
import { Http, named } from "./http.ts";
import type { Call } from "./http.ts";
import { listing } from "./pages.ts";
import { Session } from "./session.ts";
import type {
  V1AccessToken,
  V1BulkResults,
  V1Health,
  V1ListTodosQuery,
  V1ListUsersQuery,
  V1Todo,
  V1TodoPage,
  V1User,
  V1UserPage,
} from "./types.ts";

const BASE = "/v1";

export function v1Client(options: ClientOptions): V1Client {
  const http = new Http(options);
  const session = new Session(http, options, null);

  const tagged = async <T>(path: string, options: CallOptions | undefined): Promise<Tagged<T>> => {
    const { body, headers } = await session.send<T>(get(path), options);
    return { value: body, etag: headers.get("etag") ?? "" };
  };
  const update = <T>(path: string, change: object, options: ChangeOptions | undefined): Promise<T> =>
    session.body(
      { method: "PATCH", path: `${BASE}${path}`, body: { json: change }, headers: asSeen(options) },
      options,
    );
  const remove = async (path: string, options: ChangeOptions | undefined): Promise<void> => {
    await session.send({ method: "DELETE", path: `${BASE}${path}`, headers: asSeen(options) }, options);
  };

  return {
    register: async (registration, options) => {
      const call = { ...post("/auth/register", registration), headers: named(options) };
      return (await session.anonymous<V1User>(call, options)).body;
    },
    login: (login, options) =>
      session.login(options, async (signal) => {
        const { body } = await http.send<V1AccessToken>(post("/auth/login", login), null, signal);
        return { accessToken: body.access_token };
      }),
    // This surface has no sessions: a token runs out by itself.
    logout: (options) => session.logout(options, () => Promise.resolve()),
    me: (options) => session.body(get("/auth/me"), options),
    todos: {
      ...listing<V1Todo, V1TodoPage, V1ListTodosQuery>((query, options) =>
        session.body({ ...get("/todos"), query: { ...query } }, options),
      ),
      create: (todo, options) => session.body({ ...post("/todos", todo), headers: named(options) }, options),
      get: (id, options) => session.body(get(`/todos/${id}`), options),
      getTagged: (id, options) => tagged(`/todos/${id}`, options),
      update: (id, change, options) => update(`/todos/${id}`, change, options),
      delete: (id, options) => remove(`/todos/${id}`, options),
      bulk: async (operations, options) => {
        const call = { ...post("/todos/bulk", { operations }), headers: named(options) };
        return (await session.body<V1BulkResults>(call, options)).results;
      },
    },
    users: {
      ...listing<V1User, V1UserPage, V1ListUsersQuery>((query, options) =>
        session.body({ ...get("/users"), query: { ...query } }, options),
      ),
      create: (user, options) => session.body({ ...post("/users", user), headers: named(options) }, options),
      get: (id, options) => session.body(get(`/users/${id}`), options),
      getTagged: (id, options) => tagged(`/users/${id}`, options),
      update: (id, change, options) => update(`/users/${id}`, change, options),
      delete: (id, options) => remove(`/users/${id}`, options),
    },
    health: async (options) => {
      const call = { ...get("/health"), isAnswer: tellsOfDatabase };
      return (await session.anonymous<V1Health>(call, options)).body;
    },
  };
}

function get(path: string): Call {
  return { method: "GET", path: `${BASE}${path}` };
}

function post(path: string, body: object): Call {
  return { method: "POST", path: `${BASE}${path}`, body: { json: body } };
}

/** Without its database a server says so with 503, which a proxy with no server behind it says too. */
function tellsOfDatabase(body: unknown): boolean {
  return typeof body === "object" && body !== null && "database" in body;
}

function asSeen(options: ChangeOptions | undefined): Record<string, string> {
  return options?.ifMatch === undefined ? {} : { "If-Match": options.ifMatch };
}
