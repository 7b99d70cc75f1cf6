import type { Account, AccountChange } from "../../core/accounts.ts";
import { Fault } from "../../core/fault.ts";
import { normalPhone } from "../../core/identity.ts";
import type { Static } from "../../http/schema.ts";
import type { OwnChange } from "./schemas.ts";

type ChangeFields = Omit<Static<ReturnType<typeof OwnChange>>, "password" | "current_password">;

/** What a change of one's own account and of another's have in common. `file` is the avatar that came along. */
export function accountChange(
  account: Account,
  fields: ChangeFields,
  file: string | undefined,
): AccountChange {
  const { name, email, username, phone, avatar } = fields;
  if (typeof avatar === "string" && avatar !== account.avatar)
    throw Fault.invalid("body", "avatar", "Send the image as a file by multipart, or null to remove it");
  return {
    ...(name == null ? {} : { name: name.trim() }),
    ...(email == null ? {} : { email }),
    ...(username == null ? {} : { username }),
    ...(phone === undefined ? {} : { phone: phoneOrNull(phone) }),
    ...(file !== undefined ? { avatar: file } : avatar === null ? { avatar } : {}),
  };
}

/** Null and the empty text both say that there is none. */
export function phoneOrNull(phone: string | null | undefined): string | null {
  return phone == null ? null : normalPhone(phone);
}
