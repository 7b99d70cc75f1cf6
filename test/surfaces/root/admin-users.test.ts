import { describe, expect, test } from "bun:test";
import { forEachEngine, shared } from "../../support/program.ts";
import type { TestProgram } from "../../support/program.ts";
import {
  dataOf,
  failure,
  formOf,
  logIn,
  newcomer,
  PASSWORD,
  SETTINGS,
  signUp,
  signUpAdmin,
} from "./people.ts";
import type { Person } from "./people.ts";

const AGES_AGO_MS = Date.UTC(2020, 0, 1);

/** What a page holds of interest to a test. */
async function list(admin: Person, query: string) {
  const answer = await admin.client.get(`/admin/users?${query}`, { token: admin.token });
  expect([answer.status, query]).toEqual([200, query]);
  const { items, ...page } = dataOf(answer);
  const ids = Array.isArray(items) ? items.map((item: { id: number }) => item.id) : [];
  return { ids, items, ...page };
}

function cursorOf(page: object): unknown {
  return Reflect.get(page, "next_cursor");
}

forEachEngine("root back office", (start) => {
  const program = shared(start, SETTINGS);
  let known: Person | undefined;
  const theAdmin = async () => (known ??= await signUpAdmin(program()));

  async function person(fields: Record<string, string>) {
    const given = { ...newcomer(), ...fields };
    const { id } = dataOf(await program().client().post("/auth/register", given));
    return { ...given, id: Number(id) };
  }

  describe("the list", () => {
    test("answers pages, newest first, of exactly the documented keys, and reads on by cursor", async () => {
      const admin = await theAdmin();
      const ids: number[] = [];
      for (let i = 0; i < 5; i++) ids.unshift((await person({ name: "Of The Pages" })).id);
      const first = await list(admin, "search=of+the+pages&page_size=2");
      expect(first.ids).toEqual(ids.slice(0, 2));
      expect(Object.keys(first).toSorted()).toEqual(
        ["ids", "items", "next_cursor", "page", "page_size", "pages", "total"].toSorted(),
      );
      expect(first).toMatchObject({ total: 5, page: 1, pages: 3, page_size: 2 });
      const third = await list(admin, "search=of+the+pages&page_size=2&page=3");
      expect(third.ids).toEqual(ids.slice(4));
      const cursor = Reflect.get(first, "next_cursor");
      const next = await list(admin, `search=of+the+pages&page_size=2&cursor=${cursor}`);
      expect(next.ids).toEqual(ids.slice(2, 4));
      expect(Object.keys(next)).not.toContain("total");
    });

    test("has who came by an import where they belong by their age, by number, cursor and search", async () => {
      const admin = await theAdmin();
      const first = await person({ name: "Ageing First" });
      const last = await person({ name: "Ageing Last" });
      const later = await importOne(program(), "Ageing Later", AGES_AGO_MS + 1);
      const earlier = await importOne(program(), "Ageing Earlier", AGES_AGO_MS);
      const atOnce = await importOne(program(), "Ageing At Once", AGES_AGO_MS);
      const newestFirst = [last, first, later, atOnce, earlier].map(({ id }) => id);

      const pages = async (query: string) => {
        let page = await list(admin, query);
        const ids = [...page.ids];
        for (let cursor = cursorOf(page); cursor !== null; cursor = cursorOf(page)) {
          page = await list(admin, `${query}&cursor=${cursor}`);
          ids.push(...page.ids);
        }
        return ids;
      };
      expect(await pages("search=ageing&page_size=2")).toEqual(newestFirst);
      expect((await list(admin, "search=ageing&page_size=2&page=2")).ids).toEqual(newestFirst.slice(2, 4));
      const everybody = await pages("page_size=2");
      expect(everybody.slice(-3)).toEqual(newestFirst.slice(2));
      expect(new Set(everybody).size).toBe(everybody.length);
      expect((await list(admin, "page_size=100")).ids).toEqual(everybody);
    });

    test("searches e-mail, username, name and phone, in any case and from one letter on", async () => {
      const admin = await theAdmin();
      const { id, email } = await person({
        username: "Zq-Sought.Name",
        name: "Ünïque Þórr ✓",
        phone: "+354 555 0199",
      });
      for (const search of [
        email,
        email.slice(0, -4).toUpperCase(),
        "zq-SOUGHT",
        "ÜNÏQUE",
        "ïque þó",
        "Þ",
        "✓",
        "5550199",
        "+354 555 0199",
        " +354 (555) 01",
        "+354-555",
        "qu",
      ]) {
        expect([search, (await list(admin, new URLSearchParams({ search }).toString())).ids]).toEqual([
          search,
          [id],
        ]);
      }
      expect((await list(admin, "search=nobody+of+this+name")).ids).toEqual([]);
      const everybody = await list(admin, "");
      expect((await list(admin, "search=")).ids).toEqual(everybody.ids);
    });

    test("takes what is special to a pattern, or to a query, for itself", async () => {
      const admin = await theAdmin();
      const special = await person({ name: `100%_sure "OR" \\ (it's) * near^` });
      await person({ name: "100 and surely something else" });
      for (const search of [
        "%",
        "0%_s",
        "_sure",
        "%_",
        "0%_",
        "%_su",
        '"OR"',
        "\\",
        "'s)",
        " * n",
        "r^",
        `"or" \\ (`,
      ]) {
        const found = await list(admin, new URLSearchParams({ search }).toString());
        expect([search, found.ids, Reflect.get(found, "total")]).toEqual([search, [special.id], 1]);
      }
    });

    test("finds who changed by what they are now, and not by what they were", async () => {
      const admin = await theAdmin();
      const { id } = await person({ name: "Formerly Known" });
      await admin.client.put(`/admin/users/${id}`, { name: "Presently Known" }, { token: admin.token });
      expect((await list(admin, "search=formerly")).ids).toEqual([]);
      expect((await list(admin, "search=presently")).ids).toEqual([id]);
    });

    test("filters by is_active and deleted, and counts what it filters, with and without a search", async () => {
      const admin = await theAdmin();
      const { client, token } = admin;
      const totals = async (query = "") =>
        Promise.all(
          ["", "is_active=true", "is_active=false", "deleted=true", "deleted=true&is_active=false"].map(
            async (filter) => Number(Reflect.get(await list(admin, `${filter}${query}`), "total")),
          ),
        );
      const before = await totals();
      const people: number[] = [];
      for (let i = 0; i < 4; i++) people.push((await person({ name: "Counted One" })).id);
      const [blocked = 0, deleted = 0, both = 0] = people;
      await client.patch(`/admin/users/${blocked}/block`, undefined, { token });
      await client.patch(`/admin/users/${blocked}/block`, undefined, { token });
      await client.delete(`/admin/users/${deleted}`, { token });
      await client.patch(`/admin/users/${both}/block`, undefined, { token });
      await client.delete(`/admin/users/${both}`, { token });
      expect(await totals("&search=counted+one")).toEqual([2, 1, 1, 2, 1]);
      expect((await totals()).map((total, at) => total - (before[at] ?? 0))).toEqual([2, 1, 1, 2, 1]);
      expect((await list(admin, "search=counted&is_active=false")).ids).toEqual([blocked]);
      expect((await list(admin, "search=counted&deleted=true")).ids).toEqual([both, deleted]);
      await client.patch(`/admin/users/${deleted}/restore`, undefined, { token });
      await client.patch(`/admin/users/${blocked}/activate`, undefined, { token });
      expect((await totals()).map((total, at) => total - (before[at] ?? 0))).toEqual([3, 3, 0, 1, 1]);
    });

    test("S27 refuses pages out of bounds, and cursors that are forged or of another list", async () => {
      const admin = await theAdmin();
      await signUp(program());
      await signUp(program());
      const cursor = String(Reflect.get(await list(admin, "page_size=1"), "next_cursor"));
      for (const query of [
        "page=0",
        "page=-1",
        "page=1000000000",
        "page_size=0",
        "page_size=101",
        "page_size=x",
        "is_active=maybe",
        "cursor=x",
        `cursor=${cursor.slice(0, -1)}`,
        `cursor=${cursor}&deleted=true`,
        `cursor=${cursor}&is_active=true`,
        `cursor=${cursor}&search=abc`,
      ]) {
        const answer = await admin.client.get(`/admin/users?${query}`, { token: admin.token });
        expect([query, answer.status]).toEqual([query, 422]);
      }
      expect((await list(admin, `page_size=1&cursor=${cursor}`)).ids).toHaveLength(1);
    });
  });

  describe("one user", () => {
    test("is read, changed, deleted and restored, deleted or not", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      const path = `/admin/users/${user.id}`;
      const before = dataOf(await client.get(path, { token }));
      expect(before).toMatchObject({ id: user.id, email: user.email });
      const changed = await client.put(
        path,
        { name: "Changed", phone: "+49 151 7654321", is_active: false },
        { token },
      );
      expect(dataOf(changed)).toEqual({ ...before, name: "Changed", phone: "+491517654321" });
      for (let i = 0; i < 2; i++) {
        const deleted = await client.delete(path, { token });
        expect(deleted.status).toBe(200);
        expect(dataOf(deleted)["id"]).toBe(user.id);
      }
      expect(dataOf(await client.get(path, { token }))).toEqual(dataOf(changed));
      expect(dataOf(await client.put(path, { name: "Late" }, { token }))["name"]).toBe("Late");
      expect((await user.client.get("/users/me", { token: user.token })).status).toBe(401);
      for (let i = 0; i < 2; i++)
        expect((await client.patch(`${path}/restore`, undefined, { token })).status).toBe(200);
      expect((await user.client.get("/users/me", { token: user.token })).status).toBe(401);
      const again = await logIn(user.client, "/auth", user.username);
      expect(dataOf(await user.client.get("/users/me", { token: again }))["name"]).toBe("Late");
    });

    test("takes what several do to it at one moment, and the trail tells once what happened once", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      const path = `/admin/users/${user.id}`;
      const asked = { token };
      const act = (verb: string) => client.patch(`${path}/${verb}`, undefined, asked);
      const remove = () => client.delete(path, asked);
      const change = () => client.put(path, { name: "Beside" }, asked);
      const statuses = async (acts: readonly (() => Promise<{ readonly status: number }>)[]) =>
        (await Promise.all(acts.map((each) => each()))).map(({ status }) => status);
      const told = async (event: string) => {
        const trail = await client.get(`/admin/audit?account=user:${user.id}&event=${event}`, asked);
        return Array.from(Object(dataOf(trail)["items"])).length;
      };
      for (let round = 1; round <= 3; round += 1) {
        expect(await statuses([remove, () => act("block"), change, remove])).toEqual([200, 200, 200, 200]);
        const restore = () => act("restore");
        expect(await statuses([restore, () => act("activate"), restore])).toEqual([200, 200, 200]);
        expect(await told("account.deleted")).toBe(round);
        expect(await told("account.restored")).toBe(round);
      }
      expect(dataOf(await client.get(path, asked))).toMatchObject({ name: "Beside" });
    });

    test("gets a role and a password without the current one", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      const path = `/admin/users/${user.id}`;
      expect((await client.put(path, { role: "root" }, { token })).status).toBe(422);
      const raw = formOf({ role: "admin", password: "given phrase", email: "" });
      expect((await client.send("PUT", path, { raw, token })).status).toBe(200);
      expect((await user.client.get("/users/me", { token: user.token })).status).toBe(401);
      const form = { username: user.username, password: "given phrase" };
      const login = await user.client.post("/auth/login", undefined, { form });
      const account = await user.client.get("/api/v1/users/1", {
        token: String(dataOf(login)["access_token"]),
      });
      expect([200, 404]).toContain(account.status);
    });

    test("is unlocked, and may try again at once", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      const form = { username: user.username, password: "wrong" };
      for (let i = 0; i < 5; i++) await user.client.post("/auth/login", undefined, { form });
      const right = { form: { username: user.username, password: PASSWORD } };
      expect((await user.client.post("/auth/login", undefined, right)).status).toBe(423);
      const unlocked = await client.patch(`/admin/users/${user.id}/unlock`, undefined, { token });
      expect(dataOf(unlocked)["id"]).toBe(user.id);
      for (let i = 0; i < 4; i++)
        expect((await user.client.post("/auth/login", undefined, { form })).status).toBe(401);
      expect((await user.client.post("/auth/login", undefined, right)).status).toBe(200);
    });

    test("S12 a blocked user's tokens are refused at once, and good again afterwards", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      await client.patch(`/admin/users/${user.id}/block/`, undefined, { token });
      expect((await user.client.get("/users/me", { token: user.token })).status).toBe(401);
      await client.patch(`/admin/users/${user.id}/activate`, undefined, { token });
      expect((await user.client.get("/users/me", { token: user.token })).status).toBe(200);
    });

    test("S22 every route with an id: 404 for nobody, 422 for no id, 401 for all but administrators", async () => {
      const { client, token } = await theAdmin();
      const user = await signUp(program());
      const routes = [
        ["GET", ""],
        ["PUT", ""],
        ["DELETE", ""],
        ...["activate", "block", "unlock", "restore"].map((verb) => ["PATCH", `/${verb}`]),
      ] as const;
      for (const [method = "", rest = ""] of routes) {
        const send = (id: string | number, as?: string) =>
          client.send(method, `/admin/users/${id}${rest}`, {
            token: as,
            ...(method === "PUT" ? { json: { name: "Changed By Nobody" } } : {}),
          });
        for (const id of [999_999, "9007199254740993", "99999999999999999999"]) {
          const answer = await send(id, token);
          expect([method, rest, answer.status]).toEqual([method, rest, 404]);
          expect(answer.body).toEqual(failure("NOT_FOUND", "User not found"));
        }
        for (const id of ["0", "-1", "1e3", "0x10", "me", "%FF"])
          expect([method, rest, id, (await send(id, token)).status]).toEqual([method, rest, id, 422]);
        for (const as of [undefined, user.token, "nonsense"]) {
          expect((await send(user.id, as)).status).toBe(401);
        }
      }
      expect(dataOf(await user.client.get("/users/me", { token: user.token }))["name"]).not.toContain(
        "Nobody",
      );
    });

    test("S22 an administrator who is blocked or deleted may nothing any more", async () => {
      const admin = await theAdmin();
      const { client, id, token } = await signUpAdmin(program(), admin);
      const set = (sql: string) =>
        program().database.write((connection) =>
          connection.run(`UPDATE admins SET ${sql} WHERE id = $1`, [id]),
        );
      expect((await client.get("/admin/users", { token })).status).toBe(200);
      await set("is_active = FALSE");
      expect((await client.get("/admin/users", { token })).status).toBe(401);
      await set("is_active = TRUE, deleted_at_ms = 1");
      expect((await client.get("/admin/users", { token })).status).toBe(401);
    });
  });

  test("the log says what an administrator did, and to whom", async () => {
    const admin = await theAdmin();
    const user = await signUp(program());
    for (const verb of ["block", "activate", "unlock"])
      await admin.client.patch(`/admin/users/${user.id}/${verb}`, undefined, { token: admin.token });
    await admin.client.put(`/admin/users/${user.id}`, { role: "admin" }, { token: admin.token });
    await admin.client.delete(`/admin/users/${user.id}`, { token: admin.token });
    await admin.client.patch(`/admin/users/${user.id}/restore`, undefined, { token: admin.token });
    expect(eventsOf(program(), user.id, `admin:${admin.id}`)).toEqual([
      "account.blocked",
      "account.activated",
      "account.unlocked",
      "account.role_set",
      "account.deleted",
      "account.restored",
    ]);
  });
});

/** As an import writes one down: an old account under a new id. */
function importOne({ core }: TestProgram, name: string, createdAtMs: number) {
  const { email, username } = newcomer();
  return core.store.write((tx) =>
    tx.accounts("user").insert({
      email,
      username,
      usernameKey: username.toLowerCase(),
      name,
      phone: null,
      passwordHash: "none",
      createdAtMs,
    }),
  );
}

function eventsOf(program: TestProgram, account: number, by: string): readonly string[] {
  return program.log
    .map((line) => JSON.parse(line))
    .filter((line) => line.account === account && line.by === by)
    .map(({ event }) => event);
}
