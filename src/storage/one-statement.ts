import type { WriteConnection } from "./database.ts";

/** What a write of one statement writes through: it takes no second one. */
export function forOneStatement(connection: WriteConnection): WriteConnection {
  let wasAsked = false;
  const take = () => {
    if (wasAsked) throw new Error("a write of one statement asked for another");
    wasAsked = true;
  };
  return {
    dialect: connection.dialect,
    first(sql, values) {
      take();
      return connection.first(sql, values);
    },
    all(sql, values) {
      take();
      return connection.all(sql, values);
    },
    run(sql, values) {
      take();
      return connection.run(sql, values);
    },
    insert(sql, values) {
      take();
      return connection.insert(sql, values);
    },
  };
}
