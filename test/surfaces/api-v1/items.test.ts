import { describe, expect, test } from "bun:test";
import { SECOND_MS } from "../../../src/core/clock.ts";
import { field, numberField } from "../../support/client.ts";
import type { Answer } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { signUp } from "./people.ts";
import type { Person } from "./people.ts";

const ITEMS = "/api/v1/items";

forEachEngine("api-v1 items", (start) => {
  const program = shared(start);

  const create = ({ client, token }: Person, json: unknown): Promise<Answer> =>
    client.post(ITEMS, json, { token });
  const createdId = async (person: Person, name: string) => numberField(await create(person, { name }), "id");
  const read = ({ client, token }: Person, query: string) => client.get(`${ITEMS}${query}`, { token });

  test("S23 create answers 201 and the whole item, its name trimmed, whatever else the body says", async () => {
    const alice = await signUp(program());
    const answer = await create(alice, {
      name: "  Lamp ",
      description: "For the desk",
      id: 1,
      owner_id: 1,
      user_id: 1,
      created_at: null,
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      id: expect.any(Number),
      name: "Lamp",
      description: "For the desk",
      owner_id: alice.id,
      created_at: "2026-01-04T10:00:00.000Z",
      updated_at: null,
    });
  });

  test("limits count characters", async () => {
    const alice = await signUp(program());
    for (const [item, status] of [
      [{ name: "😀".repeat(255) }, 201],
      [{ name: "😀".repeat(256) }, 422],
      [{ name: "  " }, 422],
      [{}, 422],
      [{ name: null }, 422],
      [{ name: "n", description: "é".repeat(1_000) }, 201],
      [{ name: "n", description: "é".repeat(1_001) }, 422],
      [{ name: "n", description: null }, 201],
    ] as const) {
      expect((await create(alice, item)).status).toBe(status);
    }
  });

  describe("change", () => {
    test("leaves what is absent, clears a description that is null, and notes when", async () => {
      const alice = await signUp(program());
      const { client, token } = alice;
      const before = await create(alice, { name: "Lamp", description: "kept" });
      const path = `${ITEMS}/${numberField(before, "id")}`;
      program().clock.forwardMs(SECOND_MS);
      const renamed = await client.patch(path, { name: " Light ", owner_id: 1 }, { token });
      expect(renamed.status).toBe(200);
      expect(renamed.body).toEqual({
        ...Object(before.body),
        name: "Light",
        updated_at: new Date(program().clock.nowMs()).toISOString(),
      });
      expect(field(await client.patch(path, { description: null }, { token }), "description")).toBeNull();
      expect((await client.get(path, { token })).body).toEqual({
        ...Object(renamed.body),
        description: null,
      });
    });

    test("of nothing is no change", async () => {
      const alice = await signUp(program());
      const made = await create(alice, { name: "Lamp" });
      const path = `${ITEMS}/${numberField(made, "id")}`;
      for (const nothing of [{}, { owner_id: 1 }]) {
        const answer = await alice.client.patch(path, nothing, { token: alice.token });
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual(made.body);
      }
    });

    test("refuses a name that is null or empty", async () => {
      const alice = await signUp(program());
      const path = `${ITEMS}/${await createdId(alice, "Lamp")}`;
      for (const name of [null, "", "   ", 7]) {
        const answer = await alice.client.patch(path, { name }, { token: alice.token });
        expect(answer.status).toBe(422);
        expect(answer.body).toMatchObject({ errors: [{ field: "body.name" }] });
      }
    });
  });

  test("S22 another's item is as if it were not there; an administrator may do everything with it", async () => {
    const alice = await signUp(program());
    const bob = await signUp(program());
    const admin = await signUp(program(), { role: "admin" });
    const path = `${ITEMS}/${await createdId(alice, "Lamp")}`;
    const attempts = ({ client, token }: Person, at: string) => [
      () => client.get(at, { token }),
      () => client.patch(at, { name: "Mine" }, { token }),
      () => client.delete(at, { token }),
    ];
    for (const attempt of [...attempts(bob, path), ...attempts(alice, `${ITEMS}/999999`)]) {
      const answer = await attempt();
      expect(answer.status).toBe(404);
      expect(answer.body).toEqual({ detail: "Item not found" });
    }
    const statuses: number[] = [];
    for (const attempt of attempts(admin, path)) statuses.push((await attempt()).status);
    expect(statuses).toEqual([200, 200, 204]);
    expect((await alice.client.get(path, { token: alice.token })).status).toBe(404);
    for (const attempt of attempts({ ...alice, token: "nothing" }, path))
      expect((await attempt()).status).toBe(401);
  });

  test("delete answers 204, and then 404", async () => {
    const alice = await signUp(program());
    const path = `${ITEMS}/${await createdId(alice, "Lamp")}`;
    const deleted = await alice.client.delete(path, { token: alice.token });
    expect(deleted.status).toBe(204);
    expect(deleted.body).toBeUndefined();
    expect((await alice.client.delete(path, { token: alice.token })).status).toBe(404);
  });

  describe("list", () => {
    const fill = async (person: Person, count: number) => {
      const ids: number[] = [];
      for (let n = 1; n <= count; n += 1) {
        ids.unshift(await createdId(person, `item ${n}`));
        // Two items share each moment: the id decides between them.
        if (n % 2 === 0) program().clock.forwardMs(SECOND_MS);
      }
      return ids;
    };
    const idsOf = (answer: Answer): unknown => {
      const items = field(answer, "items");
      return Array.isArray(items) ? items.map(({ id }) => id) : items;
    };

    test("by number says where it lies, newest first, and holds one's own alone", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const ids = await fill(alice, 5);
      await createdId(bob, "another's");
      const first = await read(alice, "?page_size=2");
      expect(first.status).toBe(200);
      expect(first.body).toEqual({
        items: [expect.objectContaining({ id: ids[0] }), expect.objectContaining({ id: ids[1] })],
        total: 5,
        page: 1,
        page_size: 2,
        pages: 3,
        next_cursor: expect.any(String),
      });
      const last = await read(alice, "?page_size=2&page=3");
      expect(idsOf(last)).toEqual(ids.slice(4));
      expect(field(last, "next_cursor")).toBeNull();
      expect(idsOf(await read(alice, "?page=4&page_size=2"))).toEqual([]);
      expect((await read(alice, "")).body).toMatchObject({ page: 1, page_size: 20, pages: 1 });
    });

    test("by cursor reads every item once, also while others come and go", async () => {
      const alice = await signUp(program());
      const ids = await fill(alice, 7);
      const seen: unknown[] = [];
      let query = "?page_size=2";
      for (;;) {
        const answer = await read(alice, query);
        seen.push(...[idsOf(answer)].flat());
        const cursor = field(answer, "next_cursor");
        if (cursor === null) break;
        await createdId(alice, "came in between");
        query = `?page_size=2&cursor=${cursor}`;
        expect(Object.keys(Object((await read(alice, query)).body)).toSorted()).toEqual([
          "items",
          "next_cursor",
          "page_size",
        ]);
      }
      expect(seen).toEqual(ids);
    });

    test("S27 out of range, forged and foreign: 422", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      await fill(alice, 2);
      await fill(bob, 2);
      const cursor = field(await read(bob, "?page_size=1"), "next_cursor");
      expect((await read(bob, `?cursor=${cursor}`)).status).toBe(200);
      for (const query of [
        "?page=0",
        "?page=-1",
        "?page=1e9",
        "?page=1000000000",
        "?page=one",
        "?page_size=0",
        "?page_size=-1",
        "?page_size=101",
        "?page_size=1000000000",
        `?cursor=${cursor}`,
        "?cursor=",
        "?cursor=abc",
        `?cursor=${cursor}x`,
      ]) {
        expect((await read(alice, query)).status).toBe(422);
      }
      expect((await read(bob, `?cursor=${cursor}&page=1`)).status).toBe(422);
    });
  });

  test("an item's id is a positive integer, and one beyond all ids belongs to none", async () => {
    const alice = await signUp(program());
    for (const [id, status] of [
      ["0", 422],
      ["-1", 422],
      ["1e3", 422],
      ["x", 422],
      ["9007199254740993", 404],
    ] as const) {
      expect((await read(alice, `/${id}`)).status).toBe(status);
    }
  });
});
