import type { Account } from "./accounts.ts";
import type { Page, PageRequest, Pages } from "./pages.ts";
import type { Store, UserFilter } from "./store.ts";

/** All users, for those who administer them: newest first, filtered and searched, page by page. */
export class UserDirectory {
  readonly #store: Store;
  readonly #pages: Pages;

  constructor(parts: { store: Store; pages: Pages }) {
    this.#store = parts.store;
    this.#pages = parts.pages;
  }

  /** Fails with `invalid` for a cursor that was not made for these filters. */
  list(filter: UserFilter, request: PageRequest): Promise<Page<Account>> {
    const { directory } = this.#store.read;
    const { search, isActive, deleted } = filter;
    return this.#pages.read(
      {
        scope: ["users", search, isActive, deleted],
        order: { key: "created_at", descending: true },
        rows: (slice) => directory.users(filter, slice),
        count: () => directory.count(filter),
        position: ({ id, createdAtMs }) => ({ value: createdAtMs, id }),
      },
      request,
    );
  }
}
