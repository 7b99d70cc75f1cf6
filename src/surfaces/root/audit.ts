import type { AuditFilter } from "../../core/audit.ts";
import type { Core } from "../../core/core.ts";
import { caller, query, route } from "../../http/route.ts";
import type { Route } from "../../http/route.ts";
import type { Static } from "../../http/schema.ts";
import { Success, success } from "./envelope.ts";
import { AuditPage, AuditQuery } from "./schemas.ts";
import { auditView } from "./views.ts";

const PAGE_SIZE = 50;

/** What happened, to whom and by whom, for administrators. */
export function auditRoutes({ audit, pages }: Core): readonly Route[] {
  return [
    route("GET", "/admin/audit", {
      summary: "Read the audit trail, newest first",
      description: "Read by cursor alone: `next_cursor` leads to the older rows, and is null at the end.",
      operation: "listAuditTrail",
      takes: { admin: caller("admin", "admin"), query: query(AuditQuery) },
      returns: { 200: Success(AuditPage) },
      run: async ({ query }) => {
        const { page_size: size = PAGE_SIZE, cursor = null } = query;
        const { items, nextCursor } = await pages.read(audit.listing(filterOf(query)), { size, cursor });
        const data = { items: items.map(auditView), page_size: size, next_cursor: nextCursor };
        return success("Audit trail retrieved", data);
      },
    }),
  ];
}

function filterOf({ event, account, from, to }: Static<typeof AuditQuery>): AuditFilter {
  const [realm, id] = account?.split(":") ?? [];
  return {
    event: event ?? null,
    account: realm === "user" || realm === "admin" ? { realm, id: Number(id) } : null,
    fromMs: from === undefined ? null : Date.parse(from),
    untilMs: to === undefined ? null : Date.parse(to),
  };
}
