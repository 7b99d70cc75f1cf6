import type { Connection, Database, SqlValue } from "../../src/storage/database.ts";

export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** Passes on what it is asked, and keeps it. */
export function recording(connection: Connection, kept: Statement[]): Connection {
  return {
    dialect: connection.dialect,
    first: (sql, values) => connection.first(sql, values),
    run: (sql, values) => connection.run(sql, values),
    all(sql, values = []) {
      kept.push({ sql, values });
      return connection.all(sql, values);
    },
  };
}

/** How the engine would go about it, in its own words. */
export async function plan({ engine, reader }: Database, { sql, values }: Statement): Promise<string> {
  const rows = await reader.all(`EXPLAIN ${engine === "sqlite" ? "QUERY PLAN " : ""}${sql}`, values);
  return rows.map((row) => String(row["detail"] ?? row["QUERY PLAN"])).join("\n");
}
