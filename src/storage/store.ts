import type { Realm } from "../core/accounts.ts";
import { Fault } from "../core/fault.ts";
import type { Noun } from "../core/fault.ts";
import { refusedToken } from "../core/refused-token.ts";
import type { Reads, Store, Writes } from "../core/store.ts";
import type { AuditSealer } from "../core/audit-chain.ts";
import { accountReads, accountWrites } from "./accounts.ts";
import { auditReads, auditWrites } from "./audit.ts";
import type { AuditNotes } from "./audit.ts";
import { ReferenceViolation, UniqueViolation } from "./database.ts";
import type { Connection, Database, WriteConnection } from "./database.ts";
import { importReads, importWrites } from "./imports.ts";
import { itemReads, itemWrites } from "./items.ts";
import { idempotencyReads, idempotencyWrites } from "./idempotency.ts";
import { loginAttemptWrites } from "./login-attempts.ts";
import { personalTokenReads, personalTokenWrites } from "./personal-tokens.ts";
import { sessionReads, sessionWrites } from "./sessions.ts";
import { userDirectoryReads, userDirectoryWrites } from "./user-directory.ts";
import { todoReads, todoWrites } from "./todos.ts";

/** Fills the core's ports with SQL. */
export function openStore(
  database: Database,
  sealer: AuditSealer,
  onWrite: (durationMs: number) => void = () => {},
): Store {
  const inWrite = (write: Database["write"]): Store["write"] => {
    return async (work) => {
      const startedMs = performance.now();
      try {
        return await write(async (connection) => {
          const tx = new WriteTables(connection, database.engine, sealer);
          const result = await work(tx);
          const noted = tx.appendNoted();
          if (noted !== undefined) await noted;
          return result;
        });
      } catch (error) {
        return explainViolation(error);
      } finally {
        onWrite(performance.now() - startedMs);
      }
    };
  };
  return {
    read: reads(database.reader, database.engine),
    write: inWrite((work) => database.write(work)),
    writeOne: inWrite((work) => database.writeOne(work)),
    writeUnsynced: inWrite((work) => database.writeUnsynced(work)),
    ping: () => database.ping(),
    currentTimeMs: () => database.currentTimeMs(),
  };
}

function reads(connection: Connection, engine: Database["engine"]): Reads {
  const accounts = perRealm((realm) => accountReads(connection, realm));
  return {
    accounts,
    directory: userDirectoryReads(connection, engine),
    items: itemReads(connection),
    sessions: sessionReads(connection),
    todos: todoReads(connection),
    personalTokens: personalTokenReads(connection),
    audit: auditReads(connection),
    idempotency: idempotencyReads(connection),
    imports: importReads(connection, engine),
  };
}

/** Each noun is made when it is asked for: a write wants one or two, and to make them all costs as much as an insert. */
class WriteTables implements Writes {
  readonly #connection: WriteConnection;
  readonly #engine: Database["engine"];
  readonly #sealer: AuditSealer;
  #audit: AuditNotes | null = null;

  constructor(connection: WriteConnection, engine: Database["engine"], sealer: AuditSealer) {
    this.#connection = connection;
    this.#engine = engine;
    this.#sealer = sealer;
  }

  accounts(realm: Realm) {
    return accountWrites(this.#connection, realm);
  }

  get directory() {
    return userDirectoryWrites(this.#connection, this.#engine);
  }

  get items() {
    return itemWrites(this.#connection);
  }

  get idempotency() {
    return idempotencyWrites(this.#connection);
  }

  get imports() {
    return importWrites(this.#connection, this.#engine);
  }

  get sessions() {
    return sessionWrites(this.#connection);
  }

  get todos() {
    return todoWrites(this.#connection);
  }

  get personalTokens() {
    return personalTokenWrites(this.#connection);
  }

  get loginAttempts() {
    return loginAttemptWrites(this.#connection);
  }

  get audit() {
    this.#audit ??= auditWrites(this.#connection, this.#sealer);
    return this.#audit;
  }

  /** Writes what was noted for the trail, where anything was. */
  appendNoted(): Promise<void> | undefined {
    return this.#audit?.append();
  }
}

function perRealm<T>(make: (realm: Realm) => T): (realm: Realm) => T {
  const made: Record<Realm, T> = { user: make("user"), admin: make("admin") };
  return (realm) => made[realm];
}

const NOUN_OF_TABLE: Readonly<Record<string, Noun>> = { users: "user", admins: "admin" };

/** A constraint that a request can run into is told as what it means to it; any other is a mistake of ours. */
function explainViolation(error: unknown): never {
  // What a request writes refers to nothing but accounts, and to none but its own: that one was purged meanwhile.
  if (error instanceof ReferenceViolation) throw refusedToken("account_unknown", error);
  const noun = error instanceof UniqueViolation ? NOUN_OF_TABLE[error.table] : undefined;
  if (!(error instanceof UniqueViolation) || noun === undefined) throw error;
  throw Fault.of({ kind: "conflict", noun, field: error.column.replace(/_key$/, "") }, error);
}
