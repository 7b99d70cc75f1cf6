import type { Core } from "../../core/core.ts";
import { DESCRIPTION_MAX_CHARACTERS, NAME_MAX_CHARACTERS } from "../../core/items.ts";
import type { Item } from "../../core/items.ts";
import { once } from "../../http/once.ts";
import { pageFields, pageOf, pageRequest, pageView } from "../../http/pages.ts";
import { created, noContent, ok } from "../../http/reply.ts";
import { caller, id, json, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { nullable, t, text } from "../../http/schema.ts";
import type { Static } from "../../http/schema.ts";
import { instant, instantOrNull } from "../../http/time.ts";

const name = () => text({ min: 1, max: NAME_MAX_CHARACTERS, trim: true, example: "Lamp" });
const description = () => nullable(text({ max: DESCRIPTION_MAX_CHARACTERS, example: "For the desk" }));

const ItemInput = t.Object({ name: name(), description: t.Optional(description()) }, { $id: "ItemInput" });

/** What is absent stays as it is; null clears the description. */
const ItemChange = t.Object(
  { name: t.Optional(name()), description: t.Optional(description()) },
  { $id: "ItemChange" },
);

const ItemView = t.Object(
  {
    id: t.Integer({ minimum: 1 }),
    name: t.String({ example: "Lamp" }),
    description: nullable(t.String({ example: "For the desk" })),
    owner_id: t.Integer({ minimum: 1 }),
    created_at: t.String({ format: "date-time" }),
    updated_at: nullable(t.String({ format: "date-time" })),
  },
  { $id: "Item" },
);

const itemId = id("item_id", "item");

/** Seed 002's second domain. */
export function itemRoutes({ items }: Core): readonly Route[] {
  return [
    route("POST", "/items", {
      summary: "Create an item",
      operation: "createItem",
      takes: { caller: caller("user", "todos:write"), item: json(ItemInput), once },
      returns: { 201: ItemView },
      run: ({ caller, item, once }) =>
        once(
          item,
          (also) => items.create(caller, item, also),
          (made: Item) => created(itemView(made)),
        ),
    }),

    route("GET", "/items", {
      summary: "List one's items, newest first",
      operation: "listItems",
      takes: { caller: caller("user", "todos:read"), query: query(t.Object(pageFields)) },
      returns: { 200: pageOf(ItemView) },
      run: async ({ caller, query }) => ok(pageView(await items.list(caller, pageRequest(query)), itemView)),
    }),

    route("GET", "/items/:item_id", {
      summary: "Read an item",
      operation: "readItem",
      takes: { caller: caller("user", "todos:read"), itemId },
      returns: { 200: ItemView },
      run: async ({ caller, itemId }) => ok(itemView(await items.get(caller, itemId))),
    }),

    route("PATCH", "/items/:item_id", {
      summary: "Change an item",
      description: "What is absent stays as it is; null clears the description.",
      operation: "updateItem",
      takes: { caller: caller("user", "todos:write"), itemId, change: json(ItemChange) },
      returns: { 200: ItemView },
      run: async ({ caller, itemId, change }) => ok(itemView(await items.update(caller, itemId, change))),
    }),

    route("DELETE", "/items/:item_id", {
      summary: "Delete an item",
      operation: "deleteItem",
      takes: { caller: caller("user", "todos:write"), itemId },
      returns: { 204: null },
      run: async ({ caller, itemId }) => {
        await items.delete(caller, itemId);
        return noContent();
      },
    }),
  ];
}

function itemView(item: Item): Static<typeof ItemView> {
  return {
    id: item.id,
    name: item.name,
    description: item.description,
    owner_id: item.accountId,
    created_at: instant(item.createdAtMs),
    updated_at: instantOrNull(item.updatedAtMs),
  };
}
