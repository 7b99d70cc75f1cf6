// Written by `latchkey migrate new`, so that the compiled binary carries the files of this folder.
import text0 from "./0001_users.down.sql" with { type: "text" };
import text1 from "./0001_users.up.sql" with { type: "text" };
import text2 from "./0002_sessions.down.sql" with { type: "text" };
import text3 from "./0002_sessions.up.sql" with { type: "text" };
import text4 from "./0003_todos.down.sql" with { type: "text" };
import text5 from "./0003_todos.up.sql" with { type: "text" };
import text6 from "./0004_login_attempts.down.sql" with { type: "text" };
import text7 from "./0004_login_attempts.up.sql" with { type: "text" };
import text8 from "./0005_admins.down.sql" with { type: "text" };
import text9 from "./0005_admins.up.sql" with { type: "text" };
import text10 from "./0006_items.down.sql" with { type: "text" };
import text11 from "./0006_items.up.sql" with { type: "text" };

export const migrationFiles: Readonly<Record<string, string>> = {
  "0001_users.down.sql": text0,
  "0001_users.up.sql": text1,
  "0002_sessions.down.sql": text2,
  "0002_sessions.up.sql": text3,
  "0003_todos.down.sql": text4,
  "0003_todos.up.sql": text5,
  "0004_login_attempts.down.sql": text6,
  "0004_login_attempts.up.sql": text7,
  "0005_admins.down.sql": text8,
  "0005_admins.up.sql": text9,
  "0006_items.down.sql": text10,
  "0006_items.up.sql": text11,
};
