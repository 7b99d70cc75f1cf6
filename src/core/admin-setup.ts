import { randomBytes } from "node:crypto";
import type { Account, Accounts, Registration } from "./accounts.ts";
import { logged } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";
import { nothingElse } from "./idempotency.ts";
import type { Also } from "./idempotency.ts";
import type { Log } from "./log.ts";
import { isSameSecret } from "./same-secret.ts";
import type { Store, Writes } from "./store.ts";

/**
 * How the first administrator comes about: nobody has a default password, and whoever knows the setup token may
 * register one administrator, as long as there has never been any.
 */
export class AdminSetup {
  readonly #accounts: Accounts;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #token: string;
  /** Whether the operator knows the token; else it is ours to tell. */
  readonly #isGiven: boolean;

  constructor(parts: { accounts: Accounts; store: Store; clock: Clock; log: Log; token: string | null }) {
    this.#accounts = parts.accounts;
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#isGiven = parts.token !== null;
    this.#token = parts.token ?? randomBytes(24).toString("base64url");
  }

  /** Tells the operator the token, where it is of any use and they did not choose it themselves. */
  async announce(): Promise<void> {
    if (this.#isGiven || (await this.#isDone())) return;
    this.#log.warning("admin.setup_token", { header: "X-Setup-Token", token: this.#token });
  }

  /**
   * Fails with `forbidden` for a wrong token, and for the right one once there is an administrator: but not yet where this
   * may be the very registration of that one, sent again for its answer.
   */
  async admit(token: string, by: Actor, { mayBeRepeat }: { mayBeRepeat: boolean }): Promise<void> {
    const isOpen = mayBeRepeat || !(await this.#isDone());
    if (!isOpen || !isSameSecret(token, this.#token)) throw this.#refused(by);
  }

  /** For a token that was admitted. Fails with `forbidden` where another was faster, and as any registration. */
  async register(registration: Registration, by: Actor, also: Also<Account> = nothingElse): Promise<Account> {
    // Before it costs a hash; what decides is within the write.
    if (await this.#isDone()) throw this.#refused(by);
    return this.#accounts.register("admin", registration, by, {
      permit: (tx) => this.#requireFirst(tx),
      also,
    });
  }

  #refused(by: Actor): Fault {
    this.#log.warning("admin.setup_refused", logged(by));
    return forbidden();
  }

  #isDone(): Promise<boolean> {
    return this.#store.read.accounts("admin").any();
  }

  /** Two at one moment would both see that there is none: the lock makes one of them wait for the other. */
  async #requireFirst(tx: Writes): Promise<void> {
    await tx.loginAttempts.lock("admin", "setup", this.#clock.nowMs());
    if (await tx.accounts("admin").any()) throw forbidden();
  }
}

function forbidden(): Fault {
  return Fault.of({ kind: "forbidden", why: { rule: "role_required", roles: ["admin"] } });
}
