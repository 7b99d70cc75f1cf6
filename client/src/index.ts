import type {
  ApiV1Client,
  ApiV1CookieClient,
  ClientOptions,
  RootAdminClient,
  RootClient,
  V1Client,
} from "./api.ts";
import { cookieClient, rotatingClient } from "./api-v1.ts";
import { rootAdminClient, rootClient } from "./root.ts";
import { v1Client } from "./v1.ts";

export type * from "./api.ts";
export type * from "./types.ts";
export { LatchkeyError } from "./error.ts";
export { memoryTokens } from "./session.ts";

type Rotating = { readonly surface: "api-v1"; readonly session?: "rotating" | undefined };
type Cookie = { readonly surface: "api-v1"; readonly session: "cookie" };
type V1 = { readonly surface: "v1" };
type User = { readonly surface: "root"; readonly realm?: "user" | undefined };
type Admin = { readonly surface: "root"; readonly realm: "admin" };

export function createClient(options: ClientOptions & Rotating): ApiV1Client;
export function createClient(options: ClientOptions & Cookie): ApiV1CookieClient;
export function createClient(options: ClientOptions & V1): V1Client;
export function createClient(options: ClientOptions & User): RootClient;
export function createClient(options: ClientOptions & Admin): RootAdminClient;
export function createClient(options: ClientOptions & (Rotating | Cookie | V1 | User | Admin)) {
  switch (options.surface) {
    case "api-v1":
      return options.session === "cookie" ? cookieClient(options) : rotatingClient(options);
    case "v1":
      return v1Client(options);
    case "root":
      return options.realm === "admin" ? rootAdminClient(options) : rootClient(options);
  }
}
