import type { CallOptions, Listing } from "./api.ts";

interface PageOf<Row> {
  readonly items: readonly Row[];
  readonly next_cursor: string | null;
}

/** `list` reads one page; from it follows how all of them are read. */
export function listing<
  Row,
  Page extends PageOf<Row>,
  Query extends { readonly cursor?: string | undefined },
>(
  list: (query: Query | { cursor?: string }, options: CallOptions | undefined) => Promise<Page>,
): Listing<Page, Row, Query> {
  return {
    list: (query, options) => list(query ?? {}, options),
    async *all(query, options) {
      let page = await list(query ?? {}, options);
      yield* page.items;
      // Nor for ever where a server says nothing of a next page.
      while (page.next_cursor != null) {
        page = await list({ ...query, cursor: page.next_cursor }, options);
        yield* page.items;
      }
    },
  };
}
