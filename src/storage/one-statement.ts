import type { Row, SqlValue, WriteConnection } from "./database.ts";

/** What a write of one statement writes through: it takes no second one. */
export class OneStatement implements WriteConnection {
  readonly #connection: WriteConnection;
  #wasAsked = false;

  constructor(connection: WriteConnection) {
    this.#connection = connection;
  }

  get dialect() {
    return this.#connection.dialect;
  }

  first(sql: string, values?: readonly SqlValue[]): Promise<Row | null> {
    return this.#taken().first(sql, values);
  }

  all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#taken().all(sql, values);
  }

  run(sql: string, values?: readonly SqlValue[]): Promise<number> {
    return this.#taken().run(sql, values);
  }

  insert(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#taken().insert(sql, values);
  }

  #taken(): WriteConnection {
    if (this.#wasAsked) throw new Error("a write of one statement asked for another");
    this.#wasAsked = true;
    return this.#connection;
  }
}
