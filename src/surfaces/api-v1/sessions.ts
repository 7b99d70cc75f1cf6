import type { Core } from "../../core/core.ts";
import { noContent, ok } from "../../http/reply.ts";
import { caller, id, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import { t } from "../../http/schema.ts";
import { SessionView } from "./schemas.ts";
import { sessionView } from "./views.ts";

/** Where one is logged in, and logging out from afar. Access tokens of an ended session stop at once. */
export function sessionRoutes({ sessions }: Core): readonly Route[] {
  return [
    route("GET", "/users/me/sessions", {
      summary: "List one's open sessions, newest first",
      operation: "listOwnSessions",
      takes: { caller: caller("user", "account:read") },
      returns: { 200: t.Array(SessionView) },
      run: async ({ caller }) => {
        const open = await sessions.list(caller);
        return ok(open.map((session) => sessionView(session, caller.sessionId)));
      },
    }),

    route("DELETE", "/users/me/sessions", {
      summary: "End all of one's sessions but this one",
      operation: "endOtherSessions",
      takes: { caller: caller("user", "account:write") },
      returns: { 204: null },
      run: async ({ caller }, { actor }) => {
        await sessions.endOthers(caller, actor);
        return noContent();
      },
    }),

    route("DELETE", "/users/me/sessions/:session_id", {
      summary: "End one of one's sessions",
      operation: "endSession",
      takes: { caller: caller("user", "account:write"), sessionId: id("session_id", "session") },
      returns: { 204: null },
      run: async ({ caller, sessionId }, { actor }) => {
        await sessions.end(caller, sessionId, actor);
        return noContent();
      },
    }),
  ];
}
