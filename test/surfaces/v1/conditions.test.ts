import { describe, expect, test } from "bun:test";
import { numberField } from "../../support/client.ts";
import type { Answer } from "../../support/client.ts";
import { forEachEngine, shared } from "../../support/program.ts";
import { expectFailure, PASSWORD, signUp } from "./people.ts";
import type { Person } from "./people.ts";

const TODOS = "/v1/todos";
const CHANGED = "has changed since it was read: read it again";

function tagOf(answer: Answer): string {
  const tag = answer.headers.get("etag");
  if (tag === null) throw new Error("the answer has no ETag");
  return tag;
}

forEachEngine("v1 conditional requests", (start) => {
  const program = shared(start, { RATE_LIMIT_ENABLED: "false" });

  const newTodo = async (person: Person) => {
    const answer = await person.post(TODOS, { title: "A todo" });
    return { path: `${TODOS}/${numberField(answer, "id")}`, tag: tagOf(answer) };
  };

  describe("a tag", () => {
    test("is strong, the same on every answer, and another after each change within one millisecond", async () => {
      const alice = await signUp(program());
      const { path, tag } = await newTodo(alice);
      expect(tag).toMatch(/^"[^"]+"$/);
      expect(tagOf(await alice.get(path))).toBe(tag);
      const tags = new Set([tag]);
      for (let step = 1; step <= 5; step += 1) {
        const changed = await alice.patch(path, { completed: step % 2 === 1 });
        expect(tagOf(await alice.get(path))).toBe(tagOf(changed));
        tags.add(tagOf(changed));
      }
      expect(tags.size).toBe(6);
      expect(tagOf(await alice.client.send("HEAD", path, { token: alice.token }))).toBe(
        tagOf(await alice.get(path)),
      );
    });

    test("of a user changes with every field that can be seen, and with the password", async () => {
      const admin = await signUp(program(), { role: "admin" });
      const alice = await signUp(program());
      const path = `/v1/users/${alice.id}`;
      const tags = [tagOf(await alice.get("/v1/auth/me"))];
      expect(tagOf(await alice.get(path))).toBe(tags.join());
      for (const change of [
        { full_name: "Other" },
        { full_name: null },
        { is_active: true },
        { password: "another-password" },
      ]) {
        const answer = await admin.patch(path, change);
        expect(answer.status).toBe(200);
        expect(tagOf(await admin.get(path))).toBe(tagOf(answer));
        tags.push(tagOf(answer));
      }
      expect(new Set(tags).size).toBe(tags.length);
    });
  });

  describe("If-None-Match", () => {
    test("answers 304 without a body to who has it already", async () => {
      const alice = await signUp(program());
      const { path, tag } = await newTodo(alice);
      const me = tagOf(await alice.get("/v1/auth/me"));
      for (const [at, condition] of [
        [path, tag],
        [path, `W/${tag}`],
        [path, `"other", ${tag}`],
        [path, "*"],
        [`/v1/users/${alice.id}`, me],
        ["/v1/auth/me", me],
      ] as const) {
        const answer = await alice.get(at, { "if-none-match": condition });
        expect(answer.status).toBe(304);
        expect(answer.body).toBeUndefined();
        expect(tagOf(answer)).toBe(at === path ? tag : me);
        expect(answer.headers.get("cache-control")).toBe("no-store");
      }
    });

    test("answers the whole to who has something else, or no right to see it", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const { path, tag } = await newTodo(alice);
      for (const condition of ['"other"', "", "nonsense", tag.slice(1), `"${"x".repeat(4_000)}"`]) {
        expect((await alice.get(path, { "if-none-match": condition })).status).toBe(200);
      }
      expect((await bob.get(path, { "if-none-match": tag })).status).toBe(403);
      await alice.patch(path, { completed: true });
      expect((await alice.get(path, { "if-none-match": tag })).status).toBe(200);
    });
  });

  describe("If-Match", () => {
    test("lets a change through where nobody was faster", async () => {
      const alice = await signUp(program());
      const { path, tag } = await newTodo(alice);
      const second = tagOf(await alice.patch(path, { title: "Two" }, { "if-match": tag }));
      const third = tagOf(await alice.patch(path, { title: "Three" }, { "if-match": `"other" , ${second}` }));
      await alice.patch(path, { title: "Four" }, { "if-match": "*" });
      expectFailure(await alice.delete(path, { "if-match": third }), 412, `Todo ${CHANGED}`);
      const last = tagOf(await alice.get(path));
      expect((await alice.delete(path, { "if-match": last })).status).toBe(204);
      expectFailure(await alice.delete(path, { "if-match": last }), 404, "Todo not found");
    });

    test("refuses what no longer is, is of another todo, or was weakened, and changes nothing", async () => {
      const alice = await signUp(program());
      const { path, tag } = await newTodo(alice);
      const other = await newTodo(alice);
      for (const condition of [
        other.tag,
        `W/${tag}`,
        "nonsense",
        "",
        '"1"',
        tag.replaceAll('"', ""),
        '"*"',
      ]) {
        expectFailure(
          await alice.patch(path, { title: "Lost" }, { "if-match": condition }),
          412,
          `Todo ${CHANGED}`,
        );
        expectFailure(await alice.delete(path, { "if-match": condition }), 412, `Todo ${CHANGED}`);
      }
      expect((await alice.get(path)).body).toMatchObject({ title: "A todo", updated_at: null });
      expect((await alice.patch(path, {}, { "if-match": other.tag })).status).toBe(412);
    });

    test("comes after the question whose it is", async () => {
      const alice = await signUp(program());
      const bob = await signUp(program());
      const { path, tag } = await newTodo(alice);
      for (const condition of [tag, '"other"']) {
        expect((await bob.patch(path, { title: "Mine" }, { "if-match": condition })).status).toBe(403);
        expect((await bob.delete(path, { "if-match": condition })).status).toBe(403);
      }
      expect((await alice.patch(path, { title: 5 }, { "if-match": '"other"' })).status).toBe(422);
    });

    test("lets one of two clients through who change the same todo at once, every time", async () => {
      const alice = await signUp(program());
      const { path } = await newTodo(alice);
      for (let round = 0; round < 10; round += 1) {
        const tag = tagOf(await alice.get(path));
        const titles = ["one", "two", "three"].map((name) => `${name} of round ${round}`);
        const answers = await Promise.all(
          titles.map((title) => alice.patch(path, { title }, { "if-match": tag })),
        );
        expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412]);
        const winner = answers.findIndex(({ status }) => status === 200);
        expect((await alice.get(path)).body).toMatchObject({ title: titles[winner] });
      }
      const tag = tagOf(await alice.get(path));
      const [changed, deleted] = await Promise.all([
        alice.patch(path, { title: "Kept" }, { "if-match": tag }),
        alice.delete(path, { "if-match": tag }),
      ]);
      expect(["200 412", "404 204", "412 204"]).toContain(`${changed.status} ${deleted.status}`);
    });

    test("holds for users, and for a new password", async () => {
      const alice = await signUp(program());
      const path = `/v1/users/${alice.id}`;
      const tag = tagOf(await alice.get(path));
      const answers = await Promise.all(
        ["A", "B"].map((name) => alice.patch(path, { full_name: name }, { "if-match": tag })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
      const change = { password: "another-password", current_password: PASSWORD };
      for (let attempt = 0; attempt < 7; attempt += 1) {
        expectFailure(await alice.patch(path, change, { "if-match": tag }), 412, `User ${CHANGED}`);
      }
      expectFailure(await alice.delete(path, { "if-match": tag }), 412, `User ${CHANGED}`);
      const now = tagOf(await alice.get(path));
      expect((await alice.patch(path, change, { "if-match": now })).status).toBe(200);
    });
  });
});
