import type { Connection, Snapshot } from "./database.ts";

/** What reads within a transaction that sees one moment. A cursor keeps the server from sending all at once. */
export function postgresSnapshot(connection: Connection): Snapshot {
  return {
    dialect: connection.dialect,
    first: (sql, values) => connection.first(sql, values),
    all: (sql, values) => connection.all(sql, values),
    run: (sql, values) => connection.run(sql, values),
    async *portions(sql, rows) {
      await connection.run(`DECLARE portions NO SCROLL CURSOR FOR ${sql}`);
      for (;;) {
        const portion = await connection.all(`FETCH FORWARD ${rows} FROM portions`);
        if (portion.length > 0) yield portion;
        if (portion.length < rows) break;
      }
      await connection.run("CLOSE portions");
    },
  };
}
