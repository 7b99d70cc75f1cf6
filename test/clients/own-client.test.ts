import { afterEach, describe, expect, mock, spyOn, test } from "bun:test";
import { createClient, LatchkeyError, memoryTokens } from "../../client/src/index.ts";
import type { ErrorKind, TokenStore } from "../../client/src/index.ts";
import { listening } from "../support/listening.ts";
import { forEachEngine } from "../support/program.ts";
import type { Start } from "../support/program.ts";

const PASSWORD = "correcthorse1";
const ACCESS_TOKEN_MS = 31 * 60_000;
const REFRESH_TOKEN_MS = 8 * 24 * 3_600_000;
const MINUTE_MS = 60_000;

afterEach(() => {
  mock.restore();
});

let people = 0;

function newPerson() {
  people += 1;
  const username = `client-${people}`;
  return { username, email: `${username}@example.com`, password: PASSWORD };
}

/** The global fetch, and what went through it; `meddle` may answer, or fail, in its place. */
function watched(meddle?: (line: string, send: () => Promise<Response>) => Promise<Response> | null) {
  const lines: string[] = [];
  return {
    lines,
    fetch: (url: string, init: RequestInit) => {
      const line = `${init.method} ${new URL(url).pathname}`;
      lines.push(line);
      const send = () => fetch(url, init);
      return meddle?.(line, send) ?? send();
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<LatchkeyError> {
  const error: unknown = await promise.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof LatchkeyError)) throw error;
  return error;
}

/** The client's own clock, which only passes. */
function movableTime() {
  const now = performance.now.bind(performance);
  let aheadMs = 0;
  spyOn(performance, "now").mockImplementation(() => now() + aheadMs);
  return { forwardMs: (ms: number) => (aheadMs += ms) };
}

const refreshesIn = (lines: readonly string[]) => lines.filter((line) => line.endsWith("/refresh"));

const kindOf = async (promise: Promise<unknown>): Promise<ErrorKind> => (await failure(promise)).kind;

async function collected<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

forEachEngine("the client", (start: Start) => {
  const server = listening(start);

  /** Someone with an account who is logged in, and what their client sent. */
  async function someone(options: { tokens?: TokenStore; onSignedOut?: () => void } = {}) {
    const person = newPerson();
    const { lines, fetch } = watched();
    const client = createClient({ baseUrl: server().origin, surface: "api-v1", fetch, ...options });
    await client.register(person);
    await client.login(person);
    lines.length = 0;
    return { person, client, lines };
  }

  /** Tabs that share the cookies of one browser, and what they sent. */
  function browser() {
    const cookies = new Bun.CookieMap();
    const { lines, fetch } = watched();
    const fetchWithCookies = async (url: string, init: RequestInit) => {
      const headers = new Headers(init.headers);
      if (init.credentials === "include")
        headers.set("cookie", [...cookies].map((pair) => pair.join("=")).join("; "));
      const response = await fetch(url, { ...init, headers });
      for (const line of response.headers.getSetCookie()) cookies.set(Bun.Cookie.parse(line));
      return response;
    };
    const baseUrl = server().origin;
    const tab = (options: { tokens?: TokenStore; onSignedOut?: () => void } = {}) =>
      createClient({ baseUrl, surface: "api-v1", session: "cookie", fetch: fetchWithCookies, ...options });
    return { tab, lines };
  }

  async function v1(fetch?: (url: string, init: RequestInit) => Promise<Response>) {
    const person = newPerson();
    const client = createClient({ baseUrl: server().origin, surface: "v1", fetch });
    const user = await client.register({ ...person, full_name: "Ada Lovelace" });
    await client.login(person);
    return { person, client, user };
  }

  describe("on api-v1", () => {
    test("registers, logs in, works with todos and items, and logs out", async () => {
      const { client, person } = await someone();
      expect(await client.me()).toMatchObject({ username: person.username, is_superuser: false });
      const todo = await client.todos.create({ title: "Buy milk" });
      expect(await client.todos.update(todo.id, { completed: true })).toMatchObject({ completed: true });
      expect(await client.todos.get(todo.id)).toMatchObject({ title: "Buy milk" });
      expect(await client.todos.list({ completed: false })).toEqual([]);
      expect(await kindOf(client.todos.delete(todo.id))).toBe("forbidden");

      const item = await client.items.create({ name: "Lamp" });
      expect(await client.items.update(item.id, { description: "For the desk" })).toMatchObject({
        id: item.id,
      });
      await client.items.delete(item.id);
      expect(await kindOf(client.items.get(item.id))).toBe("not_found");

      expect(await client.users.get(todo.user_id)).toMatchObject({ email: person.email });
      expect(await client.sessions.list()).toMatchObject([{ kind: "rotating", current: true }]);
      await client.logout();
      expect(await kindOf(client.me())).toBe("unauthorized");
    });

    test("ends sessions, and changes a password", async () => {
      const { client, person } = await someone();
      const other = createClient({ baseUrl: server().origin, surface: "api-v1" });
      await other.login({ ...person, username: person.email });
      await client.sessions.endOthers();
      expect(await kindOf(other.me())).toBe("unauthorized");
      const wrong = client.changePassword({ current_password: "wrong", new_password: "betterhorse2" });
      expect(await kindOf(wrong)).toBe("forbidden");
      await client.changePassword({ current_password: PASSWORD, new_password: "betterhorse2" });
      expect(await kindOf(client.me())).toBe("unauthorized");
      await client.login({ ...person, password: "betterhorse2" });
      expect(await client.me()).toMatchObject({ username: person.username });
    });

    test("refreshes once for all calls that find the access token expired", async () => {
      const { client, lines, person } = await someone();
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      const answers = await Promise.all(Array.from({ length: 8 }, () => client.me()));
      expect(answers.map(({ username }) => username)).toEqual(Array(8).fill(person.username));
      expect(refreshesIn(lines)).toHaveLength(1);
      // The token that came with it is used for the next refresh.
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      expect(await client.me()).toMatchObject({ username: person.username });
    });

    test("drops the tokens and says so where the refresh token is no longer good", async () => {
      let signedOut = 0;
      const tokens = memoryTokens();
      const { client, lines } = await someone({ tokens, onSignedOut: () => (signedOut += 1) });
      server().program.clock.forwardMs(REFRESH_TOKEN_MS);
      const kinds = await Promise.all([kindOf(client.me()), kindOf(client.todos.list())]);
      expect(kinds).toEqual(["unauthorized", "unauthorized"]);
      expect([signedOut, await tokens.get()]).toEqual([1, null]);
      expect(refreshesIn(lines)).toHaveLength(1);
    });

    test("keeps the tokens, and does not try again, where a refresh gets no answer", async () => {
      const person = newPerson();
      let isCut = true;
      const { lines, fetch } = watched((line) =>
        isCut && line.endsWith("/refresh") ? Promise.reject(new TypeError("cut")) : null,
      );
      const client = createClient({ baseUrl: server().origin, surface: "api-v1", fetch });
      await client.register(person);
      await client.login(person);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      expect(await kindOf(client.me())).toBe("network");
      expect(refreshesIn(lines)).toHaveLength(1);
      isCut = false;
      expect(await client.me()).toMatchObject({ username: person.username });
    });

    test("takes turns with others that share its tokens", async () => {
      const held = memoryTokens();
      let queue: Promise<unknown> = Promise.resolve();
      const tokens: TokenStore = {
        ...held,
        exclusively: (work) => {
          const result = queue.then(work);
          queue = result.catch(() => undefined);
          return result;
        },
      };
      const { client, person } = await someone({ tokens });
      const tabs = Array.from({ length: 4 }, () =>
        createClient({ baseUrl: server().origin, surface: "api-v1", tokens }),
      );
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      const seen = await Promise.all([client, ...tabs].map((tab) => tab.me()));
      expect(new Set(seen.map(({ username }) => username))).toEqual(new Set([person.username]));
      expect(await client.sessions.list()).toHaveLength(1);
    });

    test("does not send a call again as somebody else", async () => {
      const { client, person } = await someone();
      const other = newPerson();
      await client.register(other);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      const asked = client.todos.create({ title: `of ${person.username}` });
      const [kind] = await Promise.all([kindOf(asked), client.login(other)]);
      expect(kind).toBe("unauthorized");
      expect(await client.todos.list()).toEqual([]);
    });

    test("is not somebody else because the browser's cookie is, until its own person is back", async () => {
      let told = 0;
      const tokens = memoryTokens();
      const { tab } = browser();
      const [first, other] = [tab({ tokens, onSignedOut: () => (told += 1) }), tab()];
      const [ada, grace] = [newPerson(), newPerson()];
      for (const person of [ada, grace]) await first.register(person);
      await first.login(ada);
      await other.login(grace);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      for (let attempt = 0; attempt < 3; attempt += 1)
        expect(await kindOf(first.todos.create({ title: "Ada's" }))).toBe("unauthorized");
      expect([told, await tokens.get()]).toEqual([1, null]);
      expect(await other.todos.list()).toEqual([]);
      await first.login(ada);
      expect(await first.me()).toMatchObject({ email: ada.email });
      await first.login(grace);
      expect(await first.me()).toMatchObject({ email: grace.email });
    });

    test("is not somebody else because a shared store is, and leaves them what is theirs", async () => {
      let told = 0;
      const tokens = memoryTokens();
      const { client: first, person: ada } = await someone({ tokens, onSignedOut: () => (told += 1) });
      const other = createClient({ baseUrl: server().origin, surface: "api-v1", tokens });
      const grace = newPerson();
      await other.register(grace);
      await other.login(grace);
      for (let attempt = 0; attempt < 3; attempt += 1)
        expect(await kindOf(first.todos.create({ title: "Ada's" }))).toBe("unauthorized");
      expect(told).toBe(1);
      await first.logout();
      expect(await other.me()).toMatchObject({ username: grace.username });
      expect(await other.todos.list()).toEqual([]);
      await other.login(ada);
      expect(await first.me()).toMatchObject({ username: ada.username });
    });

    test("a logout that failed is tried again by the next, and logs nobody in meanwhile", async () => {
      let isCut = false;
      const { fetch } = watched(() => (isCut ? Promise.reject(new TypeError("cut")) : null));
      const tokens = memoryTokens();
      const person = newPerson();
      const client = createClient({ baseUrl: server().origin, surface: "api-v1", tokens, fetch });
      await client.register(person);
      await client.login(person);
      const held = await tokens.get();
      isCut = true;
      expect(await kindOf(client.logout())).toBe("network");
      isCut = false;
      const as = (tokens: TokenStore) =>
        createClient({ baseUrl: server().origin, surface: "api-v1", tokens });
      expect(await as(memoryTokens(held)).me()).toMatchObject({ username: person.username });
      await client.logout();
      expect(await kindOf(as(memoryTokens(held)).me())).toBe("unauthorized");
    });

    test("every client that shares its tokens is told that they are gone", async () => {
      const told: string[] = [];
      const tokens = memoryTokens();
      const { client } = await someone({ tokens, onSignedOut: () => told.push("first") });
      const second = createClient({
        baseUrl: server().origin,
        surface: "api-v1",
        tokens,
        onSignedOut: () => told.push("second"),
      });
      await second.me();
      server().program.clock.forwardMs(REFRESH_TOKEN_MS);
      expect(await kindOf(client.me())).toBe("unauthorized");
      expect(await kindOf(second.me())).toBe("unauthorized");
      expect(told).toEqual(["first", "second"]);
    });

    test("waits for nothing longer than it is told to: neither its turn nor a store", async () => {
      const never = new Promise<never>(() => undefined);
      const slow: TokenStore = { get: () => never, set: () => undefined };
      const busy: TokenStore = { ...memoryTokens(), exclusively: () => never };
      const client = (tokens: TokenStore) =>
        createClient({ baseUrl: server().origin, surface: "api-v1", tokens });
      expect(await kindOf(client(slow).me({ timeoutMs: 20 }))).toBe("timeout");
      expect(await kindOf(client(busy).logout({ timeoutMs: 20 }))).toBe("timeout");
      const { client: patient, person } = await someone();
      expect(await patient.me({ timeoutMs: Infinity })).toMatchObject({ username: person.username });
    });

    test("a caller that gives up waits no longer, and does not take the refresh with it", async () => {
      const person = newPerson();
      const refreshing = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      const { fetch } = watched((line, send) => {
        if (!line.endsWith("/refresh")) return null;
        refreshing.resolve();
        return released.promise.then(send);
      });
      const client = createClient({ baseUrl: server().origin, surface: "api-v1", fetch });
      await client.register(person);
      await client.login(person);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      const controller = new AbortController();
      const given = client.me({ signal: controller.signal });
      const other = client.me();
      await refreshing.promise;
      controller.abort(new Error("changed my mind"));
      await expect(given).rejects.toThrow("changed my mind");
      released.resolve();
      expect(await other).toMatchObject({ username: person.username });
    });

    test("listens once to a signal of many calls, until the last of them has ended", async () => {
      const released = Promise.withResolvers<void>();
      const { fetch } = watched((line, send) =>
        line.endsWith("/todos") ? released.promise.then(send) : null,
      );
      const client = createClient({ baseUrl: server().origin, surface: "v1", fetch, retries: 0 });
      const controller = new AbortController();
      const { signal } = controller;
      const came = spyOn(signal, "addEventListener");
      const went = spyOn(signal, "removeEventListener");
      const listeners = () => came.mock.calls.length - went.mock.calls.length;

      const long = client.todos.list({}, { signal });
      await Promise.all(Array.from({ length: 3 }, () => client.health({ signal })));
      expect([came.mock.calls.length, listeners()]).toEqual([1, 1]);
      released.resolve();
      expect(await kindOf(long)).toBe("unauthorized");
      expect(listeners()).toBe(0);

      const given = Promise.allSettled([client.health({ signal }), client.health({ signal })]);
      expect(listeners()).toBe(1);
      const reason = new Error("enough");
      controller.abort(reason);
      const aborted = { status: "rejected", reason } as const;
      expect(await given).toEqual([aborted, aborted]);
      expect(listeners()).toBe(0);
    });

    test("asks once for a cookie that is not there", async () => {
      const { lines, fetch } = watched();
      const client = createClient({ baseUrl: server().origin, surface: "api-v1", session: "cookie", fetch });
      const kinds = await Promise.all([kindOf(client.me()), kindOf(client.me()), kindOf(client.me())]);
      expect(kinds).toEqual(["unauthorized", "unauthorized", "unauthorized"]);
      expect(refreshesIn(lines)).toHaveLength(1);
    });

    test("asks for a cookie that was not there a minute later, or after a login", async () => {
      const time = movableTime();
      const { tab, lines } = browser();
      const [idle, other] = [tab(), tab()];
      for (let call = 0; call < 25; call += 1) expect(await kindOf(idle.me())).toBe("unauthorized");
      expect(refreshesIn(lines)).toHaveLength(1);

      const ada = newPerson();
      await other.register(ada);
      await other.login(ada);
      expect(await kindOf(idle.me())).toBe("unauthorized");
      time.forwardMs(MINUTE_MS);
      expect(await idle.me()).toMatchObject({ email: ada.email });
      expect(refreshesIn(lines)).toHaveLength(2);

      server().program.clock.forwardMs(REFRESH_TOKEN_MS);
      for (let call = 0; call < 3; call += 1) expect(await kindOf(idle.me())).toBe("unauthorized");
      expect(refreshesIn(lines)).toHaveLength(3);
      await idle.login(ada);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      expect(await idle.me()).toMatchObject({ email: ada.email });
    });

    test("asks as rarely for a cookie that was another's, and is its own person's when they are back", async () => {
      const time = movableTime();
      const { tab, lines } = browser();
      const [first, other] = [tab(), tab()];
      const [ada, grace] = [newPerson(), newPerson()];
      for (const person of [ada, grace]) await first.register(person);
      await first.login(ada);
      await other.login(grace);
      server().program.clock.forwardMs(ACCESS_TOKEN_MS);
      for (let call = 0; call < 3; call += 1) expect(await kindOf(first.me())).toBe("unauthorized");
      expect(refreshesIn(lines)).toHaveLength(1);
      time.forwardMs(MINUTE_MS);
      expect(await kindOf(first.me())).toBe("unauthorized");
      await other.login(ada);
      time.forwardMs(MINUTE_MS);
      expect(await first.me()).toMatchObject({ email: ada.email });
    });

    test("is unauthorized without a token, and keeps the one it has, where too many refreshed", async () => {
      const { app, clock } = await start();
      const baseUrl = app.listen({ host: "127.0.0.1", port: 0 }).url.origin;
      const options = { baseUrl, surface: "api-v1", session: "cookie" } as const;
      const tokens = memoryTokens();
      const person = newPerson();
      const loggedIn = createClient({ ...options, tokens });
      await loggedIn.register(person);
      await loggedIn.login(person);
      const held = await tokens.get();
      clock.forwardMs(ACCESS_TOKEN_MS);
      const statuses: number[] = [];
      for (let refresh = 0; refresh < 21; refresh += 1)
        statuses.push((await fetch(`${baseUrl}/api/v1/users/refresh`, { method: "POST" })).status);
      expect(statuses.slice(-2)).toEqual([401, 429]);
      expect(await kindOf(createClient(options).me())).toBe("unauthorized");
      expect(await kindOf(loggedIn.me())).toBe("rate_limited");
      expect(await tokens.get()).toEqual(held);
      await app.stop(0);
    });
  });

  describe("on v1", () => {
    test("reads lists of any length by cursor", async () => {
      const { client } = await v1();
      const titles = Array.from({ length: 45 }, (_, index) => `todo ${index}`);
      await client.todos.bulk(titles.map((title) => ({ op: "create", title })));
      const all = await collected(client.todos.all({ page_size: 20, sort: "created_at" }));
      expect(all.map(({ title }) => title)).toEqual(titles);
      expect(await client.todos.list({ page: 3, page_size: 20 })).toMatchObject({ total: 45, pages: 3 });
      expect(await collected(client.todos.all({ q: "44" }))).toHaveLength(1);
    });

    test("changes what is still as it was seen", async () => {
      const { client, user } = await v1();
      const { id } = await client.todos.create({ title: "Learn", description: "all", priority: "low" });
      const seen = await client.todos.getTagged(id);
      expect(await client.todos.update(id, { description: null }, { ifMatch: seen.etag })).toMatchObject({
        description: null,
      });
      expect(await kindOf(client.todos.update(id, { title: "x" }, { ifMatch: seen.etag }))).toBe("changed");
      expect(await kindOf(client.todos.delete(id, { ifMatch: seen.etag }))).toBe("changed");
      await client.todos.delete(id);
      expect(await client.users.update(user.id, { full_name: "Ada" })).toMatchObject({ full_name: "Ada" });
      expect((await client.users.getTagged(user.id)).value).toEqual(await client.me());
      expect(await kindOf(client.users.list())).toBe("forbidden");
      expect(await client.health()).toMatchObject({ status: "healthy" });
      await client.logout();
      expect(await kindOf(client.todos.list())).toBe("unauthorized");
    });

    test("makes a thing once though the answer was lost", async () => {
      let lost = 0;
      const { lines, fetch } = watched((line, send) => {
        if (line !== "POST /v1/todos" || lost > 1) return null;
        lost += 1;
        return send().then(() => Promise.reject(new TypeError("connection reset")));
      });
      const { client } = await v1(fetch);
      await client.todos.create({ title: "once" });
      expect(lines.filter((line) => line === "POST /v1/todos")).toHaveLength(3);
      expect(await collected(client.todos.all())).toHaveLength(1);
    });

    test("does not repeat a change, nor anything longer than it was told to", async () => {
      const down = { isDown: false };
      const { lines, fetch } = watched(() =>
        down.isDown ? Promise.resolve(new Response("<h1>Bad Gateway</h1>", { status: 502 })) : null,
      );
      const { client } = await v1(fetch);
      const { id } = await client.todos.create({ title: "a" });
      down.isDown = true;
      lines.length = 0;
      const refused = await failure(client.todos.update(id, { title: "b" }));
      expect(refused).toMatchObject({ kind: "unavailable", status: 502, message: "HTTP 502", fields: [] });
      expect(lines).toHaveLength(1);
      expect(await kindOf(client.todos.get(id))).toBe("unavailable");
      expect(lines).toHaveLength(4);
    });
  });

  describe("on root", () => {
    test("registers with an avatar, changes the account, and makes tokens that log in by themselves", async () => {
      const person = { ...newPerson(), name: "Ada Lovelace", phone: "+49 151 1234567" };
      const client = createClient({ baseUrl: server().origin, surface: "root" });
      const avatar = new Blob([await Bun.file(AVATAR).bytes()]);
      const account = await client.register(person, { avatar });
      expect(account).toMatchObject({
        phone: "+491511234567",
        avatar_url: expect.stringContaining("/uploads/"),
      });
      await client.login(person);
      expect(await client.update({ avatar: null, phone: null })).toMatchObject({ avatar: null, phone: null });
      expect(await client.update({ name: "Ada" }, { avatar })).toMatchObject({ avatar: expect.any(String) });

      const { token, id } = await client.tokens.create({ name: "backup", scopes: ["account:read"] });
      const tokens = memoryTokens({ accessToken: token });
      const program = createClient({ baseUrl: server().origin, surface: "v1", tokens });
      expect(await program.me()).toMatchObject({ username: person.username });
      expect(await kindOf(program.todos.list())).toBe("forbidden");
      await client.tokens.revoke(id);
      expect(await client.tokens.list()).toEqual([]);
      await client.delete();
      expect(await kindOf(client.login(person))).toBe("unauthorized");
    });

    test("holds to a personal token too, and is nobody by it who logged in", async () => {
      const [ada, grace] = [
        { ...newPerson(), name: "Ada" },
        { ...newPerson(), name: "Grace" },
      ];
      const [byToken, byLogin] = [memoryTokens(), memoryTokens()];
      const at = (tokens: TokenStore) =>
        createClient({ baseUrl: server().origin, surface: "root" as const, tokens });
      const [adas, graces] = [at(byToken), at(byLogin)];
      for (const [client, person] of [
        [adas, ada],
        [graces, grace],
      ] as const) {
        await client.register(person);
        await client.login(person);
      }
      const { token } = await adas.tokens.create({ name: "phone" });
      const [personal, login] = [{ accessToken: token }, await byLogin.get()];
      await byToken.set(personal);
      const program = at(byToken);
      expect(await program.me()).toMatchObject({ username: ada.username });
      await byToken.set(login);
      expect(await kindOf(program.me())).toBe("unauthorized");
      await byLogin.set(personal);
      expect(await kindOf(graces.me())).toBe("unauthorized");
    });

    test("runs a back office", async () => {
      const { program } = server();
      const setupToken = setupTokenOf(program.log);
      const admin = createClient({ baseUrl: server().origin, surface: "root", realm: "admin" });
      const person = { ...newPerson(), name: "Root" };
      expect(await kindOf(admin.register(person))).toBe("forbidden");
      await admin.register(person, { setupToken });
      await admin.login(person);
      expect(await admin.me()).toMatchObject({ username: person.username });

      const { person: subject, client, user } = await v1();
      const [found] = await collected(admin.users.all({ search: subject.email, page_size: 1 }));
      expect(found?.id).toBe(user.id);
      await admin.users.block(user.id);
      expect(await kindOf(client.me())).toBe("unauthorized");
      await admin.users.activate(user.id);
      await admin.users.update(user.id, { role: "admin" });
      await client.login(subject);
      expect((await collected(client.users.all({ page_size: 1 }))).length).toBeGreaterThan(1);
      expect(await admin.users.delete(user.id)).toMatchObject({ id: user.id });
      expect(await admin.users.list({ deleted: true, search: subject.email })).toMatchObject({ total: 1 });
      await admin.users.restore(user.id);
      await admin.users.unlock(user.id);
      expect(await admin.users.get(user.id)).toMatchObject({ is_active: true });
      const events = await collected(admin.audit.all({ account: `user:${user.id}`, page_size: 2 }));
      expect(events.map(({ event }) => event)).toContain("account.blocked");

      // A user and an administrator of one id, who share a store, are two.
      const ada = { ...newPerson(), name: "Ada" };
      const tokens = memoryTokens();
      const asUser = createClient({ baseUrl: server().origin, surface: "root", tokens });
      const asAdmin = createClient({ baseUrl: server().origin, surface: "root", realm: "admin", tokens });
      const { id } = await asUser.register(ada);
      await program.database.write((connection) =>
        connection.run("UPDATE admins SET id = $1 WHERE username_key = $2", [id, person.username]),
      );
      await asUser.login(ada);
      await asAdmin.login(person);
      expect(await kindOf(asUser.me())).toBe("unauthorized");
      expect(await asAdmin.me()).toMatchObject({ id, username: person.username });
    });
  });

  describe("an error", () => {
    const wrong = { email: "no address", username: "x", password: PASSWORD, name: "X" };

    test("reads alike on every surface", async () => {
      const baseUrl = server().origin;
      const apiV1 = createClient({ baseUrl, surface: "api-v1" });
      const cookie = createClient({ baseUrl, surface: "api-v1", session: "cookie" });
      const v1 = createClient({ baseUrl, surface: "v1" });
      const root = createClient({ baseUrl, surface: "root" });
      for (const client of [apiV1, cookie, v1, root]) {
        const invalid = await failure(client.register(wrong));
        expect(invalid).toMatchObject({ kind: "invalid", status: 422, requestId: expect.any(String) });
        expect(invalid.fields.map(({ field }) => field)).toContain("email");
        const person = { ...newPerson(), name: "X" };
        await client.register(person);
        expect(await kindOf(client.register(person))).toBe("conflict");
        expect(await kindOf(client.login({ ...person, password: "wrong" }))).toBe("unauthorized");
      }
      expect((await failure(root.login(wrong))).code).toBe("UNAUTHORIZED");
      expect((await failure(apiV1.login(wrong))).code).toBe("invalid_grant");
    });

    test("says when to come again", async () => {
      const client = createClient({ baseUrl: server().origin, surface: "v1" });
      const login = { username: newPerson().username, password: "wrong" };
      for (let attempt = 0; attempt < 5; attempt += 1)
        expect(await kindOf(client.login(login))).toBe("unauthorized");
      const locked = await failure(client.login(login));
      expect(locked).toMatchObject({ kind: "locked", status: 423 });
      expect(locked.retryAfterSeconds).toBeWithin(1, 1_801);
    });

    test("tells a server without its database from a proxy without its server", async () => {
      const { app, database } = await start();
      await database.close();
      const { lines, fetch } = watched();
      const { url } = app.listen({ host: "127.0.0.1", port: 0 });
      const client = createClient({ baseUrl: url.origin, surface: "v1", fetch });
      expect(await client.health()).toMatchObject({
        status: "unhealthy",
        database: { status: "disconnected", current_time: null },
      });
      expect(lines).toEqual(["GET /v1/health"]);
      await app.stop(0);

      const refused = () => Response.json({ detail: "no upstream" }, { status: 503 });
      using proxy = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: refused });
      const proxied = createClient({ baseUrl: proxy.url.origin, surface: "v1", retries: 0 });
      expect(await failure(proxied.health())).toMatchObject({ kind: "unavailable", status: 503 });
    });

    test("tells a server that is not there from one that is slow, and from another's", async () => {
      const nowhere = createClient({ baseUrl: "http://127.0.0.1:1", surface: "v1", retries: 0 });
      expect(await failure(nowhere.health())).toMatchObject({ kind: "network", status: 0 });

      using slow = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: () => new Promise<Response>(() => undefined),
      });
      const waiting = createClient({ baseUrl: slow.url.origin, surface: "v1", timeoutMs: 50 });
      expect(await kindOf(waiting.health())).toBe("timeout");
      expect(await kindOf(waiting.health({ timeoutMs: 20 }))).toBe("timeout");
      await expect(waiting.health({ signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
      await slow.stop(true);

      for (const said of ["hello", ""]) {
        using other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(said) });
        const client = createClient({ baseUrl: other.url.origin, surface: "v1" });
        expect(await kindOf(client.health())).toBe("unexpected");
      }

      // A password is not sent on to wherever an answer points.
      const moved = () => Response.redirect(`${server().origin}/v1/auth/login`, 307);
      using elsewhere = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: moved });
      const misled = createClient({ baseUrl: elsewhere.url.origin, surface: "v1" });
      expect(await kindOf(misled.login({ username: "a", password: "b" }))).toBe("network");
    });
  });
});

const AVATAR = `${import.meta.dir}/../fixtures/images/gps.webp`;

function setupTokenOf(log: readonly string[]): string {
  const line = log
    .map((each): unknown => JSON.parse(each))
    .find((each) => Reflect.get(Object(each), "token"));
  return String(Reflect.get(Object(line), "token"));
}
