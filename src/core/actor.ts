import type { Realm } from "./accounts.ts";

/** Who does something, and from where: for the log, for the audit trail, and for the list of one's sessions. */
export interface Actor {
  /** Null before anybody has proved who they are, and for the operator at the shell. */
  readonly account: { readonly realm: Realm; readonly id: number } | null;
  readonly clientAddress: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
}

/** What a line of the log says of an actor. */
export function logged({ account, clientAddress, requestId }: Actor) {
  return {
    by: account === null ? undefined : `${account.realm}:${account.id}`,
    client: clientAddress,
    request: requestId,
  };
}

/** The operator's own commands, and the program's own tasks. */
export const OPERATOR: Actor = { account: null, clientAddress: null, userAgent: null, requestId: null };
