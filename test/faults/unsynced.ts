/**
 * Writes a row whose commit waits for no disk, and is killed with the row in the file's log alone.
 *
 *     bun test/faults/unsynced.ts DATABASE
 */
import { openSqlite } from "../../src/storage/sqlite.ts";

const [path = ""] = Bun.argv.slice(2);
const database = openSqlite({ path });
await database.write((connection) => connection.run("CREATE TABLE lines (text TEXT)"));
await database.writeUnsynced((connection) => connection.run("INSERT INTO lines VALUES ('left')"));
process.kill(process.pid, "SIGKILL");
