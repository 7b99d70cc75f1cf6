import { existsSync } from "node:fs";
import type { Config } from "../config.ts";
import { AuditSealer } from "../core/audit-chain.ts";
import type { Log } from "../core/log.ts";
import { auditReads } from "../storage/audit.ts";
import { hasTable } from "../storage/catalogue.ts";
import { missingFile, openDatabase } from "../storage/open.ts";
import { existingSecret, keptSecretPath, programSecret } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

/**
 * The secret in force, for what runs beside a server or before the first. Where the audit trail has begun, only one that
 * is set may be another than it was sealed with last: what was sealed with any that lies about would look forged.
 */
export async function commandSecret(config: Config, log: Log): Promise<string> {
  const sealedBy = config.secretKey === null ? await lastSealer(config, log) : null;
  if (sealedBy === null) return programSecret(config);
  const path = keptSecretPath(config.database);
  if (!existsSync(path)) throw refusal(`there is no ${path}, and`, "a secret", path);
  const secret = existingSecret(config);
  if (new AuditSealer(secret).keyId !== sealedBy) throw refusal("and", `another secret than ${path}`, path);
  return secret;
}

function refusal(what: string, sealedWith: string, path: string): Refusal {
  return new Refusal(
    `SECRET_KEY is not set, ${what} the database's audit trail is sealed with ${sealedWith}: ` +
      "give this command the server's settings, in its environment or by --env-file; " +
      `where that secret is lost, a start of the server makes one: SECRET_KEY_FILE=${path}`,
    exitCodes.config,
  );
}

/** The key that the trail's last row was sealed with; null where it has not begun. */
async function lastSealer({ database: target }: Config, log: Log): Promise<string | null> {
  if (missingFile(target) !== null) return null;
  const database = openDatabase(target, log);
  try {
    if (!(await hasTable(database.reader, database.engine, "audit_chain"))) return null;
    const [last] = await auditReads(database.reader).list(EVERYTHING, null, 1);
    return last?.keyId ?? null;
  } finally {
    await database.close();
  }
}

const EVERYTHING = { event: null, account: null, fromMs: null, untilMs: null };
