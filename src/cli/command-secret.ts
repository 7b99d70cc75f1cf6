import { existsSync } from "node:fs";
import type { Config } from "../config.ts";
import type { Log } from "../core/log.ts";
import { auditReads } from "../storage/audit.ts";
import { hasTable } from "../storage/catalogue.ts";
import { missingFile, openDatabase } from "../storage/open.ts";
import { keptSecretPath, programSecret } from "./dev-secret.ts";
import { exitCodes } from "./exit-codes.ts";
import { Refusal } from "./failures.ts";

/**
 * The secret in force, for what runs beside a server or before the first. None is made where the audit trail has begun:
 * it is not the server's, and rows that were sealed with it would look like somebody else's.
 */
export async function commandSecret(config: Config, log: Log): Promise<string> {
  const path = keptSecretPath(config.database);
  if (config.secretKey === null && !existsSync(path) && (await hasBegunTrail(config, log))) {
    throw new Refusal(
      `SECRET_KEY is not set, there is no ${path}, and the database's audit trail is sealed with a secret: ` +
        "give this command the server's settings, in its environment or by --env-file; " +
        "where that secret is lost, a start of the server makes another",
      exitCodes.config,
    );
  }
  return programSecret(config);
}

async function hasBegunTrail({ database: target }: Config, log: Log): Promise<boolean> {
  if (missingFile(target) !== null) return false;
  const database = openDatabase(target, log);
  try {
    if (!(await hasTable(database.reader, database.engine, "audit_chain"))) return false;
    return (await auditReads(database.reader).head()).seq > 0;
  } finally {
    await database.close();
  }
}
