import type { Account, Registration as NewAccount } from "../../core/accounts.ts";
import type { Actor } from "../../core/actor.ts";
import { TO_GIVE_RIGHTS } from "../../core/caller.ts";
import type { Core } from "../../core/core.ts";
import { Fault } from "../../core/fault.ts";
import type { Also } from "../../core/idempotency.ts";
import { AT_LEAST_6 } from "../../core/passwords.ts";
import type { Exchange } from "../../http/exchange.ts";
import { once } from "../../http/once.ts";
import { ok } from "../../http/reply.ts";
import { form, jsonOrMultipart, lacking, limited, route } from "../../http/route.ts";
import type { Part, Route } from "../../http/route.ts";
import { phoneOrNull } from "./changes.ts";
import { Success, success } from "./envelope.ts";
import type { Upload } from "./index.ts";
import type { RealmPlace } from "./realms.ts";
import { AccountView, LoggedIn, Login, Registration } from "./schemas.ts";
import type { ViewAccount } from "./views.ts";

type Register = (registration: NewAccount, by: Actor, also: Also<Account>) => Promise<Account>;

/** How an account of either realm comes about and is let in. */
export function authRoutes(
  core: Core,
  place: RealmPlace,
  { upload, view }: { upload: Upload; view: ViewAccount },
): readonly Route[] {
  const { logins, accessTokens, avatars, passwordRule } = core;
  const { realm, auth, named } = place;

  return [
    route("POST", `${auth}/register`, {
      summary: realm === "user" ? "Create an account" : "Create an administrator",
      ...(realm === "admin" ? { description: ADMIN_REGISTRATION } : {}),
      operation: `register${named}Account`,
      takes: {
        limit: limited("register"),
        register: realm === "admin" ? byAdminOrSetup(core) : byAnyone(core),
        body: jsonOrMultipart(Registration(passwordRule(AT_LEAST_6)), upload),
        once,
      },
      returns: { 201: Success(AccountView) },
      fails: ["conflict", "malformed", "overloaded"],
      run: ({ register, body: { fields, file }, once }, { actor }) => {
        const { username, email, password } = fields;
        const person = { name: fields.name.trim(), phone: phoneOrNull(fields.phone) };
        return once(
          { ...fields, avatar: file === null ? null : Bun.SHA256.hash(file, "hex") },
          (also) =>
            avatars.keep(file, (avatar) =>
              register({ username, email, password, ...person, avatar }, actor, also),
            ),
          (account: Account) => success("Registration successful", view(account), 201),
        );
      },
    }),

    route("POST", `${auth}/login`, {
      summary: "Log in by username or e-mail address",
      operation: `login${named}Account`,
      takes: { limit: limited(place.loginLimit), body: form(Login) },
      returns: { 200: LoggedIn },
      fails: ["login_failed", "deactivated", "locked", "overloaded"],
      run: async ({ body }, { actor }) => {
        const { username, password } = body;
        const account = await logins.login(realm, username, password, actor, async (_, found) => found);
        const access_token = accessTokens.issue("root", account, null);
        const token_type = "bearer";
        const expires_in = accessTokens.lifetimeSeconds("root");
        const data = { access_token, token_type, expires_in };
        return ok({ success: true, message: "Login successful", data, access_token, token_type });
      },
    }),
  ];
}

const ADMIN_REGISTRATION =
  "By an administrator, or, while there has never been one, with the setup token in the header X-Setup-Token.";

function byAnyone({ accounts }: Core): Part<Register> {
  return {
    kind: "guard",
    documents: {},
    read: () => (registration, by, also) => accounts.register("user", registration, by, { also }),
  };
}

/** An administrator's token, or the one for the first of them. With neither, nobody is told to log in: 403. */
function byAdminOrSetup({ accounts, adminSetup }: Core): Part<Register> {
  return {
    kind: "guard",
    documents: {
      realm: "admin",
      scopes: TO_GIVE_RIGHTS,
      isOptional: true,
      header: {
        name: "X-Setup-Token",
        description: "In place of a token, while there has never been an administrator",
      },
      fails: ["invalid_token", "forbidden", ...lacking(TO_GIVE_RIGHTS)],
    },
    async read(exchange: Exchange): Promise<Register> {
      const setupToken = exchange.header("x-setup-token");
      if (setupToken !== null) {
        const mayBeRepeat = exchange.header("idempotency-key") !== null;
        await adminSetup.admit(setupToken, exchange.actor, { mayBeRepeat });
        return (registration, by, also) => adminSetup.register(registration, by, also);
      }
      if (exchange.header("authorization") === null)
        throw Fault.of({ kind: "forbidden", why: { rule: "role_required", roles: ["admin"] } });
      await exchange.authenticate("admin", TO_GIVE_RIGHTS);
      return (registration, by, also) => accounts.register("admin", registration, by, { also });
    },
  };
}
