import type { Dialect } from "./dialect.ts";
import type { Route } from "./route.ts";

/** One of the contracts that the server speaks: where it lives, how it fails, and its routes. */
export interface Surface {
  readonly name: string;
  /** A sentence or two for the documentation: whom it is for, and how it differs. */
  readonly about?: string;
  /** What an unknown path must begin with to be answered in this surface's dialect. */
  readonly prefixes: readonly string[];
  readonly dialect: Dialect;
  /** With whole paths. */
  readonly routes: readonly Route[];
}

/** Routes that fail in a way of their own, within a surface that has another. */
export function speaking(dialect: Dialect, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => ({ dialect, ...route }));
}

export function under(prefix: string, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => ({ ...route, path: prefix + route.path }));
}
