import type { Connection, Database, WriteConnection } from "../storage/database.ts";
import { keyValues, spanKinds } from "./otlp.ts";
import { Statements } from "./statements.ts";
import type { Step, Tracer } from "./tracer.ts";

/** The same database, whose statements and writes are told as steps of the requests that they are made for. */
export function tracedDatabase(database: Database, tracer: Tracer): Database {
  const statements = new Statements(database.engine);
  const step: Step = {
    name: "write",
    kind: spanKinds.internal,
    attributes: keyValues({ "db.system.name": statements.system }),
  };
  const traced = (write: Database["write"]): Database["write"] => {
    return (work) =>
      tracer.step(step, () => {
        // Who does the work may be the writer of all requests, in a turn that another of them began.
        const own = tracer.bound((connection: WriteConnection) =>
          work(tracedWrite(connection, statements, tracer)),
        );
        return write(own);
      });
  };
  return {
    engine: database.engine,
    reader: tracedConnection(database.reader, statements, tracer),
    write: traced((work) => database.write(work)),
    writeOne: traced((work) => database.writeOne(work)),
    writeUnsynced: traced((work) => database.writeUnsynced(work)),
    writeAlone: (work) => database.writeAlone(work),
    snapshot: (work) => database.snapshot(work),
    connections: () => database.connections(),
    ping: () => database.ping(),
    currentTimeMs: () => database.currentTimeMs(),
    close: () => database.close(),
  };
}

function tracedWrite(connection: WriteConnection, statements: Statements, tracer: Tracer): WriteConnection {
  return {
    ...tracedConnection(connection, statements, tracer),
    insert: (sql, values) => tracer.step(statements.step(sql), () => connection.insert(sql, values)),
  };
}

function tracedConnection(connection: Connection, statements: Statements, tracer: Tracer): Connection {
  return {
    dialect: connection.dialect,
    first: (sql, values) => tracer.step(statements.step(sql), () => connection.first(sql, values)),
    all: (sql, values) => tracer.step(statements.step(sql), () => connection.all(sql, values)),
    run: (sql, values) => tracer.step(statements.step(sql), () => connection.run(sql, values)),
  };
}
