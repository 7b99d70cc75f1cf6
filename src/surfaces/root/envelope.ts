import type { Reply } from "../../http/reply.ts";
import { t } from "../../http/schema.ts";
import type { TSchema } from "../../http/schema.ts";

/** What every good answer of this surface is wrapped in. */
export function success(message: string, data: unknown, status = 200): Reply {
  return { status, body: { success: true, message, data } };
}

/** The shape of an answer that `success` makes. */
export const Success = <Data extends TSchema>(data: Data) =>
  t.Object({ success: t.Literal(true), message: t.String(), data });
