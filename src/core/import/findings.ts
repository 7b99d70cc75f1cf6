/** Why a row was left out. */
export const LEFT_OUT = {
  key_missing: "it has no id",
  email_missing: "it has no e-mail address, which every account needs here",
  email_invalid: "its e-mail address is not one",
  email_taken: "its e-mail address is that of another account here, whose spelling may differ",
  owner_missing: "it belongs to nobody",
  owner_left_out: "the account that it belongs to is not here",
  title_missing: "it has no title",
  title_too_long: "its title has more than 255 characters",
  description_too_long: "its description has more than 1,000 characters",
  text_unreadable: "its text holds the NUL character",
  table_not_taken: "nothing here corresponds to this table",
} as const;

/** What of a row could not be taken as it was. */
export const CHANGED = {
  id_new: "it has a new id: the old one is taken here, or may have been before",
  username_invalid: "its username cannot be one here: it logs in by e-mail address",
  username_taken: "its username is that of another account here: it logs in by e-mail address",
  name_dropped: "its name has more than 255 characters, or holds the NUL character: it has none now",
  phone_invalid: "its phone number is not an international one: it has none now",
  phone_taken: "its phone number is that of another account here: it has none now",
  password_unknown: "its password hash is of no known kind: an administrator sets a new password",
  role_unknown: "its role is not known here: it is an ordinary user",
  time_unreadable: "one of its times cannot be read: the time of the import stands in its place",
  priority_unknown: "its priority is not known here: it is medium",
} as const;

export type LeftOut = keyof typeof LEFT_OUT;
export type Changed = keyof typeof CHANGED;

/** What the operator is told of one row: never what stands in it. */
export interface Finding {
  readonly table: string;
  /** The row's id in the source; null where it is about the table. */
  readonly id: string | null;
  readonly outcome: "left out" | "changed";
  readonly code: LeftOut | Changed;
  readonly reason: string;
}

export function leftOut(
  table: string,
  id: string | null,
  code: LeftOut,
  reason: string = LEFT_OUT[code],
): Finding {
  return { table, id, outcome: "left out", code, reason };
}

export function changed(table: string, id: string, code: Changed): Finding {
  return { table, id, outcome: "changed", code, reason: CHANGED[code] };
}
