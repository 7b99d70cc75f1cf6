import type { Clock } from "../core/clock.ts";
import { hasTable } from "./catalogue.ts";
import { COPIED_TABLES } from "./copied-tables.ts";
import type { Connection, Database } from "./database.ts";
import { label, MigrationRefused, migrateUp, migrationStatus } from "./migrations.ts";
import type { Migration, MigrationState } from "./migrations.ts";
import { CopyRefused } from "./table-comparison.ts";
import { markUnfinished, unfinishedCopy } from "./unfinished-copy.ts";
import type { CopyOrigin } from "./unfinished-copy.ts";

type Readable = Pick<Database, "engine" | "reader">;

/** Fails with `CopyRefused` where the source is not a database with exactly the schema of this program. */
export async function requireSource(source: Readable, migrations: readonly Migration[]): Promise<CopyOrigin> {
  const states = await statusOf("source", source, migrations);
  const applied = states.filter(({ appliedAtMs }) => appliedAtMs !== null);
  const [has, needs] = [applied.at(-1), states.at(-1)];
  if (has === undefined || needs === undefined) {
    throw new CopyRefused("the source is no database of Latchkey's: it has no migrations");
  }
  if (has !== needs) {
    throw new CopyRefused(
      `the source has the schema of ${label(has.version, has.name)}, and this program copies that of ` +
        `${label(needs.version, needs.name)}: run \`latchkey migrate up\` on the source first`,
    );
  }
  return { fingerprint: fingerprintOf(states), version: has.version };
}

/**
 * Makes the schema in an empty target, or finds there a copy of the same source that was cut off. Nothing that is
 * there is ever overwritten.
 */
export async function prepareTarget(
  target: Database,
  origin: CopyOrigin,
  parts: { readonly migrations: readonly Migration[]; readonly clock: Clock },
): Promise<void> {
  const begun = await unfinishedCopy(target.reader, target.engine);
  if (begun !== null) return requireSame(begun, origin);
  const states = await statusOf("target", target, parts.migrations);
  if (fingerprintOf(states) === origin.fingerprint) {
    throw new CopyRefused("source and target are the same database, or one is a backup of the other");
  }
  await requireEmpty(target.reader, target.engine, states);
  await migrateUp(target, parts.migrations, parts.clock);
  await target.write((connection) => markUnfinished(connection, origin));
}

/** When its schema was made, to the millisecond: an SQLite file that is moved stays the same database. */
function fingerprintOf(states: readonly MigrationState[]): string {
  const times = JSON.stringify(states.map(({ appliedAtMs }) => appliedAtMs));
  return new Bun.CryptoHasher("sha256").update(times).digest("hex");
}

async function statusOf(
  side: "source" | "target",
  database: Readable,
  migrations: readonly Migration[],
): Promise<readonly MigrationState[]> {
  try {
    return await migrationStatus(database, migrations);
  } catch (error) {
    if (error instanceof MigrationRefused) throw new CopyRefused(`the ${side}: ${error.message}`, error);
    throw error;
  }
}

function requireSame(begun: CopyOrigin, origin: CopyOrigin): void {
  if (begun.fingerprint !== origin.fingerprint) {
    throw new CopyRefused("the target holds part of a copy of another database: begin with an empty one");
  }
  if (begun.version !== origin.version) {
    throw new CopyRefused(
      "the target holds part of a copy that another version of latchkey began: begin with an empty one",
    );
  }
}

async function requireEmpty(
  connection: Connection,
  engine: Database["engine"],
  states: readonly MigrationState[],
): Promise<void> {
  const isOurs = states.some(({ appliedAtMs }) => appliedAtMs !== null);
  for (const { name, isFilled } of COPIED_TABLES) {
    if (!(await hasTable(connection, engine, name))) continue;
    if (!isOurs) throw new CopyRefused(`the target has a table ${name} that is not Latchkey's`);
    if (isFilled || (await connection.first(`SELECT 1 FROM ${name} LIMIT 1`)) === null) continue;
    throw new CopyRefused(`the target is not empty: it has rows in ${name}, and nothing is overwritten`);
  }
}
