import type { Page, PageRequest } from "../core/pages.ts";
import { Fault } from "../core/fault.ts";
import type { Exchange } from "./exchange.ts";
import { t, text } from "./schema.ts";
import type { TSchema } from "./schema.ts";

const PAGE_SIZE = 20;
const PAGE_SIZE_MAX = 100;
/** Beyond it a list is read by cursor: a numbered page costs more the deeper it is. */
const PAGE_MAX = 1_000_000;
/** A cursor holds a value that rows are sorted by, at most a title. */
const CURSOR_MAX_CHARACTERS = 4_096;

type Rel = "first" | "prev" | "next" | "last";

interface Link {
  readonly rel: Rel;
  readonly text: string;
}

/** What is left out first where a long search stands in each of them. */
const LEAST_NEEDED: readonly Rel[] = ["last", "first", "prev", "next"];
/** Many proxies take 4 kB for the head of an answer, and put a 502 in the place of one that has more. */
const LINKS_MAX_CHARACTERS = 3_000;

/** What a route documents whose pages come with `pageLinks`. */
export const LINKED = {
  Link: "Where the page's neighbours are, as `first`, `prev`, `next` and `last` (RFC 8288)",
};

/** The fields of a query that say which page is wanted; a list adds its filters beside them. */
export const pageFields = {
  // Without a default of its own: beside a cursor there is none, and clients would send it along.
  page: t.Optional(
    t.Integer({
      minimum: 1,
      maximum: PAGE_MAX,
      description: "1 where neither it nor `cursor` is given",
    }),
  ),
  page_size: t.Optional(t.Integer({ minimum: 1, maximum: PAGE_SIZE_MAX, default: PAGE_SIZE })),
  cursor: t.Optional(
    text({ max: CURSOR_MAX_CHARACTERS, description: "A page's `next_cursor`, in place of `page`" }),
  ),
};

export interface PageQuery {
  readonly page?: number;
  readonly page_size?: number;
  readonly cursor?: string;
}

export function pageRequest({ page, page_size: size = PAGE_SIZE, cursor }: PageQuery): PageRequest {
  if (cursor === undefined) return { size, page: page ?? 1 };
  if (page !== undefined) throw Fault.invalid("query", "page", "Input should be left out beside a cursor");
  return { size, cursor };
}

/** The shape of a page; one that was asked for by a cursor leaves out what would have to be counted. */
export const pageOf = <S extends TSchema>(item: S) =>
  t.Object(
    {
      items: t.Array(item),
      total: t.Optional(t.Integer()),
      page: t.Optional(t.Integer()),
      page_size: t.Integer(),
      pages: t.Optional(t.Integer()),
      next_cursor: t.Union([t.String(), t.Null()]),
    },
    item.$id === undefined ? {} : { $id: `${item.$id}Page` },
  );

export function pageView<Row, View>(
  { items, size, nextCursor, numbered }: Page<Row>,
  view: (row: Row) => View,
) {
  return {
    items: items.map(view),
    ...(numbered === null ? {} : { total: numbered.total, page: numbered.page }),
    page_size: size,
    ...(numbered === null ? {} : { pages: numbered.pages }),
    next_cursor: nextCursor,
  };
}

/**
 * Where the neighbours of a page are (RFC 8288), for clients that follow links rather than build addresses. The
 * addresses are paths: the server does not know by what name it was reached. They repeat what the list knows of
 * the query, and nothing else of it.
 */
export function pageLinks<Row>(
  exchange: Exchange,
  query: PageQuery & Readonly<Record<string, unknown>>,
  page: Page<Row>,
): Record<string, string> {
  const { page: _page, cursor: _cursor, ...filters } = query;
  const link = (rel: Rel, at: Readonly<Record<string, string | number>>): Link => {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...filters, ...at })) given.set(name, String(value));
    return { rel, text: `<${exchange.publicPath(exchange.path)}?${given}>; rel="${rel}"` };
  };
  const links = page.numbered === null ? [] : numberedLinks(page.numbered, link);
  if (page.numbered === null && page.nextCursor !== null)
    links.push(link("next", { cursor: page.nextCursor }));
  const header = headerOf(links);
  return header === "" ? {} : { link: header };
}

function headerOf(links: readonly Link[]): string {
  const header = links.map(({ text }) => text).join(", ");
  if (header.length <= LINKS_MAX_CHARACTERS) return header;
  const leastNeeded = LEAST_NEEDED.find((rel) => links.some((link) => link.rel === rel));
  return headerOf(links.filter(({ rel }) => rel !== leastNeeded));
}

function numberedLinks(
  { page, pages }: { readonly page: number; readonly pages: number },
  link: (rel: Rel, at: Readonly<Record<string, number>>) => Link,
): Link[] {
  const last = Math.max(pages, 1);
  return [
    link("first", { page: 1 }),
    ...(page > 1 ? [link("prev", { page: Math.min(page - 1, last) })] : []),
    ...(page < last ? [link("next", { page: page + 1 })] : []),
    link("last", { page: last }),
  ];
}
