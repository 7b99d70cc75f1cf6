import { caller, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { Success, success } from "./envelope.ts";
import type { RealmPlace } from "./realms.ts";
import { AccountView } from "./schemas.ts";
import type { ViewAccount } from "./views.ts";

/** What a signed-in account of either realm does with itself. */
export function profileRoutes(place: RealmPlace, view: ViewAccount): readonly Route[] {
  return [
    route("GET", place.me, {
      summary: "Read one's own account",
      operation: `readOwn${place.named}`,
      takes: { caller: caller(place.realm, "account:read") },
      returns: { 200: Success(AccountView) },
      run: ({ caller }) => success("Profile retrieved", view(caller.account)),
    }),
  ];
}
